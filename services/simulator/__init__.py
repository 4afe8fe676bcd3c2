"""People with tastes that drift, made by a seed: a history for demos and tests without real data."""
