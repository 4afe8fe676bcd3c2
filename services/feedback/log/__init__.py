"""The log: one ordered sequence of entries, and its tenants."""
