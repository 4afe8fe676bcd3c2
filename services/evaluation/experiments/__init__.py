"""Experiments: how much better a variant is, at every look."""
