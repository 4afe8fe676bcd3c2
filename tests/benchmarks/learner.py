"""How many events a second one core learns from, with everything on.

Steps as the learner takes them after a burst: 1,000 events each, over 100,000 items, of which
some are much more popular than others (rank^-0.8), and 20,000 users, each event a minute after
the one before. What is timed is `step`: user vectors, item vectors, Gramian, rules with
co-occurrences, popularities, guard, and the columns of the frame; not the database.
The first 60,000 events fill rows and histories and are not counted. One thread. After that, steps
of one event each, one right after the other.

Run as `python -m tests.benchmarks.learner [--dimension 128] [--numpy] [--profile]`. CPU time is
what counts on a busy machine; the wall clock is printed beside it.
"""

import argparse
import cProfile
import pstats
import time

import numpy as np
from threadpoolctl import threadpool_limits

from services.common.compiled_core import find_core
from services.feedback.generations.domain.bootstrap_models import bootstrap_activation
from services.feedback.learner.model.entries import Event, ItemUpserted, LogEntry
from services.feedback.learner.model.step import States, step
from services.feedback.learner.model.tenant_state import LearningConfig

ITEMS = 100_000
USERS = 20_000
STEP = 1_000
WARM = 60
TIMED = 30
SINGLE = 2_000
_BATCH = 2_000
_START_US = 1_700_000_000_000_000


class Stream:
    """Log entries, one after the other."""

    def __init__(self, items: int = ITEMS) -> None:
        self._chance = np.random.default_rng(0)
        shares = np.arange(1, items + 1) ** -0.8
        self._shares = np.cumsum(shares / shares.sum())
        self._sequence = 1

    def _entry(self, kind: Event | ItemUpserted) -> LogEntry:
        self._sequence += 1
        return LogEntry(self._sequence, "default", _START_US, kind)

    def items(self, first: int, last: int) -> list[LogEntry]:
        """Items with two content features each."""
        return [
            self._entry(
                ItemUpserted(f"i{n}", b"-", {f"item=i{n}": 0.5, f"category=c{n % 50}": 1.0})
            )
            for n in range(first, last)
        ]

    def events(self) -> list[LogEntry]:
        """One step of events."""
        users = self._chance.integers(0, USERS, STEP)
        items = np.searchsorted(self._shares, self._chance.random(STEP))
        return [
            self._entry(
                Event(
                    b"u%d" % user,
                    f"i{item}",
                    "view",
                    float("nan"),
                    _START_US + self._sequence * 60_000_000,
                    1.0,
                )
            )
            for user, item in zip(users.tolist(), items.tolist(), strict=True)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--numpy", action="store_true", help="without the compiled core")
    options = parser.parse_args()
    stream, states = Stream(), States()
    config = LearningConfig(core=None if options.numpy else find_core())
    activation = LogEntry(1, "default", _START_US, bootstrap_activation(options.dimension))
    with threadpool_limits(limits=1):
        step(states, [activation], config, 1)
        for first in range(0, ITEMS, _BATCH):
            step(states, stream.items(first, first + _BATCH), config, 2 + first // _BATCH)
        version = 2 + ITEMS // _BATCH
        for _ in range(WARM):
            version += 1
            step(states, stream.events(), config, version)
        cpu = wall = 0.0
        profile = cProfile.Profile()
        for _ in range(TIMED):
            version += 1
            entries = stream.events()
            cpu_began, began = time.process_time(), time.perf_counter()
            if options.profile:
                profile.runcall(step, states, entries, config, version)
            else:
                step(states, entries, config, version)
            cpu += time.process_time() - cpu_began
            wall += time.perf_counter() - began
        single = []
        for entry in [entry for _ in range(0, SINGLE, STEP) for entry in stream.events()]:
            version += 1
            began_ns = time.perf_counter_ns()
            step(states, [entry], config, version)
            single.append((time.perf_counter_ns() - began_ns) / 1e3)
    count = TIMED * STEP
    path = "NumPy" if config.core is None else "core"
    print(
        f"{ITEMS:,} items, d={options.dimension}, {path}: {count / cpu:,.0f} events/s of CPU time "
        f"({cpu / count * 1e6:.1f} us each), {count / wall:,.0f} events/s on the clock; "
        f"a step of one event: median {np.median(single):.0f} us"
    )
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)


if __name__ == "__main__":
    main()
