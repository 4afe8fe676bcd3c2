"""Items: limits, merging an update into what is stored, and content features."""

import math
from collections.abc import Set
from datetime import datetime

from google.protobuf.field_mask_pb2 import FieldMask

from harken.feedback.v1 import item_pb2
from services.common.request_limits import MAX_PATHS
from services.common.validation import Checks, id_fault, time_fault

ALL_PATHS = (
    "title", "description", "categories", "tags", "numbers", "available", "expire_time",
    "publish_time", "owner",
)  # fmt: skip
_MAX_TITLE_BYTES = 512
_MAX_DESCRIPTION_BYTES = 8 * 1024
_MAX_LABEL_BYTES = 128
_MAX_CATEGORIES = 32
_MAX_TAGS = 64
_MAX_NUMBERS = 32
_NUMBER = "numbers."
"""Goes before the name of one number in a path; all that follows is the name."""


def update_paths(checks: Checks, mask: FieldMask) -> frozenset[str]:
    """Return the fields that an update writes; all when the mask is empty."""
    if not checks.size("update_mask.paths", len(mask.paths), 0, MAX_PATHS):
        return frozenset(ALL_PATHS)
    for index, path in enumerate(mask.paths):
        one_number = path.startswith(_NUMBER) and len(path.encode()) - len(_NUMBER) > 0
        if path not in ALL_PATHS and not one_number:
            checks.fail(f"update_mask.paths[{index}]", f"{path!r} is not a field to write")
    return frozenset(mask.paths or ALL_PATHS)


def item_fault(item: item_pb2.Item) -> tuple[str, str] | None:
    """Return the field of an item that is wrong and what is wrong with it, or None."""
    fault = id_fault(item.item_id)
    if fault:
        return "item_id", f"item_id {fault}"
    for field, text, limit in (
        ("title", item.title, _MAX_TITLE_BYTES),
        ("description", item.description, _MAX_DESCRIPTION_BYTES),
    ):
        if len(text.encode()) > limit:
            return field, f"{field} is longer than {limit} bytes"
    for field, labels, limit in (
        ("categories", item.categories, _MAX_CATEGORIES),
        ("tags", item.tags, _MAX_TAGS),
        ("numbers", item.numbers, _MAX_NUMBERS),
    ):
        if len(labels) > limit:
            return field, _too_many(field, len(labels), limit)
        if any(not 0 < len(label.encode()) <= _MAX_LABEL_BYTES for label in labels):
            return field, f"an entry of {field} is empty or longer than {_MAX_LABEL_BYTES} bytes"
    if not all(math.isfinite(number) for number in item.numbers.values()):
        return "numbers", "a number is not finite"
    for field, time in (("expire_time", item.expire_time), ("publish_time", item.publish_time)):
        wrong_time = time_fault(time) if item.HasField(field) else None
        if wrong_time:
            return field, f"{field} {wrong_time}"
    wrong_owner = id_fault(item.owner) if item.owner else None
    return None if wrong_owner is None else ("owner", f"owner {wrong_owner}")


def merge_fault(item: item_pb2.Item) -> tuple[str, str] | None:
    """Return the field that an update made too large, though what was given is within limits."""
    if len(item.numbers) > _MAX_NUMBERS:
        return "numbers", _too_many("numbers", len(item.numbers), _MAX_NUMBERS)
    return None


def _too_many(field: str, count: int, limit: int) -> str:
    return f"{field} has {count} entries, at most {limit} are allowed"


def merged(
    before: item_pb2.Item | None, given: item_pb2.Item, paths: Set[str], now: datetime
) -> item_pb2.Item | None:
    """Return the item as it is to be stored, or None when nothing changes.

    An item that does not exist yet takes all given fields, whatever the paths.
    """
    after = item_pb2.Item()
    if before is None:
        after.CopyFrom(given)
        after.DiscardUnknownFields()
        if not after.HasField("publish_time"):
            after.publish_time.FromDatetime(now)
    else:
        after.CopyFrom(before)
        written = item_pb2.Item()
        written.CopyFrom(given)
        written.DiscardUnknownFields()
        # Those that there are, not those that are named: a mask may name more than any item has.
        names = {*given.numbers, *before.numbers}
        one_by_one = [name for name in names if _NUMBER + name in paths]
        for path in ("item_id", "update_time", *ALL_PATHS):
            (after if path in paths else written).ClearField(path)
        after.MergeFrom(written)
        for name in one_by_one:
            if name in given.numbers:
                after.numbers[name] = given.numbers[name]
            else:
                after.numbers.pop(name, None)
        if not after.HasField("publish_time"):
            after.publish_time.CopyFrom(before.publish_time)
        if after == before:
            return None
    after.update_time.FromDatetime(now)
    return after
