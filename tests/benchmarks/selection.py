"""What selecting a slate from scored candidates costs. Its bias: small data that stays in caches.

Flattering: the same pool each time, on a quiet process. Unkind: vectors and utilities are random,
so that diversity and exploration change many places; owners are so few that caps are reached.

Run as `python -m tests.benchmarks.selection [candidates] [places] [dimension]`. Prints the best
of many means of twenty, in microseconds of CPU time, of: the plain slate, each part alone, and all
together.
"""

import platform
import sys
import time
import timeit
from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from services.ranker.domain.selection.plan import (
    AtLeast,
    AtMost,
    Boost,
    Cap,
    Diversity,
    Exploration,
    Method,
    Pin,
    Plan,
    Sort,
)
from services.ranker.domain.selection.policies import EpsilonMixture, PlackettLuce, Thompson
from services.ranker.domain.selection.pool import Pool, Vectors
from services.ranker.domain.selection.select import select

DRAWS = 32


def pool_of(size: int, dimension: int, rng: np.random.Generator) -> Pool:
    utilities = rng.normal(-3.0, 1.5, size)
    return Pool(
        utilities=utilities,
        vectors=Vectors.of(rng.standard_normal((size, dimension), dtype=np.float32)),
        new=rng.random(size) < 0.05,
        deviations=rng.normal(0.0, 0.3, (DRAWS, size)),
    )


def plans_of(pool: Pool, rng: np.random.Generator) -> Mapping[str, Plan]:
    def some(share: float) -> np.ndarray:
        return rng.random(pool.size) < share

    boosts = (Boost("boost", some(0.1), 2.0),)
    pins = (Pin("pin", some(0.02), 2),)
    at_least = (AtLeast("promoted", some(0.1), share=0.2),)
    at_most = (AtMost("rare", some(0.2), 2),)
    starts = np.arange(pool.size + 1) * 2
    categories = rng.integers(0, 20, pool.size * 2, dtype=np.int32)
    owners = rng.integers(0, 40, pool.size, dtype=np.int32)
    caps = (Cap("owner", owners, 1, used={3: 1, 4: 1}),)
    dpp, mmr = Diversity(0.3), Diversity(0.3, Method.MMR)
    softmax = Exploration(PlackettLuce(0.5))
    sort = (Sort("sort", rng.random(pool.size), some(0.9)),)
    return {
        "plain": Plan(),
        "boost": Plan(boosts=boosts),
        "pin": Plan(pins=pins),
        "at least": Plan(at_least=at_least),
        "at most": Plan(at_most=at_most),
        "cap by owner": Plan(caps=caps),
        "cap by category": Plan(caps=(Cap("category", categories, 2, starts),)),
        "sort": Plan(sorts=sort),
        "five rules": Plan(boosts, pins, at_most, caps, at_least),
        "DPP": Plan(diversity=dpp),
        "MMR": Plan(diversity=mmr),
        "epsilon": Plan(exploration=Exploration(EpsilonMixture(0.1))),
        "Plackett-Luce": Plan(exploration=softmax),
        "Plackett-Luce, new items": Plan(exploration=Exploration(PlackettLuce(0.5), 0.1)),
        f"Thompson, {DRAWS} draws": Plan(exploration=Exploration(Thompson())),
        "five rules, DPP, Plackett-Luce": Plan(
            boosts, pins, at_most, caps, at_least, diversity=dpp, exploration=softmax
        ),
    }


def main() -> None:
    size, count, dimension = (*map(int, sys.argv[1:]), *(600, 10, 64)[len(sys.argv) - 1 :])
    rng = np.random.default_rng(0)
    pool = pool_of(size, dimension, rng)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{size} candidates, {count} places, d={dimension}")
    with threadpool_limits(limits=1):
        for name, plan in plans_of(pool, rng).items():
            runs = timeit.repeat(
                lambda plan=plan: select(pool, plan, count, 7),  # type: ignore[misc]
                repeat=100,
                number=20,
                timer=time.thread_time,
            )
            print(f"  {name:<32} {min(runs) / 20 * 1e6:7.1f} us")


if __name__ == "__main__":
    main()
