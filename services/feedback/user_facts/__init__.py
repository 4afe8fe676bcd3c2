"""Facts about users, into the log."""
