"""Who tries to push an item into everybody's slates, and how many see it."""
