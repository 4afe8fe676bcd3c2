"""Are slates as likely as their propensities say? Draws against an enumeration, by chi-square.

Its bias: pools of five items and slates of three, where all slates can be enumerated by plain
Python (tests/ranker/domain/selection/enumeration.py); larger pools run the same code.

Run as `python -m tests.benchmarks.selection_chances [draws] [words]`: by default 1,000,000 for each
policy, one to four minutes each; words: only policies with them in their names. Prints a p-value
for each, and fails where one is below .01 / policies (Bonferroni).
"""

import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from math import prod

from services.common.compiled_core import find_core
from services.ranker.domain.selection.compiled_select import compiled_select
from services.ranker.domain.selection.select import select
from tests.ranker.domain.selection.enumeration import p_value, slates
from tests.ranker.domain.selection.scenarios import SCENARIOS


def chances(draws: int, wanted: str = "") -> Iterator[tuple[str, int, float]]:
    """Yield name, slates and p-value of the policies with `wanted` in their names.

    As slates are selected here: by the compiled core, where there is one.
    """
    core = find_core()
    selects = select if core is None else partial(compiled_select, core.PlaceSelector())
    for name, (pool, plan, wishes) in SCENARIOS.items():
        if wanted not in name:
            continue
        expected = {slate: draws * prod(chance) for slate, chance in slates(wishes).items()}
        drawn = Counter(
            tuple(selects(pool, plan, wishes.places, seed).places.tolist()) for seed in range(draws)
        )
        yield name, len(expected), p_value(drawn, expected)


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    worst = 1.0
    for name, slate_count, found in chances(draws, " ".join(sys.argv[2:])):
        worst = min(worst, found)
        print(f"  {name:<34} {slate_count:3} slates  p = {found:.3f}", flush=True)
    if worst < 0.01 / len(SCENARIOS):
        sys.exit(f"p = {worst} is too small to be chance")


if __name__ == "__main__":
    main()
