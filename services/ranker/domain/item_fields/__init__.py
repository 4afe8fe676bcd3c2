"""Fields of items as columns, which expressions over items read."""
