"""At least so many of some items: when a place has to be kept for them."""

from collections.abc import Mapping, Sequence
from math import ceil, inf

import numpy as np

from services.common.arrays import Bools, Ordinals
from services.ranker.domain.selection.limits import equal_to_any
from services.ranker.domain.selection.plan import AtLeast
from services.ranker.domain.selection.selection import Lost

_ROUNDING = 1e-9
"""0.1 * 30 is a little above 3, and means 3."""

_MANY = 6
"""With more rules whose items are missing than that, a place is kept for any of them."""


class Minimums:
    """All of them, while a slate grows.

    A place is kept for their items only when there are no more places left than they need, so
    the best stand first, and what was promised comes last if it is not among the best anyway.
    """

    def __init__(self, rules: Sequence[AtLeast], places: int) -> None:
        self.rules = rules
        self._wanted = [wanted(rule, places) for rule in rules]
        self._missing = list(self._wanted)
        self._total = sum(self._wanted)

    def take(self, item: int) -> None:
        """Count an item."""
        if self._total:
            for number, rule in enumerate(self.rules):
                if rule.items[item] and self._missing[number] > 0:
                    self._missing[number] -= 1
                    self._total -= 1

    def missing(self, number: int) -> int:
        """Return how many items of a rule are still to come."""
        return self._missing[number]

    def narrowed(self, allowed: Bools, places: int) -> Bools:
        """Return which of the candidates [n] may be taken, so that the rest still has its places.

        places: how many are left, from 1, this one with them, those of pins without.
        """
        if self._total < places:
            return allowed
        rules = [number for number, count in enumerate(self._missing) if count > 0]
        if 1 < len(rules) <= _MANY:
            return self._narrowed_by(rules, allowed, places)
        items = np.logical_or.reduce([self.rules[number].items for number in rules])
        narrowed: Bools = allowed & items
        # Less than the places left: what there is of them fits in below, too.
        return narrowed if np.count_nonzero(narrowed) >= places else allowed

    def lost(self) -> list[Lost]:
        """Return the rules of which something is missing."""
        return lost_minimums(self.rules, self._wanted, self._missing)

    def _narrowed_by(self, rules: Sequence[int], allowed: Bools, places: int) -> Bools:
        # Items of one kind do the same for all the rules: one bit for each that it counts for.
        kinds: Ordinals = np.zeros(allowed.size, dtype=np.int64)
        for bit, number in enumerate(rules):
            kinds += self.rules[number].items.astype(np.int64) << bit
        counts = np.bincount(kinds[allowed], minlength=1 << len(rules)).tolist()
        stock = {kind: count for kind, count in enumerate(counts) if kind and count}
        missing = _affordable([self._missing[number] for number in rules], stock, places)
        if _places_for(missing, stock) < places:
            return allowed
        helpful = [kind for kind in stock if _helps(kind, missing, stock, places)]
        return allowed & equal_to_any(kinds, helpful)


def wanted(rule: AtLeast, places: int) -> int:
    """Return how many items there are to be at least."""
    return max(rule.count, ceil(rule.share * places - _ROUNDING))


def lost_minimums(
    rules: Sequence[AtLeast], wanted: Sequence[int], missing: Sequence[int]
) -> list[Lost]:
    """Return the rules of which something is missing."""
    return [
        Lost(rule.rule, f"{least - short} of {least}: there were too few items or slots")
        for rule, least, short in zip(rules, wanted, missing, strict=True)
        if short > 0
    ]


def _affordable(wanted: Sequence[int], stock: Mapping[int, int], places: int) -> list[int]:
    """Return how many of each rule fit into the places, those of rules named first first."""
    if _places_for(wanted, stock) <= places:
        return list(wanted)
    missing = [0] * len(wanted)
    for number, count in enumerate(wanted):
        fits, does_not = 0, min(count, places) + 1
        while does_not - fits > 1:
            missing[number] = (fits + does_not) // 2
            if _places_for(missing, stock) <= places:
                fits = missing[number]
            else:
                does_not = missing[number]
        missing[number] = fits
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
    while wanted := sum(1 << rule for rule, count in enumerate(missing) if count > 0):
        kind = max(stock, key=lambda kind: (kind & wanted).bit_count(), default=0)
        counts_for = [rule for rule in range(len(missing)) if kind & wanted & 1 << rule]
        if not counts_for:
            return inf
        times = min(stock[kind], *(missing[rule] for rule in counts_for))
        stock[kind] -= times
        if not stock[kind]:
            del stock[kind]
        taken += times
        for rule in counts_for:
            missing[rule] -= times
    return taken
