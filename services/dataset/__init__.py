"""Files of events and items as columns: what trainer and evaluation read."""
