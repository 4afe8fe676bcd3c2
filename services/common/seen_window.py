"""Which of what a user did is remembered as seen: one rule for all who remember it."""

import numpy as np
import numpy.typing as npt

SEEN_LENGTH = 5000

_Ints = npt.NDArray[np.int64]


def newest_seen(items: npt.NDArray[np.integer], kinds: npt.NDArray[np.integer]) -> _Ints:
    """Return the places, ascending, of what is kept.

    `items` >= 0 and `kinds` (int16), both [n], are of events in ascending order of event time, of
    equal times in log order. Kept is the last event of each of the last 5000 pairs of item and
    kind, and of each of the last 5000 items. So what was once left out need not be known when more
    events come: where one of them is late enough for its pair or item to be kept, it is the last.
    """
    size = items.size
    pairs = (items.astype(np.int64) << 16) | (kinds.astype(np.int64) & 0xFFFF)
    from_the_end = np.union1d(_last_of_each(pairs), _last_of_each(items))
    return (size - 1 - from_the_end)[::-1].astype(np.int64)


def _last_of_each(values: npt.NDArray[np.integer]) -> _Ints:
    """Return where the last 5000 distinct values come last, counted from the end."""
    _, first = np.unique(values[::-1], return_index=True)
    return np.sort(first)[:SEEN_LENGTH].astype(np.int64)
