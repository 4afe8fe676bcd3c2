"""Harken in two minutes: real processes, real data where it can be had, and what they do to it."""
