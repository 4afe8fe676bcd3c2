"""Keeps learned vectors of users, of which frames tell."""

import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from harken.internal.feed.v1 import frame_pb2
from services.feed.frames_client import FrameRefusedError, applied_by
from services.feed.parameters_codec import check_norms, read_user_vectors, refuse
from services.feed.progress import Applied, Progress
from services.profile.domain.changes import UserId
from services.profile.store.vector_store import (
    GenerationName,
    LearnedVector,
    Shape,
    VectorStore,
)


class VectorApplier:
    """Keeps the newest vector of each user. Vectors that were missed are not made up for: progress
    may be moved to a later point of the feed.
    """

    def __init__(
        self, store: VectorStore, stored: Applied, shapes: dict[GenerationName, Shape]
    ) -> None:
        """Go on from what is stored; `shapes` are those of the generations seen so far."""
        self.progress = Progress(stored)
        self._store = store
        self._stored = stored
        self._shapes = shapes

    @classmethod
    async def open(cls, store: VectorStore) -> Self:
        """Return an applier that goes on from the cursor in the database.

        Raises:
            StoreUnavailableError: the store is away.

        """
        return cls(store, *await store.load())

    async def apply(self, frames: Sequence[frame_pb2.Frame]) -> None:
        """Keep what frames tell, in one transaction.

        Raises:
            FrameRefusedError: a frame is wrong; those before it are applied, none after it.
            ConnectionError: another process moved the cursor: subscribe again from there.
            StoreUnavailableError: the store is away.

        """
        through = self.progress.applied
        vectors: dict[UserId, LearnedVector] = {}
        shapes: dict[GenerationName, Shape] = {}
        refusal: FrameRefusedError | None = None
        for frame in frames:
            try:
                told, learned = _read(frame, through, {**self._shapes, **shapes})
            # What is torn is a plain ValueError.
            except ValueError as fault:
                refusal = FrameRefusedError(frame.version, str(fault))
                break
            vectors.update(told)
            shapes.update(learned)
            through = applied_by(frame)
        if through != self.progress.applied:
            await self._keep(through, vectors, shapes)
        if refusal is not None:
            raise refusal

    async def _keep(
        self,
        through: Applied,
        vectors: Mapping[UserId, LearnedVector],
        shapes: Mapping[GenerationName, Shape],
    ) -> None:
        if await self._store.keep(self._stored, through, vectors, shapes):
            self._shapes.update(shapes)
            self._stored = through
            self.progress.advance(through)
            return
        expected = self._stored
        self._stored, self._shapes = await self._store.load()
        self.progress.advance(self._stored)
        raise ConnectionError(f"the cursor was moved from {expected} to {self._stored}")


def _read(
    frame: frame_pb2.Frame, after: Applied, known: Mapping[GenerationName, Shape]
) -> tuple[dict[UserId, LearnedVector], dict[GenerationName, Shape]]:
    """Return the vectors in a frame that follows `after`, and shapes that were not known.

    Raises:
        ValueError: something in it is wrong.

    """
    if frame.shard != 0:
        refuse(f"shard {frame.shard} is not ours")
    if (frame.epoch, frame.through_sequence) < (after.epoch, after.sequence):
        refuse(f"epoch {frame.epoch}, sequence {frame.through_sequence} come after {after}")
    vectors: dict[UserId, LearnedVector] = {}
    shapes: dict[GenerationName, Shape] = {}
    for changes in frame.tenants:
        tenant = changes.tenant
        if changes.HasField("activated"):
            manifest = changes.activated
            shape = Shape(manifest.dimension, manifest.max_norm)
            if shape.dimension < 1 or not 0 < manifest.max_norm < math.inf:
                refuse(f"generation {manifest.generation_id!r} has no dimension or bound")
            shapes[tenant, manifest.generation_id] = shape
        users = read_user_vectors(changes.users)
        if not users.user_keys:
            continue
        if not all(users.user_keys) or len(set(users.user_keys)) != len(users.user_keys):
            refuse("user keys are empty or doubled")
        generation_id = changes.users.generation_id
        if not generation_id or users.vectors.size == 0:
            refuse("vectors of users: no generation or no values")
        if not np.isfinite(users.vectors).all():
            refuse("vectors of users: a value is not finite")
        name = (tenant, generation_id)
        # The activation may not have been seen: the first vectors tell.
        shape = shapes.get(name) or known.get(name) or Shape(users.vectors.shape[1], None)
        shapes[name] = shape
        bound = math.inf if shape.max_norm is None else shape.max_norm
        check_norms("vectors of users", users.vectors, shape.dimension, bound)
        rows = users.vectors.astype("<f2")
        for key, row in zip(users.user_keys, rows, strict=True):
            vectors[tenant, key] = LearnedVector(
                generation_id, row.tobytes(), frame.through_sequence
            )
    return vectors, {name: shape for name, shape in shapes.items() if known.get(name) != shape}
