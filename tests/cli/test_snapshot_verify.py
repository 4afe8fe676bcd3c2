"""`harken snapshot verify` on a real suite: whole, and with a damaged checkpoint (truths 4, 6)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import numpy as np

from harken.internal.feed.v1 import frame_pb2
from services.cli.suite import Suite
from tests.cli.harken_process import Finished, harken
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import caller_of, catalogue, event
from tests.waiting import until

VERSIONS = 30


def turned(content: bytes) -> bytes:
    """Return the chunk with other vectors of the same length: nothing but the digest shows it."""
    frame = frame_pb2.Frame.FromString(content)
    for changes in frame.tenants:
        if changes.item_vectors.vectors:
            vectors = np.frombuffer(changes.item_vectors.vectors, "<f4")
            changes.item_vectors.vectors = (-vectors).tobytes()
    return frame.SerializeToString()


def not_finite(content: bytes) -> bytes:
    frame = frame_pb2.Frame.FromString(content)
    for changes in frame.tenants:
        if changes.item_vectors.vectors:
            vectors = np.frombuffer(changes.item_vectors.vectors, "<f4").copy()
            vectors[5] = np.nan
            changes.item_vectors.vectors = vectors.tobytes()
    return frame.SerializeToString()


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


def rows_missing(content: bytes) -> bytes:
    frame = frame_pb2.Frame.FromString(content)
    for changes in frame.tenants:
        if changes.item_vectors.vectors:
            changes.item_vectors.vectors = changes.item_vectors.vectors[:-4]
    return frame.SerializeToString()


@contextlib.asynccontextmanager
async def admin_of(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def damage(database: FreshDatabase, change: Callable[[bytes], bytes]) -> list[asyncpg.Record]:
    """Change every chunk of the newest checkpoint; return what they were."""
    async with admin_of(database) as admin:
        chunks = await admin.fetch(
            "SELECT version, chunk, content FROM feedback.checkpoint_chunks"
            " WHERE version = (SELECT max(version) FROM feedback.checkpoints)"
        )
        for one in chunks:
            await admin.execute(
                "UPDATE feedback.checkpoint_chunks SET content = $3"
                " WHERE version = $1 AND chunk = $2",
                one["version"], one["chunk"], change(one["content"]),
            )  # fmt: skip
    return list(chunks)


async def verify(suite: Suite, folder: Path) -> Finished:
    return await harken("snapshot", "verify", folder=folder, endpoints=suite.endpoints)


async def test_a_snapshot_is_compared_with_all_rankers_and_damage_is_found(
    suite: StartSuite, database: FreshDatabase, tmp_path: Path
) -> None:
    running: Suite = await asyncio.to_thread(
        suite,
        rankers=2,
        preset="media",
        environment={
            "feedback": {
                "HARKEN_FEEDBACK_CHECKPOINT_VERSIONS": str(VERSIONS),
                "HARKEN_FEEDBACK_CHECKPOINT_SECONDS": "0.1",
                "HARKEN_FEEDBACK_TICK_SECONDS": "60",
            }
        },
    )
    async with admin_of(database) as admin, caller_of(running) as caller:
        await caller.upsert(*catalogue())
        number = 0
        while not await admin.fetchval("SELECT count(*) FROM feedback.checkpoints"):
            again = event(f"e{number}", f"u{number % 5}", f"space-{number % 20 * 3}")
            # One after the other: what is learned after the checkpoint may say all vectors again.
            await caller.slate("u1", await caller.record(again))
            number += 1
        # Frames after it, which move vectors further.
        last = b""
        for more in range(5):
            last = await caller.record(event(f"more-{more}", "u1", f"crime-{2 + 3 * more}"))
        for replica in range(2):
            await caller.slate("u1", last, replica=replica)
        version = await admin.fetchval("SELECT max(version) FROM feedback.checkpoints")

        whole = await verify(running, tmp_path)
        assert whole.code == 0, whole.output + whole.errors
        assert "all is well" in whole.output
        assert "compared with 2 rankers" in whole.output
        assert f"version {version}," in whole.output
        state = await caller.state()
        assert state.tenants[0].digest.hex()[:12] in whole.output

        for change, says in (
            (turned, "the snapshot leads to"),
            (not_finite, "a vector is not finite"),
            (rows_missing, "bytes, not"),
            (torn, "feed broke"),
        ):
            before = await damage(database, change)
            found = await verify(running, tmp_path)
            assert found.code == 1, change
            assert "DIFFERS" in found.output
            assert says in found.output.replace("\n", " ")
            for one in before:
                await admin.execute(
                    "UPDATE feedback.checkpoint_chunks SET content = $3"
                    " WHERE version = $1 AND chunk = $2",
                    one["version"], one["chunk"], one["content"],
                )  # fmt: skip
        assert (await verify(running, tmp_path)).code == 0

        # A ranker that does not answer is a fault, not a silence.
        await asyncio.to_thread(running.kill, "ranker-2")
        found = await verify(running, tmp_path)
        assert found.code == 1
        assert "does not answer" in found.output


async def test_a_suite_without_a_checkpoint_is_verified_from_its_frames(
    suite: StartSuite, tmp_path: Path
) -> None:
    running: Suite = await asyncio.to_thread(suite, preset="media")
    async with caller_of(running) as caller:
        await caller.upsert(*catalogue())

        async def reached() -> bool:
            return len((await caller.state()).tenants) == 1

        await until(reached, "the catalogue")
        found = await verify(running, tmp_path)
    assert found.code == 0, found.output
    assert "version 0, log sequence 0, 1 chunks, 0 bytes" in found.output
