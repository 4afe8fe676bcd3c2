"""Pins that cannot all stand, and which of them does."""

from collections import defaultdict
from collections.abc import Sequence

from harken.feedback.v1 import surface_pb2 as pb
from services.feedback.surfaces.description.words import joined, quoted


def pin_conflicts(rules: Sequence[pb.Rule]) -> list[str]:
    """Return which pin yields where several want one place, or one item at several; and when one is
    lost by itself.
    """
    pins = [rule for rule in rules if rule.WhichOneof("kind") == "pin"]
    by_slot: defaultdict[int, list[str]] = defaultdict(list)
    by_item: defaultdict[str, list[pb.Rule]] = defaultdict(list)
    for rule in pins:
        by_slot[rule.pin.slot].append(quoted(rule.name))
        if rule.pin.WhichOneof("what") == "item_id":
            by_item[rule.pin.item_id].append(rule)
    found = [
        f"Rules {joined(names)} are for the same place, {slot}: of those that apply and can be"
        " followed the first stands there, and the others yield to it."
        for slot, names in sorted(by_slot.items())
        if len(names) > 1
    ]
    found += [
        f"Rules {joined([quoted(one.name) for one in of_item])} are for the same item,"
        f" {quoted(item)}: of those that apply and can be followed the first says where it stands,"
        " and the others yield to it."
        for item, of_item in sorted(by_item.items())
        if len({one.pin.slot for one in of_item}) > 1
    ]
    if pins:
        found.append(
            "A pinned place behind the end of a slate, or whose items may not be shown, is lost."
        )
    return found
