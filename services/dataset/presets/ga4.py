"""Google Analytics 4, exported from BigQuery as JSON lines or Parquet: one row per event."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.presets.preset import EventShape, Preset
from services.dataset.table.options import ReadOptions
from services.dataset.values.times import TimeOptions

GA4 = Preset(
    "ga4",
    "Google Analytics 4 from BigQuery (JSON lines, Parquet): an event for each item of each event; "
    "who is not signed in is a session",
    events=(
        EventShape(
            ReadOptions(lists="items"),
            EventOptions(
                user="user_id",
                session="user_pseudo_id",
                item="items.item_id",
                timestamp="event_timestamp",
                type="event_name",
                value="",
                event_id="",
                type_map={
                    "view_item": "view",
                    "select_item": "click",
                    "select_content": "click",
                    "add_to_wishlist": "wishlist",
                },
                times=TimeOptions(format="unix_us"),
            ),
        ),
    ),
)
