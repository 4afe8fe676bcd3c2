"""At least so many of some items: when a place has to be kept for them."""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np

from services.common.arrays import Bools, Ordinals
from services.ranker.domain.selection.plan import AtLeast
from services.ranker.domain.selection.selection import Lost

_ROUNDING = 1e-9
"""0.1 * 30 is a little above 3, and means 3."""


class Minimums:
    """All of them, while a slate grows.

    A place is kept for their items only when there are no more places left than they need, so
    the best stand first, and what was promised comes last if it is not among the best anyway.
    """

    def __init__(self, rules: Sequence[AtLeast], places: int) -> None:
        self.rules = rules
        self._wanted = [max(rule.count, ceil(rule.share * places - _ROUNDING)) for rule in rules]
        self._missing = list(self._wanted)
        self._total = sum(self._wanted)
        self._kinds: Ordinals | None = None

    def take(self, item: int) -> None:
        """Count an item."""
        if self._total:
            for number, rule in enumerate(self.rules):
                if rule.items[item] and self._missing[number] > 0:
                    self._missing[number] -= 1
                    self._total -= 1

    def narrowed(self, allowed: Bools, places: int) -> Bools:
        """Return which of the candidates [n] may be taken, so that the rest still has its places.

        places: how many are left, from 1, this one with them, those of pins without.
        """
        if self._total < places:
            return allowed
        kinds = self._kinds_of_items()
        found, counts = np.unique(kinds[allowed], return_counts=True)
        stock = dict(zip(found.tolist(), counts.tolist(), strict=True))
        missing = _affordable(self._missing, stock, places)
        if _places_for(missing, stock) < places:
            return allowed
        helpful = [kind for kind in stock if _helps(kind, missing, stock, places)]
        return allowed & np.isin(kinds, helpful)

    def lost(self) -> list[Lost]:
        """Return the rules of which something is missing."""
        return [
            Lost(rule.rule, f"{wanted - missing} of {wanted}: there were too few items or slots")
            for rule, wanted, missing in zip(self.rules, self._wanted, self._missing, strict=True)
            if missing > 0
        ]

    def _kinds_of_items(self) -> Ordinals:
        """Return [n] numbers with bit r for rule r: items of one kind do the same for all rules."""
        if self._kinds is None:
            self._kinds = np.zeros(self.rules[0].items.size, dtype=np.int64)
            for number, rule in enumerate(self.rules):
                self._kinds |= rule.items.astype(np.int64) << number
        return self._kinds


def _affordable(wanted: Sequence[int], stock: Mapping[int, int], places: int) -> list[int]:
    """Return how many of each rule fit into the places, those of rules named first first."""
    missing = [0] * len(wanted)
    for number, count in enumerate(wanted):
        for fewer in range(count, 0, -1):
            missing[number] = fewer
            if _places_for(missing, stock) <= places:
                break
        else:
            missing[number] = 0
    return missing


def _helps(kind: int, missing: Sequence[int], stock: Mapping[int, int], places: int) -> bool:
    """Return whether what is missing without an item of a kind fits into one place less."""
    less = [count - (kind >> rule & 1) for rule, count in enumerate(missing)]
    return _places_for(less, {**stock, kind: stock[kind] - 1}) < places


def _places_for(missing: Sequence[int], stock: Mapping[int, int]) -> float:
    """Return how many items it takes to have of each rule what is missing; inf: there are too few.

    Items that count for most rules are taken first. That is the least there can be where no
    rules overlap, or one holds another; else it may be a little more.
    """
    missing, stock = list(missing), dict(stock)
    taken = 0
    while True:
        wanted = sum(1 << rule for rule, count in enumerate(missing) if count > 0)
        if not wanted:
            return taken
        kind = max(stock, key=lambda kind: (kind & wanted).bit_count() if stock[kind] > 0 else 0)
        counts_for = [rule for rule in range(len(missing)) if kind & wanted & 1 << rule]
        if stock[kind] <= 0 or not counts_for:
            return float("inf")
        times = min(stock[kind], *(missing[rule] for rule in counts_for))
        stock[kind] -= times
        taken += times
        for rule in counts_for:
            missing[rule] -= times
