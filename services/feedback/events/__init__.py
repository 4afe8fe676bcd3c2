"""Events: in, taken back, and out again."""
