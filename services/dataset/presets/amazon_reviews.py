"""Amazon Reviews 2023: reviews and ratings as events, meta files as items."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.presets.preset import EventShape, ItemShape, Preset
from services.dataset.table.options import ReadOptions
from services.dataset.values.times import TimeOptions


def _joined(cell: object) -> object:
    """Return paragraphs as one text."""
    return "\n".join(map(str, cell)) if isinstance(cell, list) else cell


AMAZON_REVIEWS = Preset(
    "amazon-reviews-2023",
    "Amazon Reviews 2023: reviews (JSON lines) or ratings (CSV), and meta files",
    events=(
        EventShape(
            ReadOptions(),
            EventOptions(
                user="user_id",
                session="",
                item="parent_asin",
                timestamp="timestamp",
                value="rating",
                event_id="",
                constant_type="rating",
                times=TimeOptions(format="unix_ms"),
            ),
        ),
    ),
    items=(
        ItemShape(
            ReadOptions(converters={"description": (("description",), _joined)}),
            ItemOptions(item="parent_asin", title="title", categories="categories"),
        ),
    ),
)
