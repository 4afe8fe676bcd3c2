"""OTTO: sessions as JSON lines, with a list of events each."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.presets.preset import EventShape, Preset
from services.dataset.table.options import ReadOptions
from services.dataset.values.times import TimeOptions

OTTO = Preset(
    "otto",
    "OTTO: sessions with a list of events in each line",
    events=(
        EventShape(
            ReadOptions(lists="events"),
            EventOptions(
                user="",
                session="session",
                item="events.aid",
                timestamp="events.ts",
                type="events.type",
                value="",
                event_id="",
                type_map={"clicks": "click", "carts": "add_to_cart", "orders": "purchase"},
                times=TimeOptions(format="unix_ms"),
            ),
        ),
    ),
)
