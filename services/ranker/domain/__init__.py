"""Ranking without I/O: state as a fold of changes, and slates made from it."""
