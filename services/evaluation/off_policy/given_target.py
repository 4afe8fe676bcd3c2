"""A target policy that is known by its probabilities on logged slates only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Float64s
from services.evaluation.off_policy.logged_slate import LoggedSlate
from services.evaluation.off_policy.weighed_slate import WeighedSlate

_UNKNOWN = "of a target that is given as a table only what it says is known"


@dataclass(frozen=True, slots=True)
class GivenTarget:
    """Probabilities by slate, and by place (from 0) and item: each given the items above as logged.

    Items that a table does not name are not shown by the target.
    """

    name: str
    probabilities: Mapping[str, Mapping[tuple[int, str], float]]

    def weighed(self, slate: LoggedSlate) -> WeighedSlate | None:
        """Return a slate against the target; None: the table does not name it."""
        own = self.probabilities.get(slate.slate_id)
        if own is None:
            return None
        chosen = np.array(
            [own.get((place, item), 0.0) for place, item in enumerate(slate.item_ids)]
        )
        nothing = np.zeros((chosen.size, 0))
        return WeighedSlate(
            slate.user,
            chosen / slate.propensities,
            slate.rewards,
            nothing,
            nothing,
            self._unmet(slate, chosen),
            None,
            None,
            _UNKNOWN,
            _UNKNOWN,
            _UNKNOWN,
            np.nan,
        )

    def _unmet(self, slate: LoggedSlate, chosen: Float64s) -> Float64s:
        """Return what is certainly unmet: the rest, where a place was decided without chance."""
        if not (slate.propensities >= 1).all():
            return np.full(chosen.size, np.nan)
        return 1.0 - chosen
