"""CEL over items: parsed and checked once, then decided for whole columns of items."""
