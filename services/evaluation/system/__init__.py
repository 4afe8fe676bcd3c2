"""The system's own arms: the very code of the services, in one process."""
