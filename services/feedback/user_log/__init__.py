"""What the log holds of one user: reading it, erasing it."""
