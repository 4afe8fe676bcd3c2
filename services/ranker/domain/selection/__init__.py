"""Which items of a pool make a slate, and in which order: rules, diversity, exploration."""
