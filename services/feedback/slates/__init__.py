"""Slates that rankers served, into the log."""
