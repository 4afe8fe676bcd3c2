"""Items of the catalogue for people: tables, and lines of JSON."""

from collections.abc import Sequence
from typing import Literal

from google.protobuf.timestamp_pb2 import Timestamp
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from harken.feedback.v1 import item_pb2
from services.cli.exports.item_table import COLUMNS, item_row
from services.cli.exports.table_writer import Column, json_line

_JSON_COLUMNS = (*COLUMNS, Column("update_time"))


def item_json(item: item_pb2.Item) -> str:
    """Return an item as a line of JSON: what an export says of it, and when it was changed."""
    return json_line(_JSON_COLUMNS, (*item_row(item), item.update_time.ToJsonString()))


def item_table(items: Sequence[item_pb2.Item], now: Timestamp) -> Table:
    """Return items as a table, one a row; owners where any has one."""
    owned = any(item.owner for item in items)
    owner_column = ("owner",) if owned else ()
    table = Table(
        "item", "title", "categories", *owner_column, "state", "published", box=SIMPLE_HEAD
    )
    for item in items:
        table.add_row(
            id_text(item.item_id),
            plain_text(item.title),
            plain_text(", ".join(item.categories)),
            *([plain_text(item.owner)] if owned else ()),
            _state(item, now),
            _day(item.publish_time) if item.HasField("publish_time") else "",
        )
    return table


def item_fields(item: item_pb2.Item, now: Timestamp) -> Table:
    """Return all that is known of an item, a field a row."""
    table = Table(box=SIMPLE_HEAD, show_header=False)
    rows = [
        ("item", id_text(item.item_id)),
        ("title", plain_text(item.title)),
        ("description", plain_text(item.description)),
        ("categories", plain_text(", ".join(item.categories))),
        ("tags", plain_text(", ".join(item.tags))),
        *((f"number {name}", Text(f"{item.numbers[name]}")) for name in sorted(item.numbers)),
        ("owner", plain_text(item.owner)),
        ("state", _state(item, now)),
        ("published", _moment(item, "publish_time")),
        ("expires", _moment(item, "expire_time")),
        ("changed", _moment(item, "update_time")),
    ]
    for name, text in rows:
        if text:
            table.add_row(plain_text(name, "dim"), text)
    return table


def outcome_table(outcomes: Sequence[tuple[item_pb2.Item, str]]) -> Table:
    """Return what became of items."""
    table = Table("item", "title", "", box=SIMPLE_HEAD)
    for item, outcome in outcomes:
        table.add_row(id_text(item.item_id), plain_text(item.title), outcome)
    return table


def id_text(item_id: str) -> Text:
    """Return an id as it is shown; in quotes when its spaces could not be seen otherwise."""
    quoted = item_id != item_id.strip() or "  " in item_id
    return plain_text(f'"{item_id}"' if quoted else item_id)


def plain_text(text: str, style: str = "") -> Text:
    """Return text that shows just it, on one line: it is no markup, and moves no cursor."""
    return Text(
        "".join(
            one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
        ),
        style,
    )


def _state(item: item_pb2.Item, now: Timestamp) -> Text:
    if item.HasField("available") and not item.available:
        return Text("hidden", "yellow")
    if not item.HasField("expire_time"):
        return Text("shown")
    if item.expire_time.ToNanoseconds() <= now.ToNanoseconds():
        return Text(f"expired {_day(item.expire_time)}", "yellow")
    return Text(f"shown until {_day(item.expire_time)}")


def _day(time: Timestamp) -> str:
    return time.ToJsonString()[:10]


def _moment(
    item: item_pb2.Item, field: Literal["publish_time", "expire_time", "update_time"]
) -> Text:
    time: Timestamp = getattr(item, field)
    return Text(time.ToJsonString() if item.HasField(field) else "")
