"""Evaluations of histories, each done once however many rows are made of it."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from services.evaluation.baselines.registry import BASELINES
from services.evaluation.evaluate import Evaluation, Plan, Watcher, evaluate, event_types
from services.evaluation.metrics import gains, ratio
from services.evaluation.outcomes import Outcomes
from services.evaluation.protocol import Rules
from services.evaluation.system.run import FULL, PRIOR_BLEND
from services.system.intervals import Interval, draw_users
from tests.benchmarks.learning.sets import Set, sets_of

HIT_RATE, NDCG = 0, 1
"""Columns of metrics.gains."""
_CUTOFF, _RESAMPLES = 10, 1000
_QUICK_EVERY = 4
_SAID_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of two arms over the same events; `interval`: 95% of the ratio, over users."""

    value: float
    base: float
    interval: Interval | None
    events: int

    @property
    def ratio(self) -> float:
        """The first over the second; 0 where there is nothing to divide by."""
        return ratio(self.value, self.base) or 0.0

    def said(self, digits: int = 3) -> str:
        """Say it in words."""
        between = ""
        if self.interval is not None:
            between = f" [{self.interval.low:.2f}, {self.interval.high:.2f}]"
        return f"{self.ratio:.{digits}f}x{between} ({self.value:.4f} over {self.base:.4f})"


def ranks_of(outcomes: Outcomes, name: str) -> np.ndarray:
    """Return the ranks [scored] of an arm.

    Raises:
        KeyError: it did not take part.

    """
    found = {arm.name: arm.ranks for arm in outcomes.arms}
    ranks: np.ndarray = found[name]
    return ranks


def compared(
    users: np.ndarray, ranks: np.ndarray, base: np.ndarray, metric: int = NDCG
) -> Compared:
    """Return how ranks [n] do over others of the same events [n], whose users are given."""
    values = np.stack([gains(one, _CUTOFF)[:, metric] for one in (ranks, base)], axis=1)
    draws = draw_users(users, values, _RESAMPLES, 1)
    first, second = values.mean(axis=0).tolist() if users.size else (0.0, 0.0)
    return Compared(first, second, draws.ratio(0, 1), int(users.size))


class Runs:
    """Evaluates histories, and keeps what came out."""

    def __init__(self, options: argparse.Namespace) -> None:
        """`options`: data, sets (None: as each row wants), every, quick, sasrec."""
        self._options = options
        self._sets: dict[str, Set] = {}
        self._found: dict[tuple[str, str], Evaluation] = {}
        self.every: int = options.every or (_QUICK_EVERY if options.quick else 1)

    def sets(self, names: Sequence[str]) -> Iterator[Set]:
        """Yield those of the histories that are wanted, and there."""
        wanted = self._options.sets
        for name in names:
            if wanted is not None and name not in wanted:
                continue
            if name not in self._sets:
                self._sets.update({one.name: one for one in sets_of([name], self._options.data)})
            if name in self._sets:
                yield self._sets[name]

    def beside_baselines(self, one: Set) -> Evaluation:
        """Return `full` and `prior_blend` beside all baselines, untrained."""
        left_out = () if self._options.sasrec else ("sasrec", "sasrec_ials")
        arms = [*(name for name in BASELINES if name not in left_out), FULL, PRIOR_BLEND]
        return self._run("baselines", one, arms, Rules(every=self.every, repeats=one.repeats))

    def trained(self, one: Set) -> Evaluation:
        """Return `full` with a generation that was trained before the split."""
        rules = Rules(every=self.every, repeats=one.repeats)
        return self._run("trained", one, [FULL], rules, train=True)

    def without_content(self, one: Set) -> Evaluation:
        """Return `full` that knows of items but their ids, from their first events on."""
        rules = Rules(every=self.every, repeats=one.repeats)
        bare = Set(one.name, one.events, one.repeats)
        return self._run("bare", bare, [FULL], rules)

    def from_the_start(self, one: Set, start: int, limit: int) -> Evaluation:
        """Return `full` and `prior_blend` from nearly nothing on."""
        rules = Rules(start=start, limit=limit, repeats=one.repeats)
        return self._run("start", one, [FULL, PRIOR_BLEND], rules)

    def _run(
        self, what: str, one: Set, arms: Sequence[str], rules: Rules, train: bool = False
    ) -> Evaluation:
        key = (what, one.name)
        if key not in self._found:
            began = time.monotonic()
            plan = Plan(arms, rules, event_types("shopping"), train=train)
            with threadpool_limits(limits=1):
                self._found[key] = evaluate(one.events, one.contents, plan, watcher(one.name))
            said(f"{one.name}, {what}: {time.monotonic() - began:.0f} s")
        return self._found[key]


def watcher(name: str) -> Watcher:
    """Return who says now and then how far it is."""

    @contextmanager
    def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
        last = time.monotonic()

        def show(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _SAID_SECONDS:
                last = now
                said(f"{name}: {what}: {done:,} of {total:,}")

        yield show

    return Watcher(bar, lambda text: said(f"{name}: {text}"))


def said(text: str) -> None:
    """Say how it goes, beside the table."""
    print(text, file=sys.stderr, flush=True)
