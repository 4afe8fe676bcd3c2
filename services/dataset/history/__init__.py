"""Rows as events: in batches as they come, in order of time, or whole in memory."""
