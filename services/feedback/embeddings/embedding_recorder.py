"""Takes a batch of vectors that a backend brings: refuses the unsound, logs the others."""

from collections.abc import Sequence

from harken.feedback.v1 import embedding_service_pb2 as pb
from services.common.position import Position
from services.common.reloadable import Reloadable
from services.common.validation import id_fault
from services.common.vault.admission import Admission
from services.common.vault.vault import UserVault
from services.feedback.embeddings.embedding_conversion import embedding_fault, logged_embedding
from services.feedback.embeddings.embedding_store import EmbeddingStore


class EmbeddingRecorder:
    """Sets vectors of items and users, one result each."""

    def __init__(
        self, store: EmbeddingStore, vault: UserVault, max_bias: Reloadable[float]
    ) -> None:
        """`max_bias`: largest absolute bias that is taken, >= 0."""
        self._store = store
        self._vault = vault
        self._max_bias = max_bias

    async def record(
        self, tenant: str, generation_id: str, embeddings: Sequence[pb.Embedding]
    ) -> tuple[list[pb.EmbeddingResult], Position | None]:
        """Return results in order, and the position when any was accepted.

        Raises:
            WrongGenerationError: `generation_id` is given, and another generation is active.

        """
        generation = await self._store.active_generation(tenant, generation_id)
        known = await self._store.known_items(
            tenant,
            {
                one.item_id
                for one in embeddings
                if one.HasField("item_id") and id_fault(one.item_id) is None
            },
        )
        faults = [
            embedding_fault(one, generation, known, self._max_bias.value) for one in embeddings
        ]
        users = Admission(self._vault, tenant)
        sound = [
            logged_embedding(one, generation, users.key_of)
            for one, fault in zip(embeddings, faults, strict=True)
            if fault is None
        ]
        await users.done()
        position = await self._store.append(tenant, sound) if sound else None
        results = []
        for ordinal, fault in enumerate(faults):
            kind, detail = fault or (pb.EMBEDDING_FAULT_UNSPECIFIED, "")
            results.append(pb.EmbeddingResult(ordinal=ordinal, fault=kind, detail=detail))
        return results, position
