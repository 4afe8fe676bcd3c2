"""Sources of candidates that surfaces ask for, beside those that every slate has."""
