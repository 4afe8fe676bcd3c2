"""A history of events in columns: what training and evaluation work on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]
Kinds = npt.NDArray[np.int16]
Values = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Events:
    """Events in ascending order of time; events of one time keep the order they came in.

    `users`, `items` and `kinds` [n] are indices into `user_ids`, `item_ids` and `types`. `values`
    [n]: NaN where there is none. `times_us` [n]: unix microseconds. `rejected`: rows of the source
    that are not here, by reason; `duplicates`: those whose event id came before. Ids of sessions
    are "session:" and the session's id.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    types: Sequence[str]
    users: Codes
    items: Codes
    kinds: Kinds
    values: Values
    times_us: Times
    rejected: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0

    def __len__(self) -> int:
        return int(self.users.shape[0])

    def head(self, count: int) -> Self:
        """Return the first `count` events (all when there are fewer); ids stay as they are."""
        return self.slice(0, count)

    def slice(self, begin: int, end: int) -> Self:
        """Return events `begin` to `end`, as views; ids stay as they are."""
        part = slice(begin, end)
        return replace(
            self,
            users=self.users[part],
            items=self.items[part],
            kinds=self.kinds[part],
            values=self.values[part],
            times_us=self.times_us[part],
        )
