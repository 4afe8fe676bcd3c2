"""A field that is a time."""

from collections.abc import Sequence

import numpy as np

from services.common.arrays import Bools, Ordinals, grown
from services.common.expressions.columns import Times


class TimeColumn:
    """Unix microseconds."""

    def __init__(self) -> None:
        self._us: Ordinals = np.zeros(0, np.int64)
        self._present: Bools = np.zeros(0, np.bool_)

    def assign(self, ordinals: Ordinals, times: Sequence[int | None]) -> None:
        """Set the times of distinct items; None: it has none."""
        there = np.fromiter((one is not None for one in times), np.bool_, len(times))
        last = int(ordinals[there].max(initial=-1))
        if last >= self._us.size:
            self._grow(last + 1)
        held = ordinals < self._us.size
        self._us[ordinals[there]] = [one for one in times if one is not None]
        self._present[ordinals[held]] = there[held]

    def column(self, size: int) -> Times:
        """Return the times of all ordinals below `size`."""
        self._grow(size)
        return Times(self._us[:size], self._present[:size])

    def _grow(self, size: int) -> None:
        self._us = grown(self._us, size, 0)
        self._present = grown(self._present, size, 0)
