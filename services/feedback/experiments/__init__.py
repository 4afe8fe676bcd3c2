"""Experiments, in and out, and what becomes of them."""
