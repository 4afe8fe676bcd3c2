"""The feed, for whoever sends, reads or folds it: one place for what goes over the wire."""
