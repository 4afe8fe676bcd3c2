"""The system in one process: what evaluation and training run of the services."""
