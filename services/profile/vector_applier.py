"""Keeps learned vectors of users, of which frames tell."""

from collections.abc import Mapping, Sequence
from typing import Self

from harken.internal.feed.v1 import frame_pb2
from services.common.feed_client import FrameRefusedError, applied_by
from services.common.progress import Applied, Progress
from services.profile.domain import learned_vectors as check
from services.profile.domain.changes import UserId
from services.profile.domain.learned_vectors import GenerationName, Shape
from services.profile.store.vector_store import LearnedVector, VectorStore


class VectorApplier:
    """Keeps the newest vector of each user; vectors that were missed are not made up for."""

    def __init__(
        self, store: VectorStore, progress: Progress, shapes: dict[GenerationName, Shape]
    ) -> None:
        """Go on from `progress`; `shapes` are those of the generations seen so far."""
        self.progress = progress
        self._store = store
        self._shapes = shapes

    @classmethod
    async def open(cls, store: VectorStore) -> Self:
        """Return an applier that goes on from the cursor in the database.

        Raises:
            StoreUnavailableError: the store is away.

        """
        applied, shapes = await store.load()
        return cls(store, Progress(applied), shapes)

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
            except check.FaultError as fault:
                refusal = FrameRefusedError(frame.version, str(fault))
                break
            vectors.update(told)
            shapes.update(learned)
            through = applied_by(frame)
        if through != self.progress.applied:
            await self._keep(through, vectors, shapes)
        if refusal is not None:
            raise refusal

    async def begin_at(self, point: Applied) -> None:
        """Go on from a point of the feed, though what was learned before is not known.

        Raises: as `apply` does.
        """
        await self._keep(point, {}, {})

    async def _keep(
        self,
        through: Applied,
        vectors: Mapping[UserId, LearnedVector],
        shapes: Mapping[GenerationName, Shape],
    ) -> None:
        before = self.progress.applied
        if await self._store.keep(before, through, vectors, shapes):
            self._shapes.update(shapes)
            self.progress.advance(through)
            return
        found, self._shapes = await self._store.load()
        self.progress.advance(found)
        raise ConnectionError(f"the cursor was moved from {before} to {found}")


def _read(
    frame: frame_pb2.Frame, after: Applied, known: Mapping[GenerationName, Shape]
) -> tuple[dict[UserId, LearnedVector], dict[GenerationName, Shape]]:
    """Return the vectors in a frame that follows `after`, and shapes that were not known.

    Raises:
        FaultError: something in it is wrong.

    """
    check.check_point(frame.shard, frame.epoch, frame.through_sequence, after)
    vectors: dict[UserId, LearnedVector] = {}
    learned: dict[GenerationName, Shape] = {}
    for changes in frame.tenants:
        tenant = changes.tenant
        if changes.HasField("activated"):
            manifest = changes.activated
            learned[tenant, manifest.generation_id] = check.activated_shape(
                manifest.generation_id, manifest.dimension, manifest.max_norm
            )
        deltas = changes.users
        keys = check.user_keys(deltas.user_keys)
        rows = len(deltas.vector_users)
        # Read once: every access to a bytes field makes a copy of all of it.
        table = deltas.vectors
        if rows == 0:
            if table:
                raise check.FaultError("there are vectors of nobody")
            continue
        if not deltas.generation_id:
            raise check.FaultError("vectors have no generation")
        name = (tenant, deltas.generation_id)
        shape = learned.get(name, known.get(name))
        # The activation may not have been seen: the first vectors tell.
        learned[name] = shape = check.checked_vectors(table, rows, shape)
        width = shape.dimension * 4
        for row, owner in enumerate(check.owners(deltas.vector_users, len(keys))):
            vector = table[row * width : (row + 1) * width]
            vectors[tenant, keys[owner]] = LearnedVector(deltas.generation_id, vector)
    new = {name: shape for name, shape in learned.items() if known.get(name) != shape}
    return vectors, new
