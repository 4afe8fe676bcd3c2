"""Vectors that a backend brings itself."""
