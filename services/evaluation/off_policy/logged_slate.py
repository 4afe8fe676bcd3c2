"""A logged slate as off-policy evaluation sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What could stand in a slate of k items, and where.

    item_ids [n]. shown [k]: place among them of each item shown. utilities [n]: log odds that the
    order follows; NaN: none, such candidates come last. predicted: probabilities [n] by outcome.
    allowed [k, n]: which could stand at each place, given what stands above it. deviations [m, n]:
    of Thompson sampling, by how much utilities were drawn above; m is 0 for other policies.
    """

    item_ids: tuple[str, ...]
    shown: Ordinals
    utilities: Float64s
    predicted: Mapping[str, Float64s]
    allowed: Bools
    deviations: Float64s = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def free(self) -> bool:
        """Whether nothing but what stands above kept a candidate from a place."""
        above = self.allowed.copy()
        above[:] = True
        for place, item in enumerate(self.shown[:-1].tolist(), 1):
            above[place:, item] = False
        return bool((above == self.allowed).all())


@dataclass(frozen=True, slots=True)
class Exploration:
    """How chance decided: "greedy", "epsilon", "plackett_luce_temperature" or "thompson_scale".

    parameter: its probability, temperature or scale; 0 for greedy. new_item_share: of new items.
    """

    policy: str = "greedy"
    parameter: float = 0.0
    new_item_share: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class LoggedSlate:
    """A slate of k items, in order, to one user.

    propensities [k], in (0, 1]: probability of each item at its place, given those above. rewards
    [k]: what each earned. predicted: probabilities [k] by outcome. candidates: None where chance
    had no part.
    """

    slate_id: str
    user: str
    item_ids: tuple[str, ...]
    propensities: Float64s
    rewards: Float64s
    predicted: Mapping[str, Float64s]
    candidates: Candidates | None = None
    exploration: Exploration = Exploration()
