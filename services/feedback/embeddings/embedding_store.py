"""Vectors that a backend brings, into the log."""

from collections.abc import Sequence

import asyncpg

from harken.feedback.v1 import generation_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.database import session
from services.common.errors import WrongGenerationError
from services.common.position import Position
from services.feedback.catalogue.item_directory import ItemDirectory
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.log.log_store import NewEntry, append_entries


class EmbeddingStore:
    """Knows what an embedding must fit, and appends those that do."""

    def __init__(
        self, pool: asyncpg.Pool, generations: GenerationStore, directory: ItemDirectory
    ) -> None:
        self._pool = pool
        self._generations = generations
        self._directory = directory

    async def active_generation(
        self, tenant: str, wanted: str
    ) -> generation_pb2.GenerationManifest:
        """Return the manifest of the active generation.

        Raises:
            WrongGenerationError: `wanted` is given and another one is active.

        """
        manifest = await self._generations.manifest(tenant, "")
        if wanted and wanted != manifest.generation_id:
            raise WrongGenerationError(
                f"generation {manifest.generation_id} is active, not {wanted}"
            )
        return manifest

    async def known_items(self, tenant: str, item_ids: set[str]) -> set[str]:
        """Return which of the items exist."""
        async with session(self._pool) as connection:
            unknown = await self._directory.unknown(
                connection, {(tenant, item_id) for item_id in item_ids}
            )
        return item_ids - {item_id for _, item_id in unknown}

    async def append(
        self, tenant: str, embeddings: Sequence[entry_pb2.LoggedEmbedding]
    ) -> Position:
        """Append embeddings; return their position."""
        entries = [
            NewEntry(
                tenant,
                one.user_key if one.HasField("user_key") else None,
                entry_pb2.Entry(embedding=one).SerializeToString(),
            )
            for one in embeddings
        ]
        async with session(self._pool) as connection, connection.transaction():
            return await append_entries(connection, entries)
