"""Where in their history, and in their session, users are: what is popular depends on it.

Newcomers and regulars, openers and followers of a session do different things. The learner counts
events by place, the ranker looks up what is popular at a user's place: both here, so alike.
"""

import numpy as np
import numpy.typing as npt

PLACES = 7
"""Places of each kind: 0, 1..2, 3..6, 7..14, 15..30, 31..62 items before, and more."""
SESSION_GAP_US = 30 * 60 * 1_000_000
"""A session ends with a pause of more than half an hour (as in web analytics)."""

Ints = npt.NDArray[np.int64]


def place(items_before: Ints) -> Ints:
    """Return the place [n], 0 to PLACES - 1, of what comes after so many items [n]."""
    # log2 of the powers of two is exact.
    return np.minimum(np.log2(1 + items_before), PLACES - 1).astype(np.int64)


def session_items(times_us: Ints, held: npt.NDArray[np.bool_], now_us: Ints) -> Ints:
    """Return how many of the recent items [n, l], latest first, belong to the session of now [n].

    held: [n, l], False is padding.
    """
    later = np.concatenate([now_us[:, np.newaxis], times_us[:, :-1]], axis=1)
    near = held & (later - times_us <= SESSION_GAP_US)
    counts: Ints = np.cumprod(near, axis=1).sum(axis=1)
    return counts
