"""What baselines are fitted on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.system.timeline import Codes, Ints


@dataclass(frozen=True, slots=True)
class TrainPart:
    """Positive events before the split, in order of time: users, items, times_us [n].

    n_users, n_items: of the whole history; what has no event here is in none of the columns.
    """

    users: Codes
    items: Codes
    times_us: Ints
    n_users: int
    n_items: int

    def __len__(self) -> int:
        return int(self.users.size)

    def slice(self, begin: int, end: int) -> "TrainPart":
        """Return a part of it, as views."""
        part = slice(begin, end)
        return TrainPart(
            self.users[part], self.items[part], self.times_us[part], self.n_users, self.n_items
        )

    def counts(self) -> npt.NDArray[np.int64]:
        """Return events per item, [n_items]."""
        return np.bincount(self.items, minlength=self.n_items)

    def by_user(self) -> tuple[Ints, Ints]:
        """Return events [n] user by user, oldest first, and where users begin [n_users + 1]."""
        order = np.argsort(self.users, kind="stable")
        begins = np.concatenate([[0], np.cumsum(np.bincount(self.users, minlength=self.n_users))])
        return order, begins.astype(np.int64)
