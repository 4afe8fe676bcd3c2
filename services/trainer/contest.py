"""Whether a trained generation is better than none: judged on the last part of the history.

The system learns what comes before, by itself; then a contestant takes over, or none does. Before
each tie group the slates that its user would have been shown are looked at, then it is revealed.

Two figures, both NDCG@10 an event, because both kinds of slates are served:

    new   of events on items new to the user, in slates without what the user had
    all   of all events, in slates with all items; only where users come back to items

A contestant is better when no figure is lower, over all events nor over the later half of them, and
by the 99% interval over users of its ratio, one is higher. What takes over is often ahead at first,
and what learns online comes up to it: made check-ins had 1.34x in the first half and .99x in the
second. The best of several is chosen by some figure of several: 95% would be wrong too often.
Intervals are paired: all contestants see the same events.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import SystemGeneration
from services.system.intervals import Interval, draw_users
from services.trainer.serving import Serving
from services.trainer.training_data import TrainingData

Doubles = npt.NDArray[np.float64]
FIGURES = ("new", "all")
CUTOFF = 10
_RESAMPLES = 1000
_LEAST_REPEATS = 0.01
_PERCENT = 99.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What one contestant reached, in order of time.

    users: [n] of the events looked at. gains: [n, figures] NDCG of each, NaN where it is not of the
    figure. order: [outcomes, columns], what was learned of the order by the end.
    """

    users: npt.NDArray[np.int64]
    gains: Doubles
    order: Doubles


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure of a contestant over that of what it was held against.

    value, base: both, over all events. late: their ratio over the later half of the events.
    interval: of the ratio, 99%.
    """

    value: float
    base: float
    events: int
    interval: Interval | None
    late: float

    @property
    def ratio(self) -> float:
        """Value over base."""
        return _over(self.value, self.base)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A contestant against the system without it, by figure."""

    ratios: Mapping[str, Ratio]

    @property
    def better(self) -> bool:
        """No figure is lower, nor becomes it, and one is higher by more than chance."""
        found = self.ratios.values()
        return all(min(one.ratio, one.late) >= 1.0 for one in found) and any(
            one.interval is not None and one.interval.low > 1.0 for one in found
        )

    @property
    def gain(self) -> float:
        """Mean logarithm of the ratios; 0 where nothing was looked at."""
        logs = [math.log(max(one.ratio, 1e-9)) for one in self.ratios.values()]
        return sum(logs) / len(logs) if logs else 0.0

    def said(self) -> str:
        """Return it in words."""
        return "; ".join(
            f"{name} items {one.value:.4f} against {one.base:.4f}, {one.ratio:.3f}x"
            + (f" [{one.interval.low:.3f}, {one.interval.high:.3f}]" if one.interval else "")
            + f", later half {one.late:.3f}x"
            for name, one in self.ratios.items()
        )


def judged(
    data: TrainingData,
    generation: SystemGeneration | None,
    start: int,
    end: int,
    at_most: int,
    dimension: int,
    config: LearningConfig,
    progress: Callable[[int], None] = lambda _: None,
) -> Judged:
    """Return what a generation that takes over at event `start` reaches up to event `end`.

    generation: None: what was learned online goes on. at_most: groups that are looked at, evenly.
    dimension: of the bootstrap generation.
    """
    serving = Serving(data, start, end, dimension, config)
    if generation is not None:
        serving.adopt(generation)
    users: list[int] = []
    gains: list[tuple[float, float]] = []
    every = max(serving.groups // max(at_most, 1), 1)
    for turn in serving.turns(every, progress):
        # Who has had nothing sees the same in both.
        shown = serving.slate(turn, CUTOFF, allow_seen=True)
        unseen = shown if turn.newcomer else serving.slate(turn, CUTOFF)
        for item, fresh in zip(turn.item_ids, turn.fresh, strict=True):
            users.append(turn.user)
            gains.append((_gain(unseen, item) if fresh else math.nan, _gain(shown, item)))
    return Judged(
        np.array(users, np.int64),
        np.array(gains, np.float64).reshape(-1, len(FIGURES)),
        serving.learner.order_weights(),
    )


def compared(contestant: Judged, base: Judged, seed: int = 0) -> Comparison:
    """Return the comparison of two that saw the same events."""
    ratios: dict[str, Ratio] = {}
    repeated = np.isnan(base.gains[:, 0])
    later = np.arange(len(base.users)) >= len(base.users) // 2
    for column, name in enumerate(FIGURES):
        rows = ~np.isnan(base.gains[:, column])
        if not rows.any() or (name == "all" and repeated.mean() < _LEAST_REPEATS):
            continue
        both = np.stack([contestant.gains[rows, column], base.gains[rows, column]], axis=1)
        draws = draw_users(base.users[rows], both, _RESAMPLES, seed)
        value, held = both.mean(axis=0).tolist()
        late = _over(*both[later[rows]].sum(axis=0).tolist())
        ratios[name] = Ratio(value, held, int(rows.sum()), draws.ratio(0, 1, _PERCENT), late)
    return Comparison(ratios)


def best_of(found: Mapping[str, Comparison]) -> str | None:
    """Return the name of the best contestant among those that are better; None: none is."""
    better = [name for name, one in found.items() if one.better]
    return max(better, key=lambda name: found[name].gain) if better else None


def _over(value: float, base: float) -> float:
    """Return value over base; 1 where both are 0, so that nothing is told apart."""
    if base > 0:
        return value / base
    return 1.0 if value == 0 else math.inf


def _gain(slate: Sequence[str], item: str) -> float:
    return 1.0 / math.log2(slate.index(item) + 2) if item in slate else 0.0
