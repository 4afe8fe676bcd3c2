"""How places leave what is best, by chance that can be computed again."""

from collections.abc import Sequence

import numpy as np

from services.common.arrays import Bools, Float64s
from services.ranker.domain.selection.plan import Exploration, Plan
from services.ranker.domain.selection.policies import Thompson
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.selection import Lost
from services.ranker.domain.selection.uniforms import uniforms


class Explorer:
    """Draws an item for each place.

    new: bool [n], the new items, where a share of places is theirs.
    deviations: float64 [m, n], see policies.
    chances: of each place a number in 0..1 (below 1).
    """

    def __init__(
        self,
        exploration: Exploration,
        new: Bools | None,
        deviations: Float64s | None,
        chances: Sequence[float],
    ) -> None:
        self._policy = exploration.policy
        self._new_share = exploration.new_share
        self._new = new
        self._deviations = deviations
        self._chances = chances

    def weights(self, utilities: Float64s) -> Float64s:
        """Return weights [n] in proportion to the probabilities of candidates at a place."""
        weights = self._policy.weights(utilities, self._deviations)
        if self._new is not None:
            new = self._new & np.isfinite(utilities)
            count = np.count_nonzero(new)
            if count:
                weights *= (1.0 - self._new_share) / weights.sum()
                weights[new] += self._new_share / count
        return weights

    def draw(self, place: int, utilities: Float64s) -> tuple[int, float]:
        """Return a candidate and its probability; those with a utility [n] of -inf have none."""
        weights = self.weights(utilities)
        upto = np.add.accumulate(weights)
        total = float(upto[-1])
        # A chance is at most 1 - 2^-52, so this stays below the total, and finds a weight above 0.
        item = int(upto.searchsorted(self._chances[place] * total, "right"))
        return item, float(weights[item]) / total


def explorer_of(
    plan: Plan, pool: Pool, places: int, seed: int
) -> tuple[Explorer | None, list[Lost]]:
    """Return who draws items, None: each place goes to the best; and why, if more was asked for."""
    policy, new_share = plan.exploration.policy, plan.exploration.new_share
    new = pool.new if new_share > 0 and pool.new is not None and pool.new.any() else None
    if not policy.by_chance and new is None:
        return None, []
    if plan.sorts:
        # What a sort shows was not decided place by place, so it has no such probability.
        return None, [Lost("exploration", f"{plan.sorts[0].rule} says what stands where")]
    deviations = None
    if isinstance(policy, Thompson):
        if pool.deviations is None:
            return None, [Lost("exploration", "choices have taught the order nothing yet")]
        deviations = pool.deviations
    return Explorer(plan.exploration, new, deviations, uniforms(seed, places)), []
