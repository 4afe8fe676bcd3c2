"""The right to lead: an advisory lock of a session, which PostgreSQL frees when the process dies.

The lock makes a hand-over quick; it does not make it safe. Safety is the term: every write of a
learner is conditional on it (see `learner_store`). A holder that lives but is silent (its host is
gone or it hangs) keeps its session until the lease is over; then a standby ends that session.

The lock is asked for again and again, not waited for: a statement that waits for days would keep
PostgreSQL from cleaning up rows for as long.
"""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from services.common.database import (
    COMMAND_TIMEOUT_SECONDS,
    Connection,
    one_row,
    store_faults,
)
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.feedback.store.log_store import SHARD

LEARNER_LOCK = 0x4841524C
"""First key of the advisory lock (ASCII "HARL"); the second is the shard."""

_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_log = logger("leadership")


@contextlib.asynccontextmanager
async def candidate(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Open the session that takes the lock; when the block ends the lock is free.

    Raises:
        StoreUnavailableError: the store is away.

    """
    with store_faults():
        # A server that is gone without a word must not keep us waiting for its answer.
        connection = await asyncpg.connect(
            dsn, timeout=_CONNECT_SECONDS, command_timeout=COMMAND_TIMEOUT_SECONDS
        )
    try:
        yield connection
    finally:
        try:
            with store_faults():
                await connection.close(timeout=_CLOSE_SECONDS)
        except (StoreUnavailableError, asyncpg.PostgresError):
            connection.terminate()


async def try_lock(connection: Connection, lease_seconds: float) -> bool:
    """Take the lock if it is free; return whether this session has it.

    When it is not free and its holder was silent for `lease_seconds`, that session is ended, so
    that the next try succeeds.

    Raises:
        StoreUnavailableError: the store is away.

    """
    with store_faults():
        found = await one_row(
            connection,
            "SELECT pg_try_advisory_lock($1, $2) AS ours,"
            " heartbeat_at < clock_timestamp() - make_interval(secs => $3) AS silent"
            " FROM feedback.learners WHERE shard = $2",
            LEARNER_LOCK,
            SHARD,
            lease_seconds,
        )
        if not found["ours"] and found["silent"]:
            ended = await connection.fetchval(
                "SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l"
                " JOIN pg_database d ON d.oid = l.database JOIN feedback.learners s ON s.shard = $2"
                " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
                " AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.objsubid = 2"
                " AND l.granted AND l.pid <> pg_backend_pid()"
                " AND s.heartbeat_at < clock_timestamp() - make_interval(secs => $3)",
                LEARNER_LOCK,
                SHARD,
                lease_seconds,
            )
            _log.warning("the learner is silent, its session is ended", sessions=ended)
    return bool(found["ours"])
