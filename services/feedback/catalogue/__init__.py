"""The catalogue: items in and out."""
