"""Propensities from what is logged of a decision, by plain Python.

What the log does not have, the draws of Thompson sampling, is given.
"""

from collections.abc import Sequence
from math import exp


def propensities_of(
    utilities: Sequence[float],
    lowered: Sequence[bytes] | None,
    unit: float,
    barred: Sequence[bytes],
    new: bytes | None,
    policy: tuple[str, float],
    new_share: float,
    places: Sequence[int],
    draws_above: Sequence[Sequence[float]] = (),
) -> list[float]:
    """Return the probability of each place's item, given those above.

    policy: ("greedy", 0), ("epsilon", epsilon), ("plackett_luce", temperature), ("thompson", 0).
    draws_above: of each draw by how much it is above the utilities.
    """
    found = []
    for place, item in enumerate(places):
        allowed = [i for i in range(len(utilities)) if not bit(barred[place], i)]
        worth = {
            i: utilities[i] - (lowered[place][i] * unit if lowered is not None else 0.0)
            for i in allowed
        }
        best = max(allowed, key=lambda i: (worth[i], -i))
        match policy:
            case "greedy", _:
                chance = float(item == best)
            case "epsilon", epsilon:
                chance = epsilon / len(allowed) + (1 - epsilon) * (item == best)
            case "plackett_luce", temperature:
                odds = {i: exp((worth[i] - worth[best]) / temperature) for i in allowed}
                chance = odds[item] / sum(odds.values())
            case "thompson", _:
                wins = [
                    max(allowed, key=lambda i: (worth[i] + above[i], -i)) for above in draws_above
                ]
                chance = wins.count(item) / len(wins)
            case _:
                raise ValueError(policy)
        fresh = [i for i in allowed if new is not None and bit(new, i)]
        if fresh and new_share:
            chance = (1 - new_share) * chance + new_share * (item in fresh) / len(fresh)
        found.append(chance)
    return found


def bit(bits: bytes, number: int) -> bool:
    return bool(bits[number // 8] >> number % 8 & 1)
