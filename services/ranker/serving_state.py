"""What this replica serves from, for operators and for comparing replicas."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.arrays import Float32s
from services.feed.progress import Progress
from services.ranker.domain.item_index import digest_of
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.frame_applier import FrameApplier
from services.ranker.readiness import Readiness


@dataclass(frozen=True, slots=True)
class _Digest:
    """A digest, how many vectors it covers, and the state it was taken of."""

    taken_of: tuple[object, ...]
    vectors: int
    value: bytes


class ServingState:
    """Reads state and digests. A digest is taken anew only when items or vectors changed."""

    def __init__(self, folder: FrameApplier, entries: Progress, readiness: Readiness) -> None:
        self._folder = folder
        self._entries = entries
        self._readiness = readiness
        self._digests: dict[str, _Digest] = {}
        self._reading = asyncio.Lock()

    async def read(self) -> pb.GetServingStateResponse:
        """Return the state as of one version, though hashing takes its time meanwhile."""
        # One after the other: each may copy all vectors, and the next one may find them hashed.
        async with self._reading:
            return await self._read()

    async def _read(self) -> pb.GetServingStateResponse:
        self._readiness.refresh()
        applied = self._folder.progress.applied
        response = pb.GetServingStateResponse(
            ready=self._readiness.ready,
            connected=self._readiness.connected,
            epoch=applied.epoch,
            version=applied.version,
            head_version=max(self._readiness.head_version, applied.version),
            position=self._entries.position(),
            learned_position=self._folder.progress.position(),
            head_sequence=max(self._readiness.head_sequence, self._entries.applied.sequence),
            entries_lag=self._readiness.entries_lag,
        )
        hashing = []
        for tenant, replica in sorted(self._folder.replicas.items()):
            generation = replica.generation
            state = response.tenants.add(
                tenant=tenant,
                generation_id="" if generation is None else generation.generation_id,
                items=replica.catalogue.catalogued_count,
                cached_users=len(replica.users),
                other_generation_id=replica.other_generation_id,
                vector_rollbacks=replica.vector_rollbacks,
            )
            head = replica.head
            if head is not None and head.generation_id == state.generation_id:
                state.head_slates = head.slates
            for _, one in sorted(replica.figures.items()):
                state.outcomes.add(**one._asdict())
            begun = self._digest(replica, state)
            if begun is not None:
                hashing.append(begun)
        await asyncio.gather(*hashing)
        return response

    def _digest(
        self, replica: TenantReplica, state: pb.TenantState
    ) -> Coroutine[Any, Any, None] | None:
        """Put the digest into `state`, or return what does so: the rows are copied already.

        Not a coroutine itself: it would begin later, when frames may have been folded.
        """
        index = replica.index
        taken_of = (replica, index, index.revision, replica.catalogue.revision)
        known = self._digests.get(replica.tenant)
        if known is not None and known.taken_of == taken_of:
            state.vectors, state.digest = known.vectors, known.value
            return None
        item_ids, ordinals = replica.digest_order()
        return self._hash(replica.tenant, state, taken_of, item_ids, index.copy_rows(ordinals))

    async def _hash(
        self,
        tenant: str,
        state: pb.TenantState,
        taken_of: tuple[object, ...],
        item_ids: list[str],
        rows: Float32s,
    ) -> None:
        value = await asyncio.to_thread(digest_of, item_ids, rows)
        self._digests[tenant] = _Digest(taken_of, len(item_ids), value)
        state.vectors, state.digest = len(item_ids), value
