"""Rules that bar items: at most so many of some, or of those with one value of an attribute."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.arrays import Bools, Ordinals
from services.ranker.domain.selection.plan import AtMost, Cap
from services.ranker.domain.selection.selection import Lost

Codes = npt.NDArray[np.int32]

_FEW = 8
"""Up to so many, one comparison after the other is faster than looking values up."""


class Limit(Protocol):
    """One such rule, while a slate grows."""

    @property
    def rule(self) -> str:
        """Return its name."""
        ...

    @property
    def closed(self) -> Bools | None:
        """Return which candidates [n] it bars now; None: none. A new array when that changes."""
        ...

    @property
    def codes(self) -> Codes | None:
        """Return the value of each candidate [n], -1 is none; None: they may have several."""
        ...

    def room(self, code: int) -> int:
        """Return how many more items with a value >= 0 there may be."""
        ...

    def take(self, item: int) -> bool:
        """Count an item; return whether more are barred now."""
        ...


class _AtMostLimit:
    def __init__(self, at_most: AtMost) -> None:
        self.rule = at_most.rule
        self._items = at_most.items
        self._left = at_most.count
        self.closed = at_most.items if self._left <= 0 else None

    @cached_property
    def codes(self) -> Codes | None:
        return self._items.astype(np.int32) - 1

    def room(self, code: int) -> int:
        return max(self._left, 0)

    def take(self, item: int) -> bool:
        if not self._items[item]:
            return False
        self._left -= 1
        if self._left != 0:
            return False
        self.closed = self._items
        return True


class _CapLimit:
    def __init__(self, cap: Cap, size: int) -> None:
        self.rule = cap.rule
        self._cap = cap
        self._size = size
        self._counts = dict(cap.used)
        self._holders: Ordinals | None = None
        self.closed: Bools | None = None
        self._close([code for code, count in cap.used.items() if code >= 0 and count >= cap.most])

    @property
    def codes(self) -> Codes | None:
        return self._cap.codes if self._cap.starts is None else None

    def room(self, code: int) -> int:
        return max(self._cap.most - self._counts.get(code, 0), 0)

    def take(self, item: int) -> bool:
        full = []
        for code in self._codes_of(item):
            count = self._counts.get(code, 0) + 1
            self._counts[code] = count
            if count == self._cap.most:
                full.append(code)
        return self._close(full)

    def _codes_of(self, item: int) -> list[int]:
        starts = self._cap.starts
        if starts is None:
            code = int(self._cap.codes[item])
            return [] if code < 0 else [code]
        codes: list[int] = self._cap.codes[starts[item] : starts[item + 1]].tolist()
        return [code for code in codes if code >= 0]

    def _close(self, codes: Sequence[int]) -> bool:
        if not codes:
            return False
        held = equal_to_any(self._cap.codes, codes)
        if not held.any():
            return False
        if self._cap.starts is not None:
            if self._holders is None:
                self._holders = np.repeat(np.arange(self._size), np.diff(self._cap.starts))
            items = np.zeros(self._size, dtype=np.bool_)
            items[self._holders[held]] = True
            held = items
        self.closed = held if self.closed is None else self.closed | held
        return True


def equal_to_any(values: npt.NDArray[np.integer], wanted: Sequence[int]) -> Bools:
    """Return which values are among those wanted, of which there are some."""
    if len(wanted) > _FEW:
        return np.isin(values, wanted)
    equal: Bools = values == wanted[0]
    for one in wanted[1:]:
        equal |= values == one
    return equal


class Limits:
    """All of them. At-most rules go before caps, and of each kind those named first."""

    def __init__(self, at_most: Iterable[AtMost], caps: Iterable[Cap], size: int) -> None:
        self.all: tuple[Limit, ...] = (
            *(_AtMostLimit(rule) for rule in at_most),
            *(_CapLimit(cap, size) for cap in caps),
        )
        self.lost: dict[str, Lost] = {}
        self._closed: Bools | None = None
        for limit in self.all:
            self._close(limit)

    def take(self, item: int, why: str) -> None:
        """Count an item; `why` it is taken is why a rule that bars it yields."""
        for limit in self.all:
            if limit.closed is not None and limit.closed[item]:
                self.lost.setdefault(limit.rule, Lost(limit.rule, why))
            if limit.take(item):
                self._close(limit)

    def allowed(self, free: Bools) -> Bools:
        """Return which of the free candidates [n], of which there are some, may be taken.

        There always are some: where rules together leave none, each is kept in its turn as far as
        it leaves some.
        """
        if self._closed is None:
            return free
        allowed: Bools = free > self._closed
        if allowed[allowed.argmax()]:
            return allowed
        for limit in self.all:
            if limit.closed is not None:
                allowed = free > limit.closed
                if allowed[allowed.argmax()]:
                    free = allowed
        return free

    def kept_away(self, better: Bools) -> list[tuple[str, int]]:
        """Return the rules that bar some of the candidates [n] now, and how many."""
        found = []
        for limit in self.all:
            if limit.closed is not None:
                count = int(np.count_nonzero(limit.closed & better))
                if count:
                    found.append((limit.rule, count))
        return found

    def _close(self, limit: Limit) -> None:
        # What a limit bars it goes on barring.
        if limit.closed is not None:
            self._closed = limit.closed if self._closed is None else self._closed | limit.closed
