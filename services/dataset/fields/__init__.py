"""Which columns mean what: the one definition of mappings for all commands."""
