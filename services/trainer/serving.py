"""The system over a part of the training data, as it would have served: one learner, one ranker.

Test-then-train with the services' own code in this process (services/system): the bootstrap
generation learns what comes before, then a generation takes over, as `harken promote` lets it, and
before each tie group its user can be asked for a slate.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.common.ranking.scorer import Scorer
from services.feedback.learner.model.entries import Kind
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import SystemGeneration, bootstrap_generation, engagement
from services.system.history_entries import HistoryEntries
from services.system.learner import SystemLearner, SystemStep
from services.system.replica import SystemReplica
from services.system.timeline import Ints, make_timeline
from services.trainer.training_data import TrainingData

WARM_UP = 200_000
"""Events that are learned from before a part that is looked at, at most."""
PART = 200_000
"""Events of such a part, at most."""
KNOWN = 100_000
"""Items from before that are there from the beginning, at most: each costs 4 KB or more, and those
that nothing happened to for so long are hardly shown. With those that events bring, a part has at
most half a million.
"""
_STEP = 1000


@dataclass(frozen=True, slots=True)
class Turn:
    """A tie group that is about to be revealed.

    event: number of its first event in the training data. item_ids, types, fresh: of its events of
    a positive weight; fresh: the user has not had the item before, and it is the first of the group
    on it. newcomer: the user has had nothing before.
    """

    event: int
    user: int
    user_key: bytes
    time_s: float
    item_ids: tuple[str, ...]
    types: tuple[str, ...]
    fresh: tuple[bool, ...]
    newcomer: bool


class Serving:
    """What served from event `start` of the data on, to event `end`."""

    def __init__(
        self,
        data: TrainingData,
        start: int,
        end: int,
        dimension: int,
        config: LearningConfig,
        warm_up: int = WARM_UP,
    ) -> None:
        """Let the bootstrap generation learn up to `start`; of that, the last `warm_up` events."""
        begin = max(start - warm_up, 0)
        known = known_items(data, begin, KNOWN)
        self._timeline = make_timeline(
            data.events.slice(begin, end), data.weights[begin:end], start - begin,
            first_items=[data.item_ids[row] for row in known.tolist()],
        )  # fmt: skip
        self._begin = begin
        contents = {one.item_id: one for one in data.contents if one is not None}
        self._entries = HistoryEntries(self._timeline, contents)
        events = self._timeline.events
        first_generation = bootstrap_generation(dimension, engagement(events.types))
        self.learner = SystemLearner(replace(config, features_of=self._entries.features_of))
        self._replica = SystemReplica(
            first_generation.ranker, len(events.user_ids), core=config.core
        )
        self._fold(self.learner.activate(first_generation.learner))
        listed = self._entries.listed()
        for first in range(0, len(listed), _STEP):
            self._learn(listed[first : first + _STEP], 0)
        for first in range(0, self._timeline.split, _STEP):
            last = min(first + _STEP, self._timeline.split)
            self._learn(self._entries.of(np.arange(first, last)), int(events.times_us[last - 1]))

    def adopt(self, generation: SystemGeneration, scorer: Scorer | None = None) -> None:
        """Let a generation take over now.

        scorer: stands in for its own where slates are made; then no order is learned.
        """
        if scorer is not None:
            generation = replace(
                generation,
                learner=replace(generation.learner, scorer=b""),
                ranker=replace(generation.ranker, scorer=scorer),
            )
        self._replica.expect(generation.ranker)
        before = max(self._timeline.split - 1, 0)
        now_us = int(self._timeline.events.times_us[before])
        self._fold(self.learner.adopt(generation.staged(self._entries.features_of), now_us))

    def turns(
        self, every: int = 1, progress: Callable[[int], None] = lambda _: None
    ) -> Iterator[Turn]:
        """Yield every so many tie groups, each before it is revealed; all are learned from."""
        timeline = self._timeline
        events = timeline.events
        seen: dict[int, set[int]] = {}
        split = timeline.split
        for user, item in zip(
            events.users[:split].tolist(), events.items[:split].tolist(), strict=True
        ):
            seen.setdefault(user, set()).add(item)
        for number in range(timeline.groups):
            rows = timeline.group(number)
            user = int(events.users[rows[0]])
            mine = seen.setdefault(user, set())
            if number % every == 0:
                turn = self._turn(rows, user, mine)
                if turn.item_ids:
                    yield turn
            mine.update(events.items[rows].tolist())
            self._learn(self._entries.of(rows), int(events.times_us[rows[-1]]))
            progress(int(timeline.starts[number + 1]))

    @property
    def groups(self) -> int:
        """How many tie groups there are from the start on."""
        return self._timeline.groups

    def slate(self, turn: Turn, count: int, allow_seen: bool = False) -> list[str]:
        """Return the ids of the best `count` items for the user whose turn it is."""
        return self._replica.slate(turn.user_key, count, turn.time_s, allow_seen)

    def _turn(self, rows: Ints, user: int, seen: set[int]) -> Turn:
        timeline = self._timeline
        events = timeline.events
        rows = rows[timeline.weights[rows] > 0]
        items = events.items[rows].tolist()
        had = set(seen)
        fresh = []
        for item in items:
            fresh.append(item not in had)
            had.add(item)
        first = int(rows[0]) if rows.size else 0
        return Turn(
            self._begin + first, user, self._entries.keys[user],
            int(events.times_us[first]) / 1e6,
            tuple(timeline.item_ids[item] for item in items),
            tuple(events.types[kind] for kind in events.kinds[rows].tolist()),
            tuple(fresh), not seen,
        )  # fmt: skip

    def _learn(self, kinds: Sequence[Kind], now_us: int) -> None:
        self._fold(self.learner.take(kinds, now_us))

    def _fold(self, steps: Iterator[SystemStep] | Sequence[SystemStep]) -> None:
        for step in steps:
            self._replica.fold(step)


def known_items(data: TrainingData, begin: int, at_most: int) -> Ints:
    """Return the items [k] that are known before event `begin`, ascending: those with content, and
    those that had an event. Items that only events name come with their first event.

    Of more than `at_most`: those that had most events, of as many those that came last.
    """
    counts = np.zeros(data.n_items, np.int64)
    for first in range(0, begin, PART):
        part = data.events.items[first : min(first + PART, begin)]
        counts += np.bincount(part, minlength=data.n_items)
    described = np.array([one is not None for one in data.contents], np.bool_)
    known: Ints = np.flatnonzero(described | (counts > 0))
    if known.size > at_most:
        known = np.sort(known[np.argsort(counts[known], kind="stable")[-at_most:]])
    return known
