"""Experiments on the command line."""
