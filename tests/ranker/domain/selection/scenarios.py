"""Small pools whose slates are left to chance: as select is asked, and as the enumeration is."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from services.common.arrays import Bools
from services.ranker.domain.selection.plan import (
    AtLeast,
    AtMost,
    Cap,
    Diversity,
    Exploration,
    Pin,
    Plan,
)
from services.ranker.domain.selection.policies import (
    GREEDY,
    EpsilonMixture,
    PlackettLuce,
    Policy,
    Thompson,
)
from services.ranker.domain.selection.pool import Pool, Vectors
from tests.ranker.domain.selection.enumeration import Wishes

UTILITIES = (1.25, 0.5, 0.25, 0.0, -0.75)
DRAWS = (
    (1.0, 0.5, 0.25, 1.5, -1.0),
    (0.0, 1.0, 0.75, 0.5, 2.0),
    (1.5, 0.25, 1.0, -0.5, 0.0),
    (2.0, 1.75, 0.0, 0.5, 0.75),
    (0.5, 1.0, 1.25, 0.25, -2.0),
)
OWNERS = (0, 0, 0, 1, -1)
VECTORS = ((1.0, 0.0), (2.0, 0.5), (0.0, 1.0), (-1.0, 0.5), (0.0, 0.0))
PLACES = 3
SHARE_OF_ALL = 0.99
"""Of the likeness of different items, in docs of the DPP: one less what is an item's own."""


class Scenario(NamedTuple):
    pool: Pool
    plan: Plan
    wishes: Wishes


def mask(*items: int) -> Bools:
    return np.isin(np.arange(len(UTILITIES)), items)


def gram() -> np.ndarray:
    vectors = np.array(VECTORS)
    lengths = np.linalg.norm(vectors, axis=1)
    units = vectors / np.where(lengths > 0, lengths, 1.0)[:, None]
    likeness = SHARE_OF_ALL * (1.0 + units @ units.T) / 2.0
    np.fill_diagonal(likeness, 1.0)
    return likeness


def scenario(policy: Policy, share: float = 0.0, *, rules: bool, strength: float = 0.0) -> Scenario:
    """`rules`: a pin of an item, one more may be of its owner, and two others are to be there."""
    pool = Pool(
        np.array(UTILITIES),
        Vectors.of(np.array(VECTORS, dtype=np.float32)),
        mask(2, 3),
        np.array(DRAWS) - np.array(UTILITIES),
    )
    name, number = {
        EpsilonMixture: ("epsilon", getattr(policy, "epsilon", 0.0)),
        PlackettLuce: ("plackett_luce", getattr(policy, "temperature", 0.0)),
        Thompson: ("thompson", 0.0),
    }.get(type(policy), ("greedy", 0.0))
    diversity = Diversity(strength) if strength else None
    plan = Plan(diversity=diversity, exploration=Exploration(policy, share))
    wishes = Wishes(
        UTILITIES,
        PLACES,
        (name, number),
        {},
        new=frozenset({2, 3}) if share else frozenset(),
        share=share,
        draws=DRAWS,
        gram=gram() if strength else None,
        power=strength / (1 - strength),
    )
    if not rules:
        return Scenario(pool, plan, wishes)
    plan = Plan(
        pins=(Pin("pin", mask(1), 1),),
        at_most=(AtMost("rare", mask(3, 4), 1),),
        caps=(Cap("owner", np.array(OWNERS, dtype=np.int32), 2),),
        at_least=(AtLeast("wanted", mask(2, 3), 1),),
        diversity=diversity,
        exploration=plan.exploration,
    )
    wishes = Wishes(
        **{
            **vars(wishes),
            "pins": {1: 1},
            "at_most": [({3, 4}, 1)],
            "caps": [(["a", "a", "a", "b", None], 2)],
            "at_least": [({2, 3}, 1)],
        }
    )
    return Scenario(pool, plan, wishes)


SCENARIOS: Mapping[str, Scenario] = {
    "Plackett-Luce": scenario(PlackettLuce(0.8), rules=False),
    "Plackett-Luce, rules": scenario(PlackettLuce(0.8), rules=True),
    "Plackett-Luce, rules, new items": scenario(PlackettLuce(2.0), 0.3, rules=True),
    "Plackett-Luce, rules, DPP": scenario(PlackettLuce(0.8), rules=True, strength=0.4),
    "Plackett-Luce, DPP": scenario(PlackettLuce(1.5), rules=False, strength=0.6),
    "epsilon": scenario(EpsilonMixture(0.4), rules=False),
    "epsilon, rules, new items": scenario(EpsilonMixture(0.4), 0.2, rules=True),
    "new items": scenario(GREEDY, 0.3, rules=False),
    "new items, rules": scenario(GREEDY, 0.3, rules=True),
    "Thompson": scenario(Thompson(), rules=False),
    "Thompson, rules, DPP, new items": scenario(Thompson(), 0.1, rules=True, strength=0.2),
}
