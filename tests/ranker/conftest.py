"""Settings of the ranker's tests."""

from hypothesis import settings

# Cores are shared, so how long an example takes says nothing.
settings.register_profile("shared-cores", deadline=None)
settings.load_profile("shared-cores")
