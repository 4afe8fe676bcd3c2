"""Planted bugs, each put into a process by this launcher; no service knows of them.

`python -m tests.chaos.plants services.feedback ...` with HARKEN_TEST_PLANT=name. A production
process is started as `services.*`, holds no switch, and cannot reach any of this.
"""

import os
import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tests.chaos.failpoints import FAILPOINTS, arm

PLANT = "HARKEN_TEST_PLANT"


class _Every:
    """Says yes to every n-th question."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._asked = 0

    def __call__(self) -> bool:
        self._asked += 1
        return self._asked % self._number == 0


def ack_before_commit() -> None:
    """Acknowledge, and roll back."""
    from services.feedback.events.event_flusher import EventFlusher

    append, now = EventFlusher._append, _Every(10)

    async def wrong(self: Any, connection: Any, events: Any) -> Any:
        if not now():
            return await append(self, connection, events)
        transaction = connection.transaction()
        await transaction.start()
        try:
            return await append(self, connection, events)
        finally:
            await transaction.rollback()

    _put(EventFlusher, "_append", wrong)


def no_dedupe() -> None:
    """Take every event as new."""
    from services.feedback.events import event_flusher

    append: Any = vars(event_flusher)["append_events"]

    async def wrong(connection: Any, events: Any, *rest: Any) -> Any:
        ids = [f"{name}-{os.urandom(4).hex()}" for name in events.event_ids]
        return await append(connection, replace(events, event_ids=ids), *rest)

    _put(event_flusher, "append_events", wrong)


def position_too_high() -> None:
    """Name a position one too high."""
    from services.common.position import decode_position
    from services.feedback.events.repeated_events import FlushedEvents

    token = FlushedEvents.token

    def wrong(self: Any, index: int) -> bytes:
        found = token(self, index)
        if not found:
            return found
        position = decode_position(found)
        return replace(position, sequence=position.sequence + 1).encode()

    _put(FlushedEvents, "token", wrong)


def stale_as_fresh() -> None:
    """Pass whatever is there as fresh."""
    from services.feed.progress import Progress

    async def wrong(*_: Any, **__: Any) -> bool:
        return True

    _put(Progress, "reach", wrong)


def cursor_skips_rows() -> None:
    """Read the log as a cursor on a plain sequence does: a row that commits late is not seen."""
    from services.feedback.learner import learner_store

    read: Any = vars(learner_store)["read_log"]
    now = _Every(10)

    async def wrong(connection: Any, after: int, limit: int) -> Any:
        rows = await read(connection, after, limit)
        return rows[1:] if len(rows) > 1 and now() else rows

    _put(learner_store, "read_log", wrong)


def entries_left_out() -> None:
    """Leave out the first of several entries of a stretch that is served."""
    from services.feedback.feed_server.entries_server import EntriesServer

    rows_after, now = EntriesServer._rows, _Every(10)

    async def wrong(self: Any, after: int) -> Any:
        rows = await rows_after(self, after)
        return rows[1:] if len(rows) > 1 and now() else rows

    _put(EntriesServer, "_rows", wrong)


def entry_before_commit() -> None:
    """Hand events over before a commit, which then fails."""
    from services.common.errors import StoreUnavailableError
    from services.feedback.events.event_flusher import EventFlusher

    append, now = EventFlusher._append_distinct, _Every(10)

    async def wrong(self: Any, connection: Any, events: Any, checked: int) -> Any:
        if not now():
            return await append(self, connection, events, checked)
        transaction = connection.transaction()
        await transaction.start()
        try:
            await append(self, connection, events, checked)
        finally:
            await transaction.rollback()
        raise StoreUnavailableError("the commit failed")

    _put(EventFlusher, "_append_distinct", wrong)


def merged_backwards() -> None:
    """Keep the oldest value of a row where several frames become one."""
    import numpy as np

    from services.feedback.feed_server import frame_merge

    def wrong(keys: Any) -> Any:
        _, first = np.unique(keys, return_index=True)
        return np.sort(first)

    _put(frame_merge, "last_of_each", wrong)


def wrong_lane() -> None:
    """Judge by what was learned whether users are up to a position; entries take their time."""
    import asyncio

    from services.ranker.entries_folder import EntriesFolder
    from services.ranker.request_context import RequestContexts

    apply = EntriesFolder.apply
    reach: Any = RequestContexts.reach

    async def late(self: Any, entries: Any) -> None:
        await asyncio.sleep(0.5)
        await apply(self, entries)

    async def wrong(self: Any, tenant: str, wanted: Any, *given: Any) -> Any:
        learned = max(
            filter(None, (wanted.min_position, wanted.min_learned_position)), default=None
        )
        wrongly = wanted._replace(min_position=None, min_learned_position=learned)
        return await reach(self, tenant, wrongly, *given)

    _put(EntriesFolder, "apply", late)
    _put(RequestContexts, "reach", wrong)
    _put(RequestContexts, "position", RequestContexts.learned_position)


def frame_skipped_by_ranker() -> None:
    """Move on without folding."""
    from services.ranker.frame_applier import FrameApplier

    fold, now = FrameApplier._fold, _Every(7)

    async def wrong(self: Any, frame: Any, replicas: Any) -> None:
        if frame.after_version == 0 or not now():
            await fold(self, frame, replicas)

    _put(FrameApplier, "_fold", wrong)


def entries_skipped_by_ranker() -> None:
    """Count a stretch of the log as applied without applying it."""
    from services.feed.progress import Applied
    from services.ranker.entries_folder import EntriesFolder

    take, now = EntriesFolder._take, _Every(10)

    def wrong(self: Any, entries: Any) -> None:
        if now():
            self.progress.advance(Applied(entries.epoch, 0, entries.through_sequence))
        else:
            take(self, entries)

    _put(EntriesFolder, "_take", wrong)


def window_passed_by() -> None:
    """Hold what profile answered without what came since."""
    from services.ranker.entries_folder import EntriesFolder

    _put(EntriesFolder, "bring_up", lambda *_: None)


def entries_skipped_by_profile() -> None:
    """Move the cursor without the users of a batch."""
    from services.profile.store.history_store import HistoryStore

    apply, now = HistoryStore.apply, _Every(10)

    async def wrong(self: Any, batch: Any) -> bool:
        if now():
            batch.users.clear()
        return await apply(self, batch)

    _put(HistoryStore, "apply", wrong)


def entries_applied_twice() -> None:
    """Count the events of a batch twice."""
    from services.profile.store.history_store import HistoryStore

    apply, now = HistoryStore.apply, _Every(10)

    async def wrong(self: Any, batch: Any) -> bool:
        if now():
            for change in batch.users.values():
                change.events += change.events
        return await apply(self, batch)

    _put(HistoryStore, "apply", wrong)


def digest_of_another_version() -> None:
    """Keep the first digest."""
    from services.ranker.serving_state import ServingState

    digest: Any = ServingState._digest

    async def wrong(self: Any, replica: Any, state: Any) -> None:
        if replica.tenant not in self._digests or not replica.generation:
            await digest(self, replica, state)
        kept = self._digests[replica.tenant]
        state.vectors, state.digest = kept.vectors, kept.value

    _put(ServingState, "_digest", wrong)


def nan_accepted() -> None:
    """Take a value that is no number."""
    from services.feedback.events.domain import event_cleaning

    _put(event_cleaning, "_value_fault", lambda *_: None)


def seen_lost() -> None:
    """Answer as if nothing was seen."""
    from services.profile import servicer

    _put(servicer, "usual_parts", lambda _: frozenset({"attributes", "state", "counters"}))


def order_reversed() -> None:
    """Append the events of a call in the wrong order."""
    from services.feedback.events.event_flusher import EventFlusher
    from services.feedback.events.repeated_events import FlushedEvents

    append = EventFlusher._append

    async def wrong(self: Any, connection: Any, events: Any) -> Any:
        backwards = range(len(events) - 1, -1, -1)
        found = await append(self, connection, events.taken(backwards))
        return FlushedEvents(
            found.epoch, found.fates[::-1], found.sequences[::-1], found.reasons[::-1]
        )

    _put(EventFlusher, "_append", wrong)


def payload_of_another() -> None:
    """Store an event under the payload of its neighbour."""
    from services.feedback.events import event_flusher

    append: Any = vars(event_flusher)["append_events"]

    async def wrong(connection: Any, events: Any) -> Any:
        entries = [*events.entries[1:], events.entries[0]]
        return await append(connection, replace(events, entries=entries))

    _put(event_flusher, "append_events", wrong)


def retraction_lost() -> None:
    """Move the cursor without what was taken back."""
    from services.profile.store.history_store import HistoryStore

    apply = HistoryStore.apply

    async def wrong(self: Any, batch: Any) -> bool:
        for change in batch.users.values():
            change.retracted.clear()
        return await apply(self, batch)

    _put(HistoryStore, "apply", wrong)


def fact_lost() -> None:
    """Say that facts were appended."""
    from services.feedback.user_facts.user_fact_store import UserFactStore

    append, now = UserFactStore.append, _Every(3)

    async def wrong(self: Any, tenant: str, facts: Any) -> Any:
        return (len(facts), None) if now() else await append(self, tenant, facts)

    _put(UserFactStore, "append", wrong)


def deletion_lost() -> None:
    """Go on listing what was deleted."""
    from services.ranker.domain.catalogue import Catalogue

    _put(Catalogue, "_delete", lambda *_: None)


def step_out_of_order() -> None:
    """Learn the events of a step in another order than that of the log."""
    from services.feedback.learner import learner_state
    from services.feedback.learner.model.entries import Event

    step: Any = vars(learner_state)["step"]

    def wrong(states: Any, entries: Any, *given: Any) -> Any:
        alike = all(isinstance(entry.kind, Event) for entry in entries)
        return step(states, entries[::-1] if alike else entries, *given)

    _put(learner_state, "step", wrong)


PLANTS: Mapping[str, tuple[str, Callable[[], None]]] = MappingProxyType(
    {
        "ack_before_commit": ("services.feedback", ack_before_commit),
        "no_dedupe": ("services.feedback", no_dedupe),
        "position_too_high": ("services.feedback", position_too_high),
        "cursor_skips_rows": ("services.feedback", cursor_skips_rows),
        "nan_accepted": ("services.feedback", nan_accepted),
        "order_reversed": ("services.feedback", order_reversed),
        "fact_lost": ("services.feedback", fact_lost),
        "step_out_of_order": ("services.feedback", step_out_of_order),
        "entries_left_out": ("services.feedback", entries_left_out),
        "entry_before_commit": ("services.feedback", entry_before_commit),
        "merged_backwards": ("services.feedback", merged_backwards),
        "payload_of_another": ("services.feedback", payload_of_another),
        "stale_as_fresh": ("services.ranker", stale_as_fresh),
        "frame_skipped_by_ranker": ("services.ranker", frame_skipped_by_ranker),
        "entries_skipped_by_ranker": ("services.ranker", entries_skipped_by_ranker),
        "wrong_lane": ("services.ranker", wrong_lane),
        "window_passed_by": ("services.ranker", window_passed_by),
        "digest_of_another_version": ("services.ranker", digest_of_another_version),
        "deletion_lost": ("services.ranker", deletion_lost),
        "retraction_lost": ("services.profile", retraction_lost),
        "entries_skipped_by_profile": ("services.profile", entries_skipped_by_profile),
        "entries_applied_twice": ("services.profile", entries_applied_twice),
        "seen_lost": ("services.profile", seen_lost),
    }
)
"""Planted bugs by name: the module of the process that has it, and what plants it."""


def _put(owner: Any, name: str, wrong: Any) -> None:
    """Replace something that is there."""
    assert hasattr(owner, name), f"{owner} has no {name}: the bug is not planted"
    setattr(owner, name, wrong)


def main() -> None:
    """Plant the bug where it belongs, then be the module."""
    module = sys.argv[1]
    where, plant = PLANTS.get(os.environ.get(PLANT, ""), ("", None))
    if where == module and plant is not None:
        plant()
    arm(os.environ.get(FAILPOINTS, ""), module)
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
