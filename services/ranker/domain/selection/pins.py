"""Which item each pin puts where."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from services.common.arrays import Float64s
from services.ranker.domain.selection.plan import Pin
from services.ranker.domain.selection.selection import Lost


class Loss(IntEnum):
    """Why a pin was lost."""

    BEHIND = 1
    TAKEN = 2
    NONE_SHOWN = 3
    ALL_PINNED = 4


class Pinned(NamedTuple):
    """A candidate that a rule put at a place."""

    item: int
    rule: str


def lost_pin(pin: Pin, why: Loss, places: int, other: str = "") -> Lost:
    """Return a lost pin in words. other: who has its slot, where that is why."""
    match why:
        case Loss.BEHIND:
            return Lost(pin.rule, f"the slate ends at slot {places}")
        case Loss.TAKEN:
            return Lost(pin.rule, f"the slot is that of {other}")
        case Loss.NONE_SHOWN:
            return Lost(pin.rule, "none of its items may be shown")
        case Loss.ALL_PINNED:
            return Lost(pin.rule, "its items are pinned to other slots")


def pinned_items(
    pins: Sequence[Pin], utilities: Float64s, places: int
) -> tuple[dict[int, Pinned], list[Lost]]:
    """Return what is pinned by place, and which pins were lost.

    utilities: [n], after boosts. It is decided before any place is, and without chance: an
    item waits for its place, so it does not stand above it.
    """
    at: dict[int, Pinned] = {}
    left = np.ones(utilities.size, dtype=np.bool_)
    lost = []
    for pin in pins:
        if pin.place >= places:
            lost.append(lost_pin(pin, Loss.BEHIND, places))
        elif (other := at.get(pin.place)) is not None:
            if pin.items[other.item]:
                continue
            lost.append(lost_pin(pin, Loss.TAKEN, places, other.rule))
        elif not pin.items.any():
            lost.append(lost_pin(pin, Loss.NONE_SHOWN, places))
        elif not (eligible := pin.items & left).any():
            lost.append(lost_pin(pin, Loss.ALL_PINNED, places))
        else:
            item = int(np.where(eligible, utilities, -np.inf).argmax())
            left[item] = False
            at[pin.place] = Pinned(item, pin.rule)
    return at, lost
