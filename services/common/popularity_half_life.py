"""How fast popularity fades: the learner sums with it, and rankers show what is left of a sum."""

HALF_LIFE_SECONDS = 30 * 86_400.0
"""Seconds of event time after which an event counts half."""
