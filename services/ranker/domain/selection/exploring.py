"""How places leave what is best, by chance that can be computed again."""

from collections.abc import Sequence

import numpy as np

from services.common.arrays import Bools, Float64s
from services.ranker.domain.selection.plan import NO_EXPLORATION, Exploration, Plan
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


def exploration_of(plan: Plan, pool: Pool) -> tuple[Exploration, Bools | None, list[Lost]]:
    """Return the exploration that there is to be, the new items [n] that a share is for, and why,
    if that is less than was asked for.
    """
    asked = plan.exploration
    new = pool.new if asked.new_share > 0 and pool.new is not None and pool.new.any() else None
    if not asked.policy.by_chance and new is None:
        return NO_EXPLORATION, None, []
    if plan.sorts:
        # What a sort shows was not decided place by place, so it has no such probability.
        lost = Lost("exploration", f"{plan.sorts[0].rule} says what stands where")
        return NO_EXPLORATION, None, [lost]
    if isinstance(asked.policy, Thompson) and pool.deviations is None:
        return (
            NO_EXPLORATION,
            None,
            [Lost("exploration", "choices have taught the order nothing yet")],
        )
    return asked, new, []


def explorer_of(
    exploration: Exploration, new: Bools | None, pool: Pool, places: int, seed: int
) -> Explorer | None:
    """Return who draws items, None: each place goes to the best."""
    if exploration is NO_EXPLORATION:
        return None
    deviations = None
    if isinstance(exploration.policy, Thompson):
        deviations = pool.deviations
    return Explorer(exploration, new, deviations, uniforms(seed, places))
