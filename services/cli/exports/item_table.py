"""Items as rows: all that UpsertItems writes."""

from harken.feedback.v1 import item_pb2
from services.cli.exports.table_writer import Column, Kind, Row

COLUMNS = (
    Column("item"), Column("title"), Column("description"), Column("categories", Kind.TEXTS),
    Column("tags", Kind.TEXTS), Column("numbers", Kind.JSON), Column("available", Kind.TRUTH),
    # As text: times of items have nanoseconds.
    Column("expire_time"), Column("publish_time"), Column("owner"),
)  # fmt: skip


def item_row(item: item_pb2.Item) -> Row:
    """Return the row of an item; times in RFC 3339, with up to nine digits of a second."""
    return (
        item.item_id,
        item.title or None,
        item.description or None,
        list(item.categories),
        list(item.tags),
        dict(sorted(item.numbers.items())),
        item.available if item.HasField("available") else None,
        item.expire_time.ToJsonString() if item.HasField("expire_time") else None,
        item.publish_time.ToJsonString() if item.HasField("publish_time") else None,
        item.owner or None,
    )
