"""A made history, and how it is put together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.dataset.history.events import Events
from services.evaluation.protocol import Repeats

DAY = 86_400.0
FIRST_SECOND = 1_700_000_000
"""When made histories begin: a Tuesday in November 2023, 22:13 UTC."""
Doubles = npt.NDArray[np.float64]


class Act(NamedTuple):
    """What somebody did: seconds since the beginning of the history, numbers of who and what."""

    second: float
    user: int
    item: int


@dataclass(frozen=True, slots=True)
class History:
    """Events, and whether rankings over them hold what the user had before.

    sessions: its users are anonymous sessions.
    """

    name: str
    events: Events
    repeats: Repeats
    sessions: bool = False


def events_of(acts: Iterable[Act], kind: str, prefix: str = "u") -> Events:
    """Return what was done as events of one type, in order of time; of one time as it came."""
    rows = sorted(acts, key=lambda act: act.second)
    users, user_of = np.unique([act.user for act in rows], return_inverse=True)
    items, item_of = np.unique([act.item for act in rows], return_inverse=True)
    seconds = np.array([act.second for act in rows], np.float64)
    return Events(
        user_ids=[f"{prefix}{user}" for user in users.tolist()],
        item_ids=[f"i{item}" for item in items.tolist()],
        types=[kind],
        users=user_of.astype(np.int32),
        items=item_of.astype(np.int32),
        kinds=np.zeros(len(rows), np.int16),
        values=np.full(len(rows), np.nan),
        times_us=((FIRST_SECOND + seconds) * 1e6).astype(np.int64),
    )


def skewed(chance: np.random.Generator, count: int, exponent: float) -> Doubles:
    """Return shares [count] that sum to 1, rank^-exponent (Zipf), in any order."""
    ranks = 1.0 + chance.permutation(count)
    shares: Doubles = np.power(ranks, -exponent).astype(np.float64)
    shares /= shares.sum()
    return shares


def drawn(chance: np.random.Generator, weights: Doubles) -> int:
    """Return an index, drawn by weights [n] that need not sum to 1."""
    sums = np.cumsum(weights)
    return int(sums.searchsorted(chance.random() * sums[-1], side="right").clip(0, sums.size - 1))


def hour_of_waking(chance: np.random.Generator) -> float:
    """Return a second of the day, most of them in the evening, few at night."""
    return float(np.clip(chance.normal(18.0, 4.0), 0.5, 23.9)) * 3600.0
