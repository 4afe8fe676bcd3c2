"""How far above its bound the norm of a vector may lie."""

NORM_SLACK = 1e-3
"""Relative. Who makes a vector clips it in an order of operations of its own, in float32, so that
whoever checks it may find a hair more than the bound."""
