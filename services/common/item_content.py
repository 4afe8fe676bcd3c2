"""What of an item of the catalogue is content."""

from harken.feedback.v1 import item_pb2
from services.common.content_features import Content


def content_of(item: item_pb2.Item) -> Content:
    """Return what of an item decides where its vector starts."""
    return Content(
        item_id=item.item_id,
        title=item.title,
        description=item.description,
        categories=tuple(item.categories),
        tags=tuple(item.tags),
        numbers=dict(item.numbers),
    )


def item_with(content: Content) -> item_pb2.Item:
    """Return an item that has this content, and nothing else."""
    return item_pb2.Item(
        item_id=content.item_id,
        title=content.title,
        description=content.description,
        categories=content.categories,
        tags=content.tags,
        numbers=content.numbers,
    )
