"""AWS Personalize: interactions, items and users datasets as CSV."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.presets.preset import EventShape, ItemShape, Preset, UserShape
from services.dataset.table.options import ReadOptions
from services.dataset.values.times import TimeOptions


def _typed(line: str) -> bool:
    return "EVENT_TYPE" in line.upper()


_SECONDS = TimeOptions(format="unix")

PERSONALIZE = Preset(
    "personalize",
    "AWS Personalize: interactions (views where EVENT_TYPE is missing), items, users",
    events=(
        EventShape(
            ReadOptions(","),
            EventOptions(
                user="user_id", item="item_id", timestamp="timestamp", type="event_type",
                times=_SECONDS,
            ),
            _typed,
        ),
        EventShape(
            ReadOptions(","),
            EventOptions(
                user="user_id", item="item_id", timestamp="timestamp", constant_type="view",
                times=_SECONDS,
            ),
        ),
    ),
    items=(ItemShape(ReadOptions(","), ItemOptions(item="item_id", times=_SECONDS)),),
    users=(UserShape(ReadOptions(","), "user_id"),),
)  # fmt: skip
