"""What holds of a surface where its configuration does not say, as surface.proto states."""

DIVERSITY_STRENGTH = 0.03
NEW_ITEM_EVENTS = 20
SOURCE_QUOTA = 50
"""Of sources that only surfaces ask for."""
