"""Generations in PostgreSQL: manifests, and files in chunks."""

from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg

from harken.feedback.v1 import generation_pb2 as pb
from harken.feedback.v1 import generation_service_pb2 as service_pb
from services.common.database import Connection, session, store_faults
from services.common.errors import AlreadyExistsError, MissingResourceError

CHUNK_BYTES = 256 * 1024


class GenerationStore:
    """Reads and writes generations of all tenants."""

    def __init__(self, pool: asyncpg.Pool, kept: int = 10) -> None:
        """Keep the newest `kept` generations of a tenant, and those in use."""
        self._pool = pool
        self._kept = kept

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
            "INSERT INTO generations (tenant, generation_id, manifest, state, activated_at)"
            " VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN now() END)",
            *key,
            serialised,
            int(state),
            active,
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

        Old ones go: those that are neither among the newest, nor in use, nor what a rollback would
        go back to, nor named by frames that a learner or replica may still have to fold.

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
            await self._forget_old(connection, manifest.tenant)
        return manifest

    async def _forget_old(self, connection: Connection, tenant: str) -> None:
        await connection.execute(
            "DELETE FROM generations g WHERE tenant = $1 AND state IN ($3, $4)"
            " AND generation_id NOT IN (SELECT generation_id FROM generations WHERE tenant = $1"
            "  ORDER BY published_at DESC, generation_id DESC LIMIT $2)"
            " AND generation_id IS DISTINCT FROM (SELECT generation_id FROM generations"
            "  WHERE tenant = $1 AND state = $4 AND activated_at IS NOT NULL"
            "  ORDER BY activated_at DESC LIMIT 1)"
            " AND (state = $3 OR changed_at < (SELECT max(written_at) FROM checkpoints))",
            tenant,
            self._kept,
            int(pb.GENERATION_STATE_PUBLISHED),
            int(pb.GENERATION_STATE_RETIRED),
        )

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

    async def sample_items(self, tenant: str, count: int) -> Sequence[bytes]:
        """Return items, each a serialised Item: half of them the first by id, half by a hash of
        it; some may come twice.
        """
        with store_faults():
            rows = await self._pool.fetch(
                "(SELECT item FROM items WHERE tenant = $1 ORDER BY item_id LIMIT $2)"
                " UNION ALL (SELECT item FROM items WHERE tenant = $1"
                " ORDER BY hashtextextended(item_id, 11) LIMIT $2)",
                tenant,
                count // 2,
            )
        return [row["item"] for row in rows]

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

    async def list(self, tenant: str) -> "list[service_pb.GenerationSummary]":
        """Return what is known of the generations, newest first."""
        with store_faults():
            rows = await self._pool.fetch(
                "SELECT manifest, state, retired_reason, validation, guard, vector_rollbacks,"
                " activated_at FROM generations WHERE tenant = $1"
                " ORDER BY published_at DESC, generation_id DESC",
                tenant,
            )
        return [_summary(row) for row in rows]


def _summary(row: asyncpg.Record) -> service_pb.GenerationSummary:
    summary = service_pb.GenerationSummary(
        manifest=pb.GenerationManifest.FromString(row["manifest"]),
        state=row["state"],
        retired_reason=row["retired_reason"],
        vector_rollbacks=row["vector_rollbacks"],
    )
    if row["validation"] is not None:
        summary.validation.ParseFromString(row["validation"])
    if row["guard"] is not None:
        summary.guard.ParseFromString(row["guard"])
    if row["activated_at"] is not None:
        summary.activate_time.FromDatetime(row["activated_at"])
    return summary
