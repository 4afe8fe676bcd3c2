"""Generations in PostgreSQL: manifests, and files in chunks."""

from collections.abc import AsyncIterator, Mapping

import asyncpg

from harken.feedback.v1 import generation_pb2 as pb
from services.common.database import Connection, session, store_faults
from services.common.errors import AlreadyExistsError, MissingResourceError

CHUNK_BYTES = 256 * 1024


class GenerationStore:
    """Reads and writes generations of all tenants."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def insert(
        self,
        connection: Connection,
        serialised: bytes,
        files: Mapping[str, bytes],
        active: bool,
    ) -> None:
        """Store a generation in the caller's transaction."""
        manifest = pb.GenerationManifest.FromString(serialised)
        key = (manifest.tenant, manifest.generation_id)
        state = pb.GENERATION_STATE_ACTIVE if active else pb.GENERATION_STATE_PUBLISHED
        await connection.execute(
            "INSERT INTO generations (tenant, generation_id, manifest, state)"
            " VALUES ($1, $2, $3, $4)",
            *key,
            serialised,
            int(state),
        )
        rows = [
            (*key, name, index, content[start : start + CHUNK_BYTES])
            for name, content in files.items()
            for index, start in enumerate(range(0, len(content), CHUNK_BYTES))
        ]
        await connection.copy_records_to_table(
            "generation_chunks",
            records=rows,
            columns=["tenant", "generation_id", "name", "chunk", "data"],
        )

    async def publish(
        self, manifest: pb.GenerationManifest, files: Mapping[str, bytes]
    ) -> pb.GenerationManifest:
        """Store a generation that does not serve yet; the same content again is fine.

        Raises:
            AlreadyExistsError: the id is taken by other content.

        """
        async with session(self._pool) as connection, connection.transaction():
            manifest.publish_time.FromDatetime(await connection.fetchval("SELECT now()"))
            try:
                async with connection.transaction():
                    await self.insert(connection, manifest.SerializeToString(), files, active=False)
            except asyncpg.UniqueViolationError:
                return await self._same(connection, manifest)
        return manifest

    async def _same(
        self, connection: Connection, manifest: pb.GenerationManifest
    ) -> pb.GenerationManifest:
        stored = pb.GenerationManifest.FromString(
            await connection.fetchval(
                "SELECT manifest FROM generations WHERE tenant = $1 AND generation_id = $2",
                manifest.tenant,
                manifest.generation_id,
            )
        )
        candidate = pb.GenerationManifest()
        candidate.CopyFrom(manifest)
        candidate.publish_time.CopyFrom(stored.publish_time)
        if candidate != stored:
            raise AlreadyExistsError(f"generation {manifest.generation_id} exists already")
        return stored

    async def manifest(self, tenant: str, generation_id: str) -> pb.GenerationManifest:
        """Return a manifest; the active one's when `generation_id` is empty.

        Raises:
            MissingResourceError: there is no such generation.

        """
        with store_faults():
            serialised = await self._pool.fetchval(
                "SELECT manifest FROM generations WHERE tenant = $1"
                " AND CASE WHEN $2 = '' THEN state = $3 ELSE generation_id = $2 END",
                tenant,
                generation_id,
                int(pb.GENERATION_STATE_ACTIVE),
            )
        if serialised is None:
            raise MissingResourceError(f"tenant {tenant} has no generation {generation_id!r}")
        return pb.GenerationManifest.FromString(serialised)

    async def chunks(self, tenant: str, generation_id: str, name: str) -> AsyncIterator[bytes]:
        """Yield a file in chunks."""
        index = 0
        while True:
            with store_faults():
                data = await self._pool.fetchval(
                    "SELECT data FROM generation_chunks WHERE tenant = $1"
                    " AND generation_id = $2 AND name = $3 AND chunk = $4",
                    tenant,
                    generation_id,
                    name,
                    index,
                )
            if data is None:
                return
            yield data
            index += 1

    async def file(self, tenant: str, generation_id: str, name: str) -> bytes:
        """Return a whole file."""
        return b"".join([chunk async for chunk in self.chunks(tenant, generation_id, name)])

    async def list(self, tenant: str) -> "list[tuple[pb.GenerationManifest, pb.GenerationState]]":
        """Return manifests and states, newest first."""
        with store_faults():
            rows = await self._pool.fetch(
                "SELECT manifest, state FROM generations WHERE tenant = $1"
                " ORDER BY published_at DESC, generation_id DESC",
                tenant,
            )
        return [(pb.GenerationManifest.FromString(row["manifest"]), row["state"]) for row in rows]
