"""The learner's state in memory: loaded from checkpoint and frames, moved by steps."""

import asyncio
import hashlib
import math
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

from harken.feedback.v1 import generation_pb2
from harken.internal.feed.v1 import frame_pb2
from services.common.logs import logger
from services.common.onnx_model import ITEM_VECTORS, SCORER, TOWER
from services.feed.progress import Applied
from services.feedback.feed_server.frame_store import FrameStore
from services.feedback.generations.generation_conversion import (
    FilesOf,
    GenerationFiles,
    trained_vectors,
)
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.learner.frame_conversion import changes_of, frame_of, named_generations
from services.feedback.learner.model.checkpoint import checkpoint
from services.feedback.learner.model.entries import Event, LogEntry
from services.feedback.learner.model.fold import fold
from services.feedback.learner.model.placement import unfinished
from services.feedback.learner.model.promotion import Verdict, verdict_of
from services.feedback.learner.model.slate_learning import SlateChanges
from services.feedback.learner.model.step import States, finite, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig
from services.feedback.learner.slate_frames import SlatesOf, named_slates
from services.feedback.log.entry_conversion import log_entry, parse, user_entries, with_events
from services.feedback.log.log_store import LogRow

EntriesOf = Callable[[Collection[int]], Awaitable[Sequence[LogRow]]]

_INLINE_ENTRIES = 32
"""Steps of up to this many entries run on the event loop: a thread costs more than they do."""

_CATCH_UP_VERSIONS = 20_000
"""Farther behind than this, the newest checkpoint is nearer."""

_PAGE_ENTRIES = 1000
_STEP_BYTES = 3 * 1024 * 1024
_VECTORS_PER_ENTRY = 6
"""An event moves its item and five negatives."""

_log = logger("learner")


class _LogPages:
    """Reads the log beside frames, in pages that are larger than most of their steps."""

    def __init__(self, frames: FrameStore, until: int) -> None:
        """Read up to the sequence `until`."""
        self._frames = frames
        self._until = until
        self._rows: list[LogRow] = []

    async def between(self, after: int, through: int) -> list[LogRow]:
        """Return the entries after a sequence through another, and forget them."""
        found: list[LogRow] = []
        while after < through:
            if not self._rows:
                self._rows = await self._frames.log_after(after, self._until, _PAGE_ENTRIES)
                if not self._rows:
                    # What is left was dropped from the log.
                    return found
            own = bisect_right(self._rows, through, key=lambda row: row.sequence)
            if not own:
                return found
            found += self._rows[:own]
            after = found[-1].sequence
            del self._rows[:own]
        return found


class LearnerState:
    """State at a version. After any exception of `advance` it must be loaded anew."""

    def __init__(
        self,
        generations: GenerationStore,
        config: LearningConfig,
        entries_of: EntriesOf | None = None,
    ) -> None:
        """`entries_of` reads entries of the log by their sequences; None: it has none of them, so
        that erased users are hidden and not unlearned.
        """
        self._generations = generations
        self._entries_of = entries_of
        self._config = config
        self._files: FilesOf = {}
        self.states: States = {}
        self.applied = Applied()
        self.slate_changes: list[tuple[str, SlateChanges]] = []
        """What the last step learned from slates, by tenant."""
        self.beyond_influence = 0
        """Events of the last step beyond their user's daily influence."""
        self.held = 0
        """Events of the last step beyond what may go to their item in a while."""
        self.learned: tuple[list[int], list[int]] = ([], [])
        """Of the events of the last step: when they were accepted, unix microseconds, and their
        sequences."""
        self._log_time_us = 0
        self._as_committed = False

    async def catch_up(self, frames: FrameStore, until: Applied) -> None:
        """Fold what was committed since the last call, up to `until`; load anew when need be.

        The need arises after steps of our own, some of which may not have been committed, after a
        fault, in another epoch, and when we are too far behind.

        Raises:
            LookupError: frames are missing.

        """
        behind = until.version - self.applied.version
        usable = self._as_committed and until.epoch == self.applied.epoch
        if not usable or not 0 <= behind <= _CATCH_UP_VERSIONS:
            await self.load(frames, until)
            return
        self._as_committed = False
        await self._fold_after(frames, until)
        self._as_committed = True

    async def load(self, frames: FrameStore, until: Applied) -> None:
        """Load the newest checkpoint and fold the frames after it, up to `until`.

        Raises:
            LookupError: frames are missing.

        """
        started = time.monotonic()
        self._as_committed = False
        self.states = {}
        self.applied = Applied(until.epoch, 0, 0)
        # Whoever leads may write a newer one meanwhile, and forget what we read.
        pin = await frames.pin_newest()
        try:
            if pin is not None:
                async for chunk in frames.checkpoint_chunks(pin.checkpoint):
                    await self._fold(chunk, frames, None)
                    await pin.renew()
                self.applied = replace(pin.checkpoint.applied, epoch=until.epoch)
            await self._fold_after(frames, until)
        finally:
            if pin is not None:
                await pin.release()
        self._as_committed = True
        _log.info(
            "state loaded",
            version=self.applied.version,
            tenants=len(self.states),
            seconds=round(time.monotonic() - started, 3),
        )

    async def _fold_after(self, frames: FrameStore, until: Applied) -> None:
        log = _LogPages(frames, until.sequence)
        while self.applied.version < until.version:
            page = await frames.frames_after(self.applied.version)
            if not page:
                raise LookupError(
                    f"frame {self.applied.version + 1} is missing, the head is {until.version}"
                )
            for frame in page:
                if frame.version > until.version:
                    # It came meanwhile, and the log is read no further.
                    break
                rows = await log.between(self.applied.sequence, frame.through_sequence)
                await self._fold(frame.parsed(), frames, rows)
                self.applied = Applied(until.epoch, frame.version, frame.through_sequence)
        self._forget_files()

    async def _fold(
        self, frame: frame_pb2.Frame, frames: FrameStore, rows: Sequence[LogRow] | None
    ) -> None:
        """Fold a frame with the entries that it was made from; a chunk of a checkpoint has none."""
        for manifest in named_generations(frame):
            await self._load_files(manifest)
        slates = await frames.slates(named_slates(frame))
        # Named here: a thread goes on when whoever waits for it is cancelled, and must not meet
        # the states of a load that comes after.
        await asyncio.to_thread(self._fold_loaded, self.states, self._files, frame, slates, rows)

    def _fold_loaded(
        self,
        states: States,
        files: FilesOf,
        frame: frame_pb2.Frame,
        slates: SlatesOf,
        rows: Sequence[LogRow] | None,
    ) -> None:
        changes = changes_of(frame, files, slates)
        if rows is None:
            fold(states, changes, self._config)
        else:
            fold(states, changes, self._config, user_entries(rows), frame.accepted_at_us)

    async def _load_files(self, manifest: generation_pb2.GenerationManifest) -> None:
        key = (manifest.tenant, manifest.generation_id)
        if key in self._files:
            return
        tower = await self._file(manifest, TOWER)
        assert tower is not None
        trained = await self._file(manifest, ITEM_VECTORS)
        self._files[key] = GenerationFiles(
            tower,
            None if trained is None else trained_vectors(trained, manifest.dimension),
            await self._file(manifest, SCORER) or b"",
        )

    async def _file(self, manifest: generation_pb2.GenerationManifest, name: str) -> bytes | None:
        """Return a file, None when the generation has none of this name.

        Raises:
            LookupError: it is not what the manifest says.

        """
        described = [file for file in manifest.files if file.name == name]
        if not described:
            return None
        content = await self._generations.file(manifest.tenant, manifest.generation_id, name)
        digest = await asyncio.to_thread(hashlib.sha256, content)
        if digest.digest() != described[0].sha256:
            raise LookupError(f"{name} of {manifest.generation_id} is damaged")
        return content

    def _forget_files(self) -> None:
        """Keep no files: what is needed of them, spaces hold."""
        self._files.clear()

    async def advance(self, rows: Sequence[LogRow]) -> tuple[frame_pb2.Frame, Applied]:
        """Take the next step from the entries that follow; return its frame and where it leads.

        The step may take fewer entries than given. The state has moved when this returns, and is
        to be thrown away if the frame cannot be committed.

        Raises:
            ArithmeticError: the step came to values that are not finite.

        """
        self._as_committed = False
        rows = rows[: self._fitting(rows)]
        parsed = [parse(row) for row in rows]
        for entry in parsed:
            if entry.HasField("generation_activated"):
                await self._load_files(entry.generation_activated)
            elif entry.HasField("generation_staged"):
                await self._load_files(entry.generation_staged.manifest)
        entries = [
            log_entry(row, entry, self._files) for row, entry in zip(rows, parsed, strict=True)
        ]
        self._forget_files()
        entries = entries[: step_length(entries)]
        first = parsed[0].user_erased
        if first.unlearn and self._entries_of is not None:
            entries = [with_events(entries[0], await self._entries_of(first.event_sequences))]
        before = self.applied
        after = Applied(before.epoch, before.version + 1, entries[-1].sequence)
        inline = len(entries) <= _INLINE_ENTRIES and not first.unlearn
        if inline and not self.unfinished():
            frame = self._step(entries, before, after)
        else:
            frame = await asyncio.to_thread(self._step, entries, before, after)
        self.applied = after
        self._log_time_us = max(self._log_time_us, entries[-1].accepted_at_us)
        return frame, after

    def unfinished(self) -> bool:
        """Return whether the next step has work to do even when no entry comes."""
        return any(unfinished(state) for state in self.states.values())

    def vectors_due_in(self, now_us: int) -> float:
        """Return the seconds until vectors of users are due to be sent; infinity: none are."""
        period = self._config.user_vectors_us
        return min(
            (
                (state.touched_since_us + period - now_us) / 1e6
                for state in self.states.values()
                if state.touched
            ),
            default=math.inf,
        )

    def verdicts(self) -> list[Verdict]:
        """Return what is due with generations that do not serve."""
        found = (verdict_of(state, self._log_time_us) for state in self.states.values())
        return [verdict for verdict in found if verdict is not None]

    def _fitting(self, rows: Sequence[LogRow]) -> int:
        """Return how many of the entries make a frame of bounded size; at least one."""
        dimension = max(
            (sum(space.dimension for space in s.spaces.values()) for s in self.states.values()),
            default=0,
        )
        size = 0
        for index, row in enumerate(rows):
            size += len(row.entry) + _VECTORS_PER_ENTRY * 4 * dimension
            if size > _STEP_BYTES and index > 0:
                return index
        return len(rows)

    def _step(
        self, entries: Sequence[LogEntry], before: Applied, after: Applied
    ) -> frame_pb2.Frame:
        changes = step(self.states, entries, self._config, after.version)
        self.slate_changes = [(one.tenant, one.slates) for one in changes if one.slates is not None]
        events = [entry for entry in entries if isinstance(entry.kind, Event)]
        self.learned = (
            [entry.accepted_at_us for entry in events], [entry.sequence for entry in events]
        )  # fmt: skip
        self.beyond_influence = sum(one.beyond_influence for one in changes)
        self.held = sum(one.held for one in changes)
        if not finite(changes):
            raise ArithmeticError(f"step after version {before.version} is not finite")
        return frame_of(changes, before, after, entries[-1].accepted_at_us)

    def checkpoint(self) -> list[bytes]:
        """Return the state as serialised chunks. No step may run meanwhile."""
        chunks = [
            frame_of([changes], Applied(), self.applied, 0).SerializeToString()
            for changes in checkpoint(self.states)
        ]
        if not chunks:
            chunks.append(frame_of([], Applied(), self.applied, 0).SerializeToString())
        return chunks
