"""The learner's state in memory: loaded from checkpoint and frames, moved by steps."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace

from harken.feedback.v1 import frame_pb2, generation_pb2
from services.common.logs import logger
from services.common.onnx_model import TOWER
from services.common.progress import Applied
from services.feedback.domain.checkpoint import checkpoint
from services.feedback.domain.entries import LogEntry
from services.feedback.domain.fold import fold
from services.feedback.domain.step import States, finite, step, step_length
from services.feedback.domain.tenant_state import LearningConfig
from services.feedback.entry_conversion import TowerOf, log_entry, parse
from services.feedback.frame_conversion import (
    activations,
    changes_of,
    frame_of,
    stamp_generation,
)
from services.feedback.store.frame_store import FrameStore
from services.feedback.store.generation_store import GenerationStore
from services.feedback.store.log_store import LogRow

_INLINE_ENTRIES = 32
"""Steps of up to this many entries run on the event loop: a thread costs more than they do."""

_STEP_BYTES = 3 * 1024 * 1024
_VECTORS_PER_ENTRY = 7
"""An event moves its item and five negatives, and makes a user vector."""

_log = logger("learner")


class LearnerState:
    """State at a version. After any exception of `advance` it must be loaded anew."""

    def __init__(self, generations: GenerationStore, config: LearningConfig) -> None:
        self._generations = generations
        self._config = config
        self._towers: TowerOf = {}
        self.states: States = {}
        self.applied = Applied()

    async def load(self, frames: FrameStore, until: Applied) -> None:
        """Load the newest checkpoint and fold the frames after it, up to `until`.

        Raises:
            LookupError: frames are missing.

        """
        started = time.monotonic()
        self.states = {}
        self.applied = Applied(until.epoch, 0, 0)
        newest = await frames.newest_checkpoint()
        if newest is not None:
            async for chunk in frames.checkpoint_chunks(newest):
                await self._fold(chunk)
            self.applied = replace(newest.applied, epoch=until.epoch)
        while self.applied.version < until.version:
            page = await frames.frames_after(self.applied.version)
            if not page:
                raise LookupError(
                    f"frame {self.applied.version + 1} is missing, the head is {until.version}"
                )
            for frame in page:
                await self._fold(frame)
                self.applied = Applied(until.epoch, frame.version, frame.through_sequence)
        _log.info(
            "state loaded",
            version=self.applied.version,
            tenants=len(self.states),
            seconds=round(time.monotonic() - started, 3),
        )

    async def _fold(self, frame: frame_pb2.Frame) -> None:
        for manifest in activations(frame):
            await self._load_tower(manifest)
        changes = changes_of(frame, self._towers)
        await asyncio.to_thread(fold, self.states, changes, self._config)

    async def _load_tower(self, manifest: generation_pb2.GenerationManifest) -> None:
        key = (manifest.tenant, manifest.generation_id)
        if key not in self._towers:
            tower = await self._generations.file(*key, TOWER)
            (described,) = [file for file in manifest.files if file.name == TOWER]
            if hashlib.sha256(tower).digest() != described.sha256:
                raise LookupError(f"the item tower of {manifest.generation_id} is damaged")
            self._towers[key] = tower

    async def advance(self, rows: Sequence[LogRow]) -> tuple[frame_pb2.Frame, Applied]:
        """Take the next step from the entries that follow; return its frame and where it leads.

        The step may take fewer entries than given. The state has moved when this returns, and is
        to be thrown away if the frame cannot be committed.

        Raises:
            ArithmeticError: the step came to values that are not finite.

        """
        rows = rows[: self._fitting(rows)]
        parsed = [parse(row) for row in rows]
        for entry in parsed:
            if entry.HasField("generation_activated"):
                await self._load_tower(entry.generation_activated)
        entries = [
            log_entry(row, entry, self._towers) for row, entry in zip(rows, parsed, strict=True)
        ]
        entries = entries[: step_length(entries)]
        before = self.applied
        after = Applied(before.epoch, before.version + 1, entries[-1].sequence)
        if len(entries) <= _INLINE_ENTRIES:
            frame = self._step(entries, before, after)
        else:
            frame = await asyncio.to_thread(self._step, entries, before, after)
        self.applied = after
        return frame, after

    def _fitting(self, rows: Sequence[LogRow]) -> int:
        """Return how many of the entries make a frame of bounded size; at least one."""
        dimension = max((s.generation.dimension for s in self.states.values()), default=0)
        size = 0
        for index, row in enumerate(rows):
            size += len(row.entry) + _VECTORS_PER_ENTRY * 4 * dimension
            if size > _STEP_BYTES and index > 0:
                return index
        return len(rows)

    def _step(
        self, entries: Sequence[LogEntry], before: Applied, after: Applied
    ) -> frame_pb2.Frame:
        changes = step(self.states, entries, self._config)
        if not finite(changes):
            raise ArithmeticError(f"step after version {before.version} is not finite")
        frame = frame_of(changes, before, after, entries[-1].accepted_at_us)
        stamp_generation(
            frame, {tenant: s.generation.generation_id for tenant, s in self.states.items()}
        )
        return frame

    def checkpoint(self) -> list[bytes]:
        """Return the state as serialised chunks. No step may run meanwhile."""
        generation_of = {tenant: s.generation.generation_id for tenant, s in self.states.items()}
        chunks = []
        for changes in checkpoint(self.states):
            frame = frame_of([changes], Applied(), self.applied, 0)
            stamp_generation(frame, generation_of)
            chunks.append(frame.SerializeToString())
        if not chunks:
            chunks.append(frame_of([], Applied(), self.applied, 0).SerializeToString())
        return chunks
