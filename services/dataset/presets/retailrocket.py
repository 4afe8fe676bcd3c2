"""RetailRocket: events.csv."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.presets.preset import EventShape, Preset
from services.dataset.table.options import ReadOptions
from services.dataset.values.times import TimeOptions

RETAILROCKET = Preset(
    "retailrocket",
    "RetailRocket: events.csv",
    events=(
        EventShape(
            ReadOptions(","),
            EventOptions(
                user="visitorid",
                session="",
                item="itemid",
                timestamp="timestamp",
                type="event",
                value="",
                event_id="",
                type_map={"addtocart": "add_to_cart", "transaction": "purchase"},
                times=TimeOptions(format="unix_ms"),
            ),
        ),
    ),
)
