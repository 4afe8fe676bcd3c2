"""The feed out: both lanes, served to subscribers."""
