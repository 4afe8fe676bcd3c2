"""The learner of a shard: one active instance, fenced; every other one stands by."""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg

from harken.internal.log.v1 import entry_pb2
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.feed.progress import Applied
from services.feedback.documents.restating import restate_missed
from services.feedback.feed_server.frame_hub import FrameHub
from services.feedback.feed_server.frame_store import CommittedFrame, FrameStore
from services.feedback.feed_server.log_hub import LogHub
from services.feedback.learner.generation_keeper import GenerationKeeper
from services.feedback.learner.leadership import candidate
from services.feedback.learner.learner_metrics import LearnerMetrics
from services.feedback.learner.learner_state import LearnerState
from services.feedback.learner.learner_store import FencedError, LearnerStore
from services.feedback.learner.slate_learning_metrics import SlateLearningMetrics
from services.feedback.learner.standby import Standby
from services.feedback.log.epochs import settle_epoch
from services.feedback.log.log_store import LogRow, NewEntry
from services.feedback.user_log.eraser import Eraser

_log = logger("learner")
_OVERDUE_SECONDS = 0.5
"""Clocks of this process and of the store differ, by which the log says what is due."""
_LONGEST_REST_IN_IMPORT_SECONDS = 0.25
"""After a full step it rests for as long as the step took, at most so long, while this process
appends bulk history. Both want the same processor: the import is done sooner, and learning goes on
with at least half of the time. Live events never make it rest."""
_FRAMES_PER_CHECKPOINT = 8
_LONGEST_WITHOUT = 5
_SMALL = 1024 * 1024
"""A checkpoint waits until the frames since the last are eight times as many bytes as that was (a
MiB is free), or there are five times as many versions as there should be at least."""
_TICK = NewEntry("", None, entry_pb2.Entry(tick=entry_pb2.Tick()).SerializeToString())


@dataclass(frozen=True, slots=True)
class LearnerTimes:
    """How the learner paces itself. Seconds, versions, entries and days (0: for ever)."""

    lease_seconds: float
    tick_seconds: float
    step_entries: int
    checkpoint_versions: int
    checkpoint_seconds: float
    keep_versions: int
    slate_days: int
    step_seconds: float


class Learner:
    """Leads or stands by, for as long as it runs."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        dsn: str,
        store: LearnerStore,
        frames: FrameStore,
        state: LearnerState,
        keeper: GenerationKeeper,
        hub: FrameHub,
        log: LogHub,
        metrics: LearnerMetrics,
        slate_metrics: SlateLearningMetrics,
        times: LearnerTimes,
        importing: Callable[[], bool],
        eraser: Eraser | None = None,
    ) -> None:
        """`importing`: whether this process appends bulk history right now. `eraser` finishes
        erasures while we lead; None: nobody does.
        """
        self._pool = pool
        self._dsn = dsn
        self._store = store
        self._frames = frames
        self._state = state
        self._keeper = keeper
        self._hub = hub
        self._log = log
        self._metrics = metrics
        self._slate_metrics = slate_metrics
        self._times = times
        self._importing = importing
        self._eraser = eraser
        self._wanted_checkpoint = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self._checkpoint_version = 0
        self._checkpoint_bytes = 0
        self._frame_bytes = 0
        self._checkpoint_at = 0.0
        self._alive_at = -math.inf

    async def run(self) -> None:
        """Lead whenever possible, until cancelled."""
        standby = Standby(self._state, self._frames, self._store.holder, self._times.lease_seconds)
        while True:
            try:
                async with (
                    candidate(self._dsn) as own_session,
                    standby.turn(own_session) as turn,
                ):
                    await self._lead(turn.term, own_session, turn.last_fold)
            except FencedError as error:
                self._metrics.fenced.inc()
                _log.warning("another learner leads now", error=str(error))
            except StoreUnavailableError as error:
                _log.warning("learner lost the store", error=str(error))
                await asyncio.sleep(self._times.lease_seconds / 4)
            except Exception as error:
                # The log holds what we cannot learn from. Nothing was committed; trying again
                # keeps the fault visible and heals when its cause does. Whatever it is, the other
                # parts of the process work on.
                self._metrics.failures.inc()
                _log.error("the learner failed", exc_info=error)
                await asyncio.sleep(self._times.lease_seconds)

    async def _lead(
        self, term: int, own_session: asyncpg.Connection, last_fold: Awaitable[object]
    ) -> None:
        """Lead for as long as the session that the term names lives.

        The state is ours after `last_fold`, the end of standing by.
        """
        _log.info("leading", term=term)
        heartbeat = asyncio.create_task(self._beat(term))
        erasing: asyncio.Task[None] | None = None
        try:
            await settle_epoch(self._pool)
            await last_fold
            head = await self._frames.head()
            await self._state.catch_up(
                self._frames, Applied(head.epoch, head.version, head.sequence)
            )
            await restate_missed(
                self._pool,
                {tenant: one.documents.values() for tenant, one in self._state.states.items()},
                self._state.applied.sequence,
            )
            for tenant, state in self._state.states.items():
                self._slate_metrics.loaded(tenant, state.slates)
            # From the last checkpoint, not from the term: terms may all be short.
            last = await self._store.last_checkpoint()
            self._checkpoint_version, self._checkpoint_bytes = last.version, last.size
            self._frame_bytes = last.since
            self._checkpoint_at = time.monotonic() - last.age
            self._metrics.leads.set(1)
            self._hub.fed = True
            self._hub.wake()
            self._keeper.begin()
            self._wanted_checkpoint = 0
            if self._eraser is not None:
                erasing = asyncio.create_task(
                    self._eraser.run(self._state.applied.epoch, self._want_checkpoint)
                )
            await self._follow_log(term, heartbeat, own_session)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailableError):
                await self._store.resign(term)
            # A checkpoint may still be on its way: whoever stands by need not wait for it.
            own_session.terminate()
            raise
        finally:
            self._metrics.leads.set(0)
            self._hub.fed = False
            self._hub.wake()
            heartbeat.cancel()
            if erasing is not None:
                erasing.cancel()
            background = [
                task for task in (heartbeat, self._checkpoint, erasing) if task is not None
            ]
            self._checkpoint = None
            await asyncio.gather(*background, return_exceptions=True)
            with contextlib.suppress(StoreUnavailableError):
                await self._store.rest()

    async def _beat(self, term: int) -> None:
        """Say that we lead while no step does."""
        every = self._times.lease_seconds / 3
        self._alive_at = -math.inf
        while True:
            left = self._alive_at + every - time.monotonic()
            if left <= 0:
                await self._store.heartbeat(term)
                self._alive_at = time.monotonic()
                left = every
            await asyncio.sleep(left)

    async def _follow_log(
        self, term: int, heartbeat: asyncio.Task[None], own_session: asyncpg.Connection
    ) -> None:
        idle_since = time.monotonic()
        ticked = False
        while True:
            if heartbeat.done():
                heartbeat.result()
            if own_session.is_closed():
                raise StoreUnavailableError("the session that leads is gone")
            # A tick of ours is in the table before the hub hears of it.
            rows = await (self._read_rows() if ticked else self._next_rows())
            ticked = False
            if rows:
                began = time.monotonic()
                await self._take_step(term, rows)
                await self._keeper.settle(term, self._state)
                await self._checkpoint_when_due(term)
                idle_since = time.monotonic()
                if len(rows) < self._times.step_entries:
                    # Nobody waits for what is learned, and a step costs everyone who takes its
                    # frame about the same, whatever it holds: so events share one. Where they are
                    # rare, it is long past.
                    await asyncio.sleep(max(0.0, began + self._times.step_seconds - idle_since))
                elif self._importing():
                    await asyncio.sleep(min(idle_since - began, _LONGEST_REST_IN_IMPORT_SECONDS))
                # Read on while there may be more: what the page had, and what came meanwhile.
                more = (
                    len(rows) == self._times.step_entries
                    or rows[-1].sequence > self._state.applied.sequence
                    or self._log.newest > self._state.applied.sequence
                )
                if more:
                    continue
            elif (
                self._state.unfinished()
                or time.monotonic() - idle_since >= self._times.tick_seconds
                or self._overdue_in() <= 0
            ):
                await self._store.append_tick(term, _TICK)
                idle_since = time.monotonic()
                ticked = True
                continue
            # Woken by news; the time-out is for news that got lost, and for ticks.
            longest = min(self._times.tick_seconds, self._times.lease_seconds)
            await self._wait(min(longest, max(0.0, self._overdue_in())))

    async def _next_rows(self) -> Sequence[LogRow]:
        """Return what follows in the log, up to a step: held in this process, or read."""
        applied = self._state.applied
        # What was announced while nobody waited is only in the table.
        if self._log.head.epoch == applied.epoch and self._log.newest == self._log.head.sequence:
            held = self._log.after(applied.sequence, self._times.step_entries)
            if held is not None:
                return held
        return await self._read_rows()

    async def _read_rows(self) -> Sequence[LogRow]:
        applied = self._state.applied
        rows = await self._store.read_log(applied.sequence, self._times.step_entries)
        self._log.found(applied.epoch, applied.sequence, rows)
        return rows

    def _overdue_in(self) -> float:
        """Return the seconds until a tick is needed, so that vectors of users are sent."""
        return self._state.vectors_due_in(time.time_ns() // 1000) + _OVERDUE_SECONDS

    async def _take_step(self, term: int, rows: Sequence[LogRow]) -> None:
        began = time.time()
        before = self._state.applied
        with self._metrics.step.time():
            frame, after = await self._state.advance(rows)
        content = frame.SerializeToString()
        self._frame_bytes += len(content)
        committed_at = time.monotonic()
        with self._metrics.commit.time():
            await self._store.commit_step(term, before, after, content)
        # It moved the heartbeat, too.
        self._alive_at = committed_at
        self._hub.offer(CommittedFrame(after.epoch, after.version, after.sequence, content))
        for tenant, changes in self._state.slate_changes:
            self._slate_metrics.committed(tenant, changes, self._state.states[tenant].slates)
        taken = after.sequence - before.sequence
        self._metrics.entries.inc(taken)
        self._metrics.beyond_influence.inc(self._state.beyond_influence)
        self._metrics.held.inc(self._state.held)
        self._metrics.versions_since_checkpoint.set(after.version - self._checkpoint_version)
        self._metrics.learned.passed(*self._state.learned, began)

    async def _wait(self, seconds: float) -> None:
        """Wait until the log has more than is applied. Who read from the table is ahead of the hub,
        and waits until that moves.
        """
        head, applied = self._log.head, self._state.applied
        follows = head.epoch == applied.epoch and head.sequence >= applied.sequence
        await self._log.wait(applied.sequence if follows else head.sequence, seconds)

    async def _checkpoint_when_due(self, term: int) -> None:
        """Write a checkpoint beside the steps: only making its bytes holds them up."""
        if self._checkpoint is not None:
            if not self._checkpoint.done():
                return
            written, self._checkpoint = self._checkpoint, None
            written.result()
        version = self._state.applied.version
        versions = version - self._checkpoint_version
        wanted = 0 < self._wanted_checkpoint <= self._state.applied.sequence
        if not wanted and (
            versions < self._times.checkpoint_versions
            or time.monotonic() - self._checkpoint_at < self._times.checkpoint_seconds
            or (
                # All of the state is written: what changed should be a good part of it.
                self._frame_bytes < _FRAMES_PER_CHECKPOINT * (self._checkpoint_bytes - _SMALL)
                and versions < _LONGEST_WITHOUT * self._times.checkpoint_versions
            )
        ):
            return
        if wanted:
            self._wanted_checkpoint = 0
        self._checkpoint_version = version
        self._checkpoint_at = time.monotonic()
        chunks = await asyncio.to_thread(self._state.checkpoint)
        self._checkpoint_bytes, self._frame_bytes = sum(map(len, chunks)), 0
        self._checkpoint = asyncio.create_task(
            self._write_checkpoint(term, self._state.applied, chunks)
        )

    def _want_checkpoint(self, sequence: int) -> None:
        """Write a checkpoint that reflects a sequence of the log with the next step."""
        self._wanted_checkpoint = sequence

    async def _write_checkpoint(self, term: int, at: Applied, chunks: list[bytes]) -> None:
        await self._store.write_checkpoint(term, at, chunks)
        self._metrics.checkpoints.inc()
        size = sum(map(len, chunks))
        self._metrics.checkpoint_bytes.set(size)
        gone = await self._store.forget(self._times.keep_versions)
        if self._times.slate_days:
            await self._store.forget_slates(self._times.slate_days)
        _log.info("checkpoint", version=at.version, bytes=size, frames_forgotten=gone)
