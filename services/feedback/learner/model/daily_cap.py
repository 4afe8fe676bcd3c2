"""How much of what all users share one user may move in a day.

Beyond that many events of one UTC day (of the events' own times, so that an import of a long
history is not one day), events still count for the user himself: his items, his vector, his
counters. They move no item vector, rule or popularity, and are not compared on. A day ends when the
user's first event of a later one comes; late events count for the day that it is.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.common.compiled_loops import CompiledLoops
from services.feed.parameters import Flags, Ints

_DAY_US = 86_400_000_000
_NO_DAY = np.iinfo(np.int32).min
_FIRST_CAPACITY = 1024
_FEW = 16
"""Up to so many events, one after the other is faster than all at once."""
_REMEMBERED = 30
"""Stretches of events beyond the cap that are known of a user, for retractions."""


class Stretch(NamedTuple):
    """Events of a user beyond the cap: first and last log sequence."""

    first: int
    last: int


class DailyCap:
    """Per user row: the latest day, its events, and the stretches that were beyond the cap."""

    def __init__(self, cap: int, core: CompiledLoops | None = None) -> None:
        """Let at most `cap` events a day through, >= 1."""
        self._cap = cap
        self._core = core
        self._days: npt.NDArray[np.int32] = np.full(_FIRST_CAPACITY, _NO_DAY, np.int32)
        self._counts: npt.NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)
        self._beyond: dict[int, list[Stretch]] = {}

    def admit(self, rows: Ints, times_us: Ints, sequences: Ints, teach: Flags) -> Flags:
        """Count events [n], in order, and return which of them [n] may move what is shared.

        Those that do not `teach` are not counted, and not admitted.
        """
        admitted = teach.copy()
        if not teach.any():
            return admitted
        self._fit(int(rows.max()) + 1)
        if self._core is not None:
            beyond, goes_on = self._core.admit_events(
                self._days, self._counts, self._cap, rows, times_us, teach, admitted
            )
            for index, further in zip(beyond.tolist(), goes_on.tolist(), strict=True):
                self._note_beyond(int(rows[index]), int(sequences[index]), bool(further))
            return admitted
        days = (times_us // _DAY_US).astype(np.int32)
        if rows.size <= _FEW:
            for index in teach.nonzero()[0].tolist():
                admitted[index] = self._admit(
                    int(rows[index]), int(days[index]), int(sequences[index])
                )
            return admitted
        own, place = np.unique(rows[teach], return_inverse=True)
        most = np.bincount(place)
        # Nearly always: nobody comes near the cap, and nobody's day changes within the step.
        latest = np.full(own.size, _NO_DAY, np.int32)
        np.maximum.at(latest, place, days[teach])
        newer = latest > self._days[own]
        crossing = newer & (np.bincount(place, days[teach] == latest[place]) < most)
        kept = np.where(newer, 0, self._counts[own])
        plain = ~crossing & (kept + most <= self._cap)
        self._days[own[plain]] = np.maximum(self._days[own[plain]], latest[plain])
        self._counts[own[plain]] = (kept + most)[plain]
        for index in np.flatnonzero(teach)[~plain[place]].tolist():
            admitted[index] = self._admit(int(rows[index]), int(days[index]), int(sequences[index]))
        return admitted

    def _admit(self, row: int, day: int, sequence: int) -> bool:
        if day > self._days[row]:
            self._days[row], self._counts[row] = day, 0
        if self._counts[row] < self._cap:
            self._counts[row] += 1
            # The next one beyond begins a stretch of its own.
            return True
        # More than one beyond: the cap was higher then, and what it let through is in no stretch.
        self._note_beyond(row, sequence, bool(self._counts[row] == self._cap + 1))
        self._counts[row] = self._cap + 1
        return False

    def _note_beyond(self, row: int, sequence: int, goes_on: bool) -> None:
        """Remember an event beyond the cap; `goes_on`: the one before was beyond it, too."""
        own = self._beyond.setdefault(row, [])
        if own and goes_on:
            own[-1] = Stretch(own[-1].first, sequence)
        else:
            own.append(Stretch(sequence, sequence))
            del own[:-_REMEMBERED]

    def admitted(self, row: int, sequence: int) -> bool:
        """Return whether an event of a user moved what is shared, as far as it is known."""
        return not any(part.first <= sequence <= part.last for part in self._beyond.get(row, ()))

    def contents(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return days since 1970 (long before: none) and counts [n]."""
        self._fit(int(rows.max(initial=-1)) + 1)
        return self._days[rows].astype(np.int64), self._counts[rows].astype(np.int64)

    def beyond(self, row: int) -> list[Stretch]:
        """Return the stretches of a user that were beyond the cap, oldest first."""
        return self._beyond.get(row, [])

    def restore(self, rows: Ints, days: Ints, counts: Ints) -> None:
        """Set days and counts [n], as `contents` gave them."""
        self._fit(int(rows.max(initial=-1)) + 1)
        self._days[rows], self._counts[rows] = days, counts

    def restore_beyond(self, row: int, stretch: Stretch) -> None:
        """Add a stretch, oldest first."""
        self._beyond.setdefault(row, []).append(stretch)

    def clear(self, row: int) -> None:
        """Forget what is known of a user."""
        self._fit(row + 1)
        self._days[row], self._counts[row] = _NO_DAY, 0
        self._beyond.pop(row, None)

    def _fit(self, size: int) -> None:
        have = self._days.shape[0]
        if size > have:
            more = max(size - have, have)
            self._days = np.concatenate([self._days, np.full(more, _NO_DAY, np.int32)])
            self._counts = np.concatenate([self._counts, np.zeros(more, np.int32)])
