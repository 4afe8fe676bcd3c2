"""Applies frames to the database: the sink of this service's feed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Self

from harken.internal.feed.v1 import frame_pb2, history_pb2
from services.common.errors import StoreUnavailableError
from services.common.feed_client import FrameRefusedError
from services.common.logs import logger
from services.common.progress import Applied, Progress
from services.profile.attributes import to_json
from services.profile.domain.frame_changes import Batch, GenerationName, Shape
from services.profile.frame_reader import event_count, read_frame, retracts
from services.profile.metrics import ProfileMetrics
from services.profile.store.attribute_store import AttributeStore, LoggedFact
from services.profile.store.behaviour_store import BehaviourStore

MAX_BATCH_EVENTS = 5_000
"""Events in one transaction, unless one frame has more: bounds memory and the time to a result."""

LARGE_FRAME_EVENTS = 100

STORE_PAUSE_SECONDS = 0.2

_log = logger("frames")


class FrameApplier:
    """Keeps the database, and the progress of this process, up to date with the feed."""

    def __init__(
        self,
        store: BehaviourStore,
        attributes: AttributeStore,
        metrics: ProfileMetrics,
        progress: Progress,
        shapes: dict[GenerationName, Shape],
    ) -> None:
        """Go on from `progress`; `shapes` are those of the generations seen so far."""
        self.progress = progress
        self.rebuilding = False
        """While history is applied: what users did is there only up to some earlier time."""
        self._store = store
        self._attributes = attributes
        self._metrics = metrics
        self._shapes = shapes

    @classmethod
    async def open(
        cls, store: BehaviourStore, attributes: AttributeStore, metrics: ProfileMetrics
    ) -> Self:
        """Return an applier that goes on from the cursor in the database.

        Raises:
            StoreUnavailableError: the store is away.
            RuntimeError: the schema was never migrated.

        """
        applied, shapes = await _load(store)
        return cls(store, attributes, metrics, Progress(applied), shapes)

    async def apply(self, frames: Sequence[frame_pb2.Frame]) -> None:
        """Apply frames, each exactly once.

        Readers see them, and who waits for a position is woken, as soon as they are committed; they
        are on disk after `settle`.

        Raises:
            FrameRefusedError: a frame is wrong; those before it are applied, none after it.
            ConnectionError: the frames do not follow what is applied: subscribe again.
            StoreUnavailableError: the store was away; it is back, and progress is what it holds.

        """
        pending = list(frames)
        try:
            while pending:
                pending = await self._apply_some(pending)
        except StoreUnavailableError:
            await self._find_cursor()
            raise

    async def settle(self) -> None:
        """Return when all that was applied is on disk.

        Raises:
            StoreUnavailableError: the store was away; it is back, and progress is what it holds.

        """
        try:
            await self._store.flush()
        except StoreUnavailableError:
            await self._find_cursor()
            raise

    async def find_progress(self) -> None:
        """Go on from the cursor in the database, once the store is there."""
        await self._find_cursor()

    async def rebuild(self, parts: AsyncIterator[history_pb2.History]) -> None:
        """Apply history, each part once, then go on with frames from where it ends.

        Raises: as `apply` does.
        """
        self.rebuilding = True
        self._metrics.rebuilding.set(1)
        self._metrics.rebuilds.inc()
        began = self.progress.applied
        _log.warning("frames are gone: users are made again from the log", before=began.sequence)
        try:
            async for part in parts:
                await self._apply_history(part)
        except StoreUnavailableError:
            await self._find_cursor()
            raise
        finally:
            self.rebuilding = False
            self._metrics.rebuilding.set(0)
        _log.warning("users are made again", head=self.progress.applied.sequence)

    async def _apply_history(self, part: history_pb2.History) -> None:
        before = self.progress.applied
        if part.after_sequence == 0:
            if not await self._store.start_over(before):
                raise await self._moved(before)
            before = Applied()
            self.progress.advance(before)
            self._shapes = {}
        content = part.content
        if content.through_sequence <= before.sequence and not part.last:
            # Another process applied it meanwhile.
            return
        if part.after_sequence != before.sequence:
            raise ConnectionError(
                f"history after {part.after_sequence} does not follow {before.sequence}"
            )
        for facts in part.facts:
            await self._attributes.bring_back(
                facts.tenant,
                [
                    LoggedFact(fact.user_key, fact.revision, to_json(fact.attributes))
                    for fact in facts.facts
                ],
            )
        changes = read_frame(content, before, self._shapes)
        version = content.version if part.last else before.version
        batch = Batch(before, before)
        batch.add(changes)
        batch.through = Applied(content.epoch, version, content.through_sequence)
        if not await self._store.apply(batch):
            raise await self._moved(before)
        self._shapes.update(batch.shapes)
        self.progress.advance(batch.through)
        self._metrics.events.inc(batch.events)

    async def _moved(self, expected: Applied) -> ConnectionError:
        """Go on from a cursor that another process moved; return why to subscribe again."""
        await self._find_cursor()
        self._metrics.cursor_conflicts.inc()
        found = self.progress.applied
        return ConnectionError(f"the cursor was moved from {expected} to {found}")

    async def restart(self, chunks: AsyncIterator[frame_pb2.Frame]) -> None:
        """Refuse: counters and seen items are made of every event, which no snapshot holds.

        Raises:
            NotImplementedError: always.

        """
        raise NotImplementedError(
            "the profile service cannot start from a snapshot: it counts every event"
        )

    async def _apply_some(self, pending: list[frame_pb2.Frame]) -> list[frame_pb2.Frame]:
        """Apply the first frames in one transaction; return those that are left."""
        after = self.progress.applied
        batch = Batch(after=after, through=after)
        taken = 0
        refusal: FrameRefusedError | None = None
        for frame in pending:
            if taken and batch.events + event_count(frame) > MAX_BATCH_EVENTS:
                break
            # What is taken back must be stored already, and what follows comes after.
            if taken and (retracts(frame) or retracts(pending[taken - 1])):
                break
            if frame.after_version != batch.through.version:
                raise ConnectionError(
                    f"frame {frame.version} does not follow version {batch.through.version}"
                )
            try:
                batch.add(read_frame(frame, batch.through, {**self._shapes, **batch.shapes}))
            except FrameRefusedError as error:
                refusal = error
                break
            taken += 1
            if event_count(frame) >= LARGE_FRAME_EVENTS:
                # Reading it took milliseconds; calls get their turn in between.
                await asyncio.sleep(0)
        if taken:
            started = time.perf_counter()
            if not await self._store.apply(batch):
                return await self._follow_cursor(pending)
            self._shapes.update(batch.shapes)
            self.progress.advance(batch.through)
            self._metrics.events.inc(batch.events)
            self._metrics.apply_seconds.observe(time.perf_counter() - started)
        if refusal is not None:
            raise refusal
        return pending[taken:]

    async def _find_cursor(self) -> None:
        """Wait for the store, and go on from the cursor it has.

        That may be earlier than our progress: a crash takes what was committed and not flushed.
        It may also be later: a commit may succeed without our hearing of it.
        """
        while True:
            try:
                applied, self._shapes = await _load(self._store)
            except StoreUnavailableError as error:
                _log.warning("waiting for the store", error=str(error))
                await asyncio.sleep(STORE_PAUSE_SECONDS)
            else:
                self.progress.advance(applied)
                return

    async def _follow_cursor(self, pending: list[frame_pb2.Frame]) -> list[frame_pb2.Frame]:
        """Catch up with a cursor that somebody else moved; return the frames beyond it."""
        before = self.progress.applied
        applied, self._shapes = await _load(self._store)
        self._metrics.cursor_conflicts.inc()
        _log.warning("cursor was moved", expected=before.version, found=applied.version)
        self.progress.advance(applied)
        return [frame for frame in pending if frame.version > applied.version]


async def _load(store: BehaviourStore) -> tuple[Applied, dict[GenerationName, Shape]]:
    """Return the cursor and the shapes in the database.

    A cursor at the beginning means that nothing is applied, whatever the tables hold: setting it
    there is how an operator has all of it made again.
    """
    applied, shapes = await store.load()
    if applied == Applied() and await store.start_over(applied):
        shapes = {}
    return applied, shapes
