"""Taking a backup of a running suite.

pg_dump reads each schema in one REPEATABLE READ snapshot, which we export and in which the
manifest's numbers are read, too. The profile schema is read first: its cursor is then never beyond
the log of the feedback schema, so that after a restore profile goes on from its cursor. Retention
is held up between the two snapshots, so that the frames after the cursor are in the backup.
"""

import asyncio
import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from services.cli.backup.connection import connected
from services.cli.backup.manifest import Manifest, Part
from services.cli.backup.postgres_clients import failed, find_clients
from services.cli.backup.schema_reading import (
    FEEDBACK,
    PROFILE,
    estimated_bytes,
    feed_point,
    migrations,
    row_counts,
)
from services.cli.backup.store_dsns import StoreDsns
from services.cli.failures import CommandError

_APPLICATION = "harken-backup"
_RETENTION_TURN = "SELECT feedback.take_turn('retention', true)"
"""Sharing the turn in which feedback forgets frames holds that up."""
_CHUNK_BYTES = 1 << 20

Progress = Callable[[str, int, int], None]
"""Hears the schema, the bytes written, and about how many it will be."""


_EMPTIED = {FEEDBACK: ("log", "frames", "checkpoint_chunks")}
"""Tables by schema of which the learner empties children, rather than delete rows."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """An open transaction and the name that lets others read in it."""

    dsn: str
    schema: str
    connection: asyncpg.Connection
    name: str


async def take_backup(dsns: StoreDsns, folder: Path, progress: Progress) -> Manifest:
    """Write a backup into `folder`, which must not be there; it appears when it is complete.

    Raises:
        CommandError: the folder is there, a program is missing, or PostgreSQL refuses.

    """
    partial = _fresh(folder)
    manifest = await _take(dsns, partial, progress)
    manifest.write(partial)
    partial.rename(folder)
    return manifest


def _fresh(folder: Path) -> Path:
    """Return the folder, empty, that gets its name when it is complete."""
    if folder.exists():
        raise CommandError(f"{folder} is there already: a backup gets a folder of its own")
    partial = folder.with_name(f"{folder.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True, mode=0o700)
    return partial


async def _take(dsns: StoreDsns, folder: Path, progress: Progress) -> Manifest:
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with contextlib.AsyncExitStack() as stack:
        holder = await stack.enter_async_context(connected(dsns.feedback, _APPLICATION))
        async with holder.transaction():
            # Before its migration 070 feedback has no turns.
            if await holder.fetchval("SELECT to_regclass('feedback.turns') IS NOT NULL"):
                await holder.execute(_RETENTION_TURN)
            profile = await stack.enter_async_context(held_snapshot(dsns.profile, PROFILE))
            feedback = await stack.enter_async_context(held_snapshot(dsns.feedback, FEEDBACK))
        # From now on it is in our snapshot, whatever is forgotten.
        parts = [await _dump(snapshot, folder, progress) for snapshot in (feedback, profile)]
    held, derived = (part.at for part in parts)
    if derived.sequence > held.sequence or derived.epoch > held.epoch:
        raise CommandError(
            f"profile is at sequence {derived.sequence} of epoch {derived.epoch}, beyond "
            f"feedback at {held.sequence} of {held.epoch}: are these of one suite?"
        )
    return Manifest(version("harken"), created_at, tuple(parts))


@contextlib.asynccontextmanager
async def held_snapshot(dsn: str, schema: str) -> AsyncIterator[_Snapshot]:
    """Keep a schema as it is now: for who reads in this snapshot, whatever goes meanwhile."""
    async with (
        connected(dsn, _APPLICATION) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        # A server that ends idle transactions would end the snapshot with them.
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        for table in _EMPTIED.get(schema, ()):
            # Before there is a snapshot: what is emptied later is not in it any more.
            await connection.execute(f"LOCK TABLE {schema}.{table} IN ACCESS SHARE MODE")
        yield _Snapshot(
            dsn, schema, connection, await connection.fetchval("SELECT pg_export_snapshot()")
        )


async def _dump(snapshot: _Snapshot, folder: Path, progress: Progress) -> Part:
    connection, schema = snapshot.connection, snapshot.schema
    server = connection.get_server_version().major
    clients = await asyncio.to_thread(find_clients, server)
    at = await feed_point(connection, schema)
    total = await estimated_bytes(connection, schema)
    path = folder / f"{schema}.dump"
    async with clients.reach(snapshot.dsn) as (dsn, environment):
        command = clients.command(
            "pg_dump", "--format=custom", "--compress=1", "--no-owner", "--no-privileges",
            f"--schema={schema}", f"--snapshot={snapshot.name}", f"--dbname={dsn}",
        )  # fmt: skip
        size, sha256 = await asyncio.to_thread(
            _output_of, command, environment, path, lambda done: progress(schema, done, total)
        )
    return Part(
        schema, path.name, size, sha256, server, await migrations(connection, schema),
        await row_counts(connection, schema), at,
    )  # fmt: skip


def _output_of(
    command: Sequence[str],
    environment: Mapping[str, str],
    path: Path,
    progress: Callable[[int], None],
) -> tuple[int, str]:
    """Write what a program says into a file; return its size and SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with path.open("wb") as file, tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=said
        ) as process:
            assert process.stdout is not None
            while chunk := process.stdout.read(_CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                progress(size)
        if process.returncode != 0:
            said.seek(0)
            raise failed(command, process.returncode, said.read())
    return size, digest.hexdigest()
