"""Restoring a backup: each schema in one transaction, with the new epoch in it.

pg_restore turns a dump into SQL, and psql runs it in a single transaction together with what we
add: what was there is dropped before, the rows are counted after, and the feedback schema gets a
new epoch. So there is never a moment at which restored data has the epoch of what was lost.
"""

import asyncio
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg

from services import __file__ as _services
from services.cli.backup.connection import connected
from services.cli.backup.manifest import Manifest, Part
from services.cli.backup.postgres_clients import failed, find_clients
from services.cli.backup.restore_sql import (
    AFTER_ALL,
    audit_kept,
    counts_checked,
    dropped,
    new_epoch,
)
from services.cli.backup.schema_reading import FEEDBACK, PROFILE, feed_point, is_empty, tables
from services.cli.backup.store_dsns import StoreDsns
from services.cli.failures import CommandError

_APPLICATION = "harken-restore"
_CHUNK_BYTES = 1 << 20

Progress = Callable[[str, int], None]
"""Hears the schema and the bytes of SQL that went into the database."""


async def check_targets(manifest: Manifest, dsns: StoreDsns, force: bool) -> None:
    """Find what speaks against restoring, before anything is changed.

    Raises:
        CommandError: a database is not empty and `force` is not given, feedback is connected, the
            backup is of a newer release, or PostgreSQL refuses.

    """
    for part, dsn in _parts(manifest, dsns):
        known = _known_migrations(part.schema)
        newer = [one for one in part.migrations if one not in known]
        if newer:
            raise CommandError(
                f"the backup is of a newer release: this one does not know migration {newer[0]} "
                f"of schema {part.schema}"
            )
        async with connected(dsn, _APPLICATION) as connection:
            if not force and not await is_empty(connection, part.schema):
                raise CommandError(
                    f"schema {part.schema} is not empty; --force replaces all that is in it"
                )
            if part.schema == FEEDBACK:
                await _refuse_while_feedback_runs(connection)


async def restore_backup(
    manifest: Manifest, folder: Path, dsns: StoreDsns, progress: Progress
) -> int:
    """Replace both schemas by the backup, profile first; return the new epoch.

    Raises:
        CommandError: a program failed; the schema it was at is as it was before.

    """
    epoch = 0
    for part, dsn in _parts(manifest, dsns):
        async with connected(dsn, _APPLICATION) as connection:
            clients = await asyncio.to_thread(
                find_clients, max(part.server, connection.get_server_version().major)
            )
            after = counts_checked(part) + audit_kept(part.schema)
            if part.schema == FEEDBACK:
                epoch = await _next_epoch(connection, part)
                after += new_epoch(epoch)
        reading = clients.command(
            "pg_restore", "--no-owner", "--no-privileges", "--file=-", str(folder / part.file)
        )
        async with clients.reach(dsn) as (shown, environment):
            running = clients.command(
                "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
                "--file=-", f"--dbname={shown}",
            )  # fmt: skip
            await asyncio.to_thread(
                _load, reading, running, environment, part, after + AFTER_ALL, progress
            )
    return epoch


async def begin_epoch(dsns: StoreDsns) -> int:
    """Begin a new epoch of the log as it is now, after a restore by other means; return it.

    Raises:
        CommandError: feedback runs, or PostgreSQL refuses.

    """
    async with connected(dsns.feedback, _APPLICATION) as feedback:
        await _refuse_while_feedback_runs(feedback)
        at = await feed_point(feedback, FEEDBACK)
        epoch = max(at.epoch + 1, int(time.time()))
        async with feedback.transaction():
            await feedback.execute(new_epoch(epoch))
    return epoch


def _parts(manifest: Manifest, dsns: StoreDsns) -> list[tuple[Part, str]]:
    return [(manifest.part(PROFILE), dsns.profile), (manifest.part(FEEDBACK), dsns.feedback)]


async def _refuse_while_feedback_runs(connection: asyncpg.Connection) -> None:
    # Its caches, of what the catalogue holds for example, would survive the restore.
    sessions = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'harken-feedback'"
    )
    if sessions:
        raise CommandError(
            f"feedback is running ({sessions} connections): stop all its processes first"
        )


async def _next_epoch(connection: asyncpg.Connection, part: Part) -> int:
    """Return a number that no epoch of the backup or of what it replaces ever had."""
    replaced = 0
    if "shards" in await tables(connection, FEEDBACK):
        replaced = await connection.fetchval("SELECT max(epoch) FROM feedback.shards") or 0
    return max(part.at.epoch + 1, replaced + 1, int(time.time()))


def _known_migrations(schema: str) -> frozenset[str]:
    folder = Path(_services).parent / schema / "migrations"
    return frozenset(path.name.partition("_")[0] for path in folder.glob("*.sql"))


def _load(
    reading: Sequence[str],
    running: Sequence[str],
    environment: Mapping[str, str],
    part: Part,
    after: str,
    progress: Progress,
) -> None:
    """Run everything in one transaction; raise CommandError when anything fails."""
    with (
        tempfile.TemporaryFile() as reader_said,
        tempfile.TemporaryFile() as runner_said,
        subprocess.Popen(reading, stdout=subprocess.PIPE, stderr=reader_said) as reader,
        subprocess.Popen(
            running, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=runner_said,
        ) as runner,
    ):  # fmt: skip
        try:
            _pump(reader, runner, part, after, progress)
        except BrokenPipeError:
            # psql ended: what it said is the reason.
            reader.kill()
            _close(runner)
        except BaseException:
            # Never let psql see an end of its input that it could take for ours.
            runner.kill()
            reader.kill()
            _close(runner)
            raise
        for command, process, said in (
            (running, runner, runner_said),
            (reading, reader, reader_said),
        ):
            if process.wait() not in (0, -signal.SIGKILL):
                said.seek(0)
                raise failed(command, process.returncode, said.read())
        if runner.returncode != 0 or reader.returncode != 0:
            raise CommandError(f"restoring {part.file} was broken off from outside")


def _pump(
    reader: "subprocess.Popen[bytes]",
    runner: "subprocess.Popen[bytes]",
    part: Part,
    after: str,
    progress: Progress,
) -> None:
    assert reader.stdout is not None
    assert runner.stdin is not None
    done = 0
    runner.stdin.write(dropped(part.schema).encode())
    while chunk := reader.stdout.read(_CHUNK_BYTES):
        runner.stdin.write(chunk)
        done += len(chunk)
        progress(part.schema, done)
    if reader.wait() != 0:
        # Half a schema must not be committed.
        runner.kill()
        _close(runner)
        return
    runner.stdin.write(after.encode())
    runner.stdin.close()


def _close(runner: "subprocess.Popen[bytes]") -> None:
    """Close the input of a process that may be gone."""
    assert runner.stdin is not None
    with suppress(BrokenPipeError):
        runner.stdin.close()
