"""Experiments as rankers act on them."""
