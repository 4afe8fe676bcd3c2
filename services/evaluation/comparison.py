"""`full` against `frozen_state`, event by event, for all events and for parts of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.evaluation.metrics import Metrics, MetricSums, ratio

ALL = "all"
NEW_USERS = "new users"
"""Users without an event before the split."""
KNOWN_USERS = "known users"
NEW_ITEMS = "new items"
"""Events on items that had no event before the split."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms over the same events."""

    full: Metrics
    frozen_state: Metrics

    @property
    def ndcg_ratio(self) -> float | None:
        """NDCG of `full` over that of `frozen_state`; None when the latter is 0."""
        return ratio(self.full.ndcg, self.frozen_state.ndcg)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Means over all events scored until then."""

    events: int
    full_ndcg: float
    frozen_ndcg: float


class Comparison:
    """Adds up both arms, and keeps the curve of their running NDCG."""

    def __init__(
        self,
        users_before: frozenset[str],
        items_before: frozenset[str],
        curve_every: int = 100,
    ) -> None:
        """Tell parts by who and what was there before the split."""
        self._users_before = users_before
        self._items_before = items_before
        self._curve_every = curve_every
        self._sums = {
            part: (MetricSums(), MetricSums()) for part in (ALL, NEW_USERS, KNOWN_USERS, NEW_ITEMS)
        }
        self._curve: list[CurvePoint] = []

    @property
    def curve(self) -> Sequence[CurvePoint]:
        """Points of the curve, one per `curve_every` events, oldest first."""
        return self._curve

    def add(self, user: str, item: str, full: int | None, frozen_state: int | None) -> None:
        """Count one event with the rank of its item in each arm, None beyond the slate."""
        parts = [ALL, KNOWN_USERS if user in self._users_before else NEW_USERS]
        if item not in self._items_before:
            parts.append(NEW_ITEMS)
        for part in parts:
            sums = self._sums[part]
            sums[0].add(full)
            sums[1].add(frozen_state)
        whole = self.pair(ALL)
        if whole.full.events % self._curve_every == 0:
            self._curve.append(
                CurvePoint(whole.full.events, whole.full.ndcg, whole.frozen_state.ndcg)
            )

    def pair(self, part: str) -> Pair:
        """Return the means of one part so far.

        Raises:
            KeyError: there is no such part.

        """
        full, frozen_state = self._sums[part]
        return Pair(full.means(), frozen_state.means())

    def parts(self) -> Mapping[str, Pair]:
        """Return the means of all parts so far."""
        return {part: self.pair(part) for part in self._sums}
