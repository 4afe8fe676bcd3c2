"""People with drifting tastes, made by a seed: a history where there is no real data."""
