"""A made log that both Harken and the Open Bandit Pipeline evaluate: by plain loops, no library."""

import itertools
import math
from random import Random
from typing import Any

ITEMS, PLACES, SLATES = 5, 3, 400
LOGGING, TARGET = 1.0, 0.5
"""Temperatures of both policies, which draw place after place by softmax of the same utilities."""


def softmax(utilities: list[float], temperature: float, taken: tuple[int, ...]) -> list[float]:
    """Return the probability of each item, given those above."""
    weights = [
        0.0 if item in taken else math.exp(utility / temperature)
        for item, utility in enumerate(utilities)
    ]
    return [weight / sum(weights) for weight in weights]


def marginals(utilities: list[float], temperature: float) -> list[list[float]]:
    """Return the probability of each item at each place, from all slates."""
    found = [[0.0] * ITEMS for _ in range(PLACES)]
    for slate in itertools.permutations(range(ITEMS), PLACES):
        chance = 1.0
        for place, item in enumerate(slate):
            chance *= softmax(utilities, temperature, slate[:place])[item]
        for place, item in enumerate(slate):
            found[place][item] += chance
    return found


def made() -> dict[str, Any]:
    """Return columns: of each slate utilities, items, rewards, predictions, and both policies'
    probabilities: given the items above, of all items, and marginal ones.
    """
    random = Random(7)
    log: dict[str, Any] = {
        name: []
        for name in ("utilities", "slate_action", "slate_reward", "slate_q", "slate_pscore",
                     "slate_target", "slate_target_all", "slate_marginal", "slate_target_marginal")
    }  # fmt: skip
    for _ in range(SLATES):
        utilities = [random.gauss(0, 1) for _ in range(ITEMS)]
        slate: tuple[int, ...] = ()
        pscore, target, target_all = [], [], []
        for _ in range(PLACES):
            logged = softmax(utilities, LOGGING, slate)
            wanted = softmax(utilities, TARGET, slate)
            (item,) = random.choices(range(ITEMS), logged)
            pscore.append(logged[item])
            target.append(wanted[item])
            target_all.append(wanted)
            slate += (item,)
        at, wanted_at = marginals(utilities, LOGGING), marginals(utilities, TARGET)
        likely = [1 / (1 + math.exp(1 - utilities[item])) for item in slate]
        log["utilities"].append(utilities)
        log["slate_action"].append(list(slate))
        log["slate_reward"].append([float(random.random() < one) for one in likely])
        log["slate_q"].append([[random.random() / 2 for _ in range(ITEMS)] for _ in range(PLACES)])
        log["slate_pscore"].append(pscore)
        log["slate_target"].append(target)
        log["slate_target_all"].append(target_all)
        log["slate_marginal"].append([at[place][item] for place, item in enumerate(slate)])
        log["slate_target_marginal"].append(
            [wanted_at[place][item] for place, item in enumerate(slate)]
        )
    return log
