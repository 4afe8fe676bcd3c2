"""Events and items as the trainer uses them: ordinals, weights, and where validation begins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.content_features import Content
from services.dataset.history.events import Codes, Events
from services.feedback.events.domain.event_types import EventType
from services.system.event_weights import event_weights
from services.trainer.interactions import Chunk
from services.trainer.timeline import Timeline

_PART = 1 << 20


class TrainingDataError(Exception):
    """The data cannot be trained on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Events by ascending time, over all items of events and catalogue.

    item_ids: [N], those of events first. contents: [N], None where the catalogue knows nothing.
    validation_start: number of the first event of the validation window; training proper, as far
    as it is judged, uses events before it.
    """

    events: Events
    weights: npt.NDArray[np.float32]
    item_ids: Sequence[str]
    contents: Sequence[Content | None]
    validation_start: int

    @property
    def n_items(self) -> int:
        """Items of events and catalogue."""
        return len(self.item_ids)

    @property
    def n_users(self) -> int:
        """Users of events."""
        return len(self.events.user_ids)

    def timeline_of(self, events: Sequence[int]) -> Timeline:
        """Return all events of the users of these events, in memory."""
        wanted = np.zeros(self.n_users, np.bool_)
        wanted[self.events.users[np.array(events, np.int64)]] = True
        return self._timeline(lambda users: wanted[users])

    def timeline(self, at_most: int = 4_000_000) -> Timeline:
        """Return events by user, in memory: of all users, or of an even sample of them.

        Users are left out, whole, when there are more than `at_most` events (about 90 bytes each
        while they are sorted).
        """
        every = -(-len(self.events) // at_most)
        return self._timeline(lambda users: _hashed(users) % every == 0)

    def _timeline(self, of: Callable[[Codes], npt.NDArray[np.bool_]]) -> Timeline:
        """Return the events of those users that `of` marks."""
        kept = np.concatenate(
            [
                begin + np.flatnonzero(of(self.events.users[begin : begin + _PART]))
                for begin in range(0, len(self.events), _PART)
            ]
        )
        return Timeline(
            self.events.users,
            self.events.items,
            self.events.times_us,
            self.weights,
            self.n_items,
            kept,
        )

    def item_counts(self, end: int) -> npt.NDArray[np.int64]:
        """Return how many events with a positive weight items [N] have before number `end`."""
        counts = np.zeros(self.n_items, np.int64)
        for begin in range(0, end, _PART):
            part = slice(begin, min(begin + _PART, end))
            items = self.events.items[part][self.weights[part] > 0]
            counts += np.bincount(items, minlength=self.n_items)
        return counts

    def chunks(self, end: int | None = None, size: int = 1 << 20) -> list[Chunk]:
        """Return events before number `end` as chunks of views."""
        stop = len(self.events) if end is None else end
        return [
            (
                self.events.users[begin : min(begin + size, stop)],
                self.events.items[begin : min(begin + size, stop)],
                self.weights[begin : min(begin + size, stop)],
            )
            for begin in range(0, stop, size)
        ]


def training_data(
    events: Events,
    items: Mapping[str, Content],
    types: Mapping[str, EventType],
    validation: float,
    weights: npt.NDArray[np.float32] | None = None,
) -> TrainingData:
    """Put events and items together; `validation` is the share of events at the end, 0..0.9.

    weights: of events [n] as `types` would have it, where they are known already.
    The window begins where a new second does, so that no tie group is on both sides; where there
    is no such place, it is empty.

    Raises:
        TrainingDataError: no events, or none that teaches.

    """
    if not len(events):
        raise TrainingDataError("there are no events to train on")
    if weights is None:
        weights = event_weights(events, types)
    if not (weights > 0).any():
        raise TrainingDataError("no event has a positive learning weight")
    start = next_second(events, int(len(events) * (1.0 - validation)))
    if start == 0:
        start = len(events)
    known = set(events.item_ids)
    ids = [*events.item_ids, *(name for name in items if name not in known)]
    return TrainingData(events, weights, ids, [items.get(name) for name in ids], start)


def next_second(events: Events, start: int) -> int:
    """Return the first event from `start` on that is of another second than the one before it."""
    start = min(max(start, 0), len(events))
    if start in (0, len(events)):
        return start
    last = int(events.times_us[start - 1]) // 10**6
    while start < len(events):
        seconds = np.asarray(events.times_us[start : start + _PART]) // 10**6
        later = np.flatnonzero(seconds != last)
        if later.size:
            return start + int(later[0])
        start += len(seconds)
    return len(events)


def _hashed(users: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Spread user codes evenly, so that a sample does not hang on when users came (Knuth 1973)."""
    return (users.astype(np.int64) * 2_654_435_761 % 2**32) >> 8
