"""A user on the screen: attributes, behaviour, interests."""

from collections.abc import Iterator, Sequence

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harken.profile.v1 import profile_pb2
from services.cli.item_view import id_text, plain_text

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN = 10
"""Interests of categories, and of tags."""


def user_view(profile: profile_pb2.Profile) -> Iterator[RenderableType]:
    """Return what is shown of a user, part by part."""
    if profile.HasField("attributes"):
        yield _attributes(profile)
    if not profile.HasField("behaviour"):
        yield Text("no events")
        return
    behaviour = profile.behaviour
    yield _types(behaviour)
    yield Text(
        f"{behaviour.active_days:,} active days, {behaviour.sessions:,} visits;"
        f" by hour (UTC) 0 [{_bars(behaviour.events_by_hour)}] 23, by weekday {_DAYS[0]}"
        f" [{_bars(behaviour.events_by_weekday)}] {_DAYS[-1]}"
    )
    for kind, interests in (
        ("category", profile.interests.categories),
        ("tag", profile.interests.tags),
    ):
        if interests:
            yield _interests(kind, interests)


def _attributes(profile: profile_pb2.Profile) -> Table:
    table = Table("attribute", "value", box=SIMPLE_HEAD)
    for name, value in sorted(profile.attributes.fields.items()):
        table.add_row(id_text(name), plain_text(json_format.MessageToJson(value, indent=None)))
    return table


def _types(behaviour: profile_pb2.Behaviour) -> Table:
    table = Table("type", box=SIMPLE_HEAD)
    for heading in ("events", "7 days", "30 days", "active days", "value", "first", "last"):
        table.add_column(heading, justify="right")
    for one in behaviour.types:
        table.add_row(
            id_text(one.type), f"{one.events:,}", f"{one.events_7_days:,}",
            f"{one.events_30_days:,}", f"{one.active_days:,}", f"{one.value_sum:,.6g}",
            _day(one.first_time), _day(one.last_time),
        )  # fmt: skip
    return table


def _interests(kind: str, interests: Sequence[profile_pb2.Interest]) -> Table:
    table = Table(kind, box=SIMPLE_HEAD)
    for heading in ("short term", "long term", "events", "negative"):
        table.add_column(heading, justify="right")
    for one in interests[:_SHOWN]:
        table.add_row(
            id_text(one.name), f"{one.short_term:.1%}", f"{one.long_term:.1%}",
            f"{one.events:,}", f"{one.negative_events:,}",
        )  # fmt: skip
    if len(interests) > _SHOWN:
        table.caption = f"and {len(interests) - _SHOWN} more: --json has them"
    return table


def _bars(numbers: Sequence[int]) -> str:
    most = max(numbers, default=0) or 1
    return "".join(_BARS[-(-number * (len(_BARS) - 1) // most)] for number in numbers)


def _day(time: Timestamp) -> str:
    return time.ToDatetime().strftime("%Y-%m-%d")
