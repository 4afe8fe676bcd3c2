"""A system that learned a history, for attacks to start from: learner and ranker in this process.

Some users are held out of the history: they are the newcomers, of whom nobody knows more than
their first events. Whoever was there is asked as of a day after the last event.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harken.internal.feed.v1 import frame_pb2
from services.feed.entries import TenantEntries
from services.feedback.events.domain.event_types import preset
from services.feedback.learner.model.entries import Event, Kind, LogEntry
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.event_weights import event_weights
from services.system.generation import bootstrap_generation, engagement
from services.system.history_entries import HistoryEntries
from services.system.learner import TENANT, SystemLearner, SystemStep
from services.system.replica import SystemReplica
from services.system.timeline import make_timeline
from services.system.user_events import tenant_entries
from tests.benchmarks.learning.sets import Set

COUNT = 10
"""Slots of a slate."""
HOUR_US = 3_600_000_000
_STEP = 1000
_TYPES = "shopping"
_MOST_ASKED = 200
_MOST_NEWCOMERS = 40
_FIRST_EVENTS = (0, 1, 3)
_QUIET = (3, 12)
_UNLEARNED = 10**9


@dataclass(frozen=True, slots=True)
class Timed:
    """An event and when it was accepted, unix microseconds."""

    at_us: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Users held out: the first events of each."""

    keys: list[bytes]
    events: list[list[Event]]


@dataclass(frozen=True, slots=True)
class Slates:
    """Who was asked, and the slates they got."""

    honest: list[list[str]]
    newcomers: list[list[str]]

    def shares(self, item_id: str) -> tuple[float, float]:
        """Return the shares of honest users and of newcomers whose slate holds an item."""
        return _share(self.honest, item_id), _share(self.newcomers, item_id)

    def most_common(self) -> str:
        """Return the item that most honest users have in their slate."""
        ids, counts = np.unique([one for slate in self.honest for one in slate], return_counts=True)
        return str(ids[counts.argmax()])


def _share(slates: Sequence[Sequence[str]], item_id: str) -> float:
    return sum(item_id in slate for slate in slates) / max(len(slates), 1)


class World:
    """A learned history. `target`: an item with few events that is in nobody's slate."""

    def __init__(
        self, one: Set, config: LearningConfig, dimension: int = 128, seed: int = 1
    ) -> None:
        """Learn `one` by `config`, but for the newcomers."""
        self.draw = np.random.default_rng(seed)
        self.timeline = make_timeline(
            one.events, event_weights(one.events, preset(_TYPES)), 0.0, None, list(one.contents)
        )
        self._entries = HistoryEntries(self.timeline, one.contents)
        self.config = replace(config, features_of=self._entries.features_of)
        self._generation = bootstrap_generation(dimension, engagement(self.timeline.events.types))
        self.repeats = one.repeats
        events = self.timeline.events
        self.type = "purchase"
        self.end_us = int(events.times_us[-1])
        users = np.flatnonzero(np.bincount(events.users, minlength=len(events.user_ids)) >= 3)
        self._held_out = self.draw.choice(
            users, min(_MOST_NEWCOMERS, users.size // 10), replace=False
        )
        kept = ~np.isin(events.users, self._held_out)
        self.history: list[int] = np.flatnonzero(kept).tolist()
        self.base: list[SystemStep] = []
        self.learner = SystemLearner(self.config)
        self.base += self.learner.activate(self._generation.learner)
        self.base += self.learner.take(self._entries.listed(), 0)
        for begin in range(0, len(self.history), _STEP):
            rows = np.array(self.history[begin : begin + _STEP])
            self.base += self.learner.take(self._entries.of(rows), int(events.times_us[rows[-1]]))
        self.counts = np.bincount(
            events.items[kept & (self.timeline.weights > 0)], minlength=len(events.item_ids)
        )
        asked = np.unique(events.users[kept])
        self._asked = self.draw.choice(asked, min(_MOST_ASKED, asked.size), replace=False)
        self.before = self._ask(self._replica(self.base))
        self.target = self._quiet()
        had = np.unique(events.users[events.items == self.code_of(self.target)])
        self._asked = self._asked[~np.isin(self._asked, had)]
        self.before = self._ask(self._replica(self.base))

    def code_of(self, item_id: str) -> int:
        """Return the number of an item."""
        return list(self.timeline.item_ids).index(item_id)

    def popular(self, count: int) -> list[str]:
        """Return the items with most events."""
        return [
            self.timeline.item_ids[code]
            for code in np.argsort(-self.counts, kind="stable")[:count].tolist()
        ]

    def histories(self, count: int) -> list[list[Event]]:
        """Return the events of some who were there, of middling length."""
        events = self.timeline.events
        lengths = np.bincount(events.users[self.history], minlength=len(events.user_ids))
        there = np.flatnonzero(lengths >= 3)
        near = there[np.argsort(np.abs(lengths[there] - np.median(lengths[there])))]
        chosen = near[: max(count, near.size // 2)]
        chosen = self.draw.choice(chosen, count, replace=chosen.size < count)
        return [self._events_of(int(user)) for user in chosen]

    def event(self, user: str, item_id: str, at_us: int, weight: float = 2.0) -> Timed:
        """Return what a made-up subject did; `user` with a prefix as user keys have it."""
        kind = self.type if weight > 0 else "hide"
        return Timed(at_us, Event(user.encode(), item_id, kind, float("nan"), at_us, weight))

    def after(self, attack: Sequence[Timed]) -> Slates:
        """Return the slates of everybody after an attack."""
        learner = self.learner.copy(self.config)
        return self._ask(self._replica([*self.base, *_learned(learner, attack)]))

    def amid(self, attack: Sequence[Timed]) -> Slates:
        """Return the slates of everybody where an attack goes on while the history does."""
        events = self.timeline.events
        learner = SystemLearner(self.config)
        steps = list(learner.activate(self._generation.learner))
        again = HistoryEntries(self.timeline, self._entries.contents)
        steps += learner.take(again.listed(), 0)
        honest = [
            Timed(int(events.times_us[row]), kind)
            for row in self.history
            for kind in again.of(np.array([row]))
        ]
        order = sorted([*honest, *attack], key=lambda one: one.at_us)
        steps += _learned(learner, order)
        return self._ask(self._replica(steps))

    def _events_of(self, user: int) -> list[Event]:
        rows = np.flatnonzero(self.timeline.events.users == user)
        return [kind for kind in self._entries.of(rows) if isinstance(kind, Event)]

    def _replica(self, steps: Sequence[SystemStep]) -> SystemReplica:
        users = len(self.timeline.events.user_ids) + 100_000
        replica = SystemReplica(self._generation.ranker, users, (), self.config.core)
        for step in steps:
            replica.fold(step)
        return replica

    def _ask(self, replica: SystemReplica) -> Slates:
        """Return slates a day after the history; newcomers have done nothing, or a little."""
        at_us = self.end_us + 24 * HOUR_US
        keys = self._entries.keys
        honest = [self._slate(replica, keys[user], at_us) for user in self._asked.tolist()]
        newcomers = []
        for number, user in enumerate(self._held_out.tolist()):
            first = self._events_of(user)[: _FIRST_EVENTS[number % len(_FIRST_EVENTS)]]
            key = keys[user]
            late = [replace(one, time_us=at_us - HOUR_US) for one in first]
            if late:
                # Of them the ranker knows what they did, and the learner nothing.
                replica.fold(SystemStep(frame_pb2.Frame(), _heard(late, at_us)))
            newcomers.append(self._slate(replica, key, at_us))
        return Slates(honest, newcomers)

    def _slate(self, replica: SystemReplica, key: bytes, at_us: int) -> list[str]:
        return replica.slate(key, COUNT, at_us / 1e6, self.repeats.value == "include")

    def _quiet(self) -> str:
        """Return an item with few events that nobody is shown."""
        shown = {
            one for slates in (self.before.honest, self.before.newcomers)
            for slate in slates for one in slate
        }  # fmt: skip
        few = np.flatnonzero((self.counts >= _QUIET[0]) & (self.counts <= _QUIET[1]))
        for code in self.draw.permutation(few).tolist():
            if self.timeline.item_ids[code] not in shown:
                return str(self.timeline.item_ids[code])
        raise ValueError("every quiet item is shown to somebody")


def _heard(events: Sequence[Event], at_us: int) -> TenantEntries | None:
    """Return what a ranker hears of events that nobody learned from."""
    return tenant_entries(
        [LogEntry(_UNLEARNED + number, TENANT, at_us, one) for number, one in enumerate(events)]
    )


def _learned(learner: SystemLearner, entries: Sequence[Timed]) -> Iterator[SystemStep]:
    """Yield what a learner makes of entries that come one after the other."""
    for begin in range(0, len(entries), _STEP):
        part = entries[begin : begin + _STEP]
        yield from learner.take([one.kind for one in part], part[-1].at_us)
