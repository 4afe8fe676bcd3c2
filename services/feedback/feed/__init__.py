"""The feed out: committed frames, served to subscribers."""
