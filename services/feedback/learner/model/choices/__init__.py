"""Every event is a choice among what would have been shown: the order is learned from it."""
