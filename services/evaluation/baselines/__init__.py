"""What others would use instead: each with fresh history where it can use it."""
