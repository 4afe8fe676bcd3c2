"""The right to lead: a row of ours that names a session, which PostgreSQL ends with its process.

Whoever stands by asks whether the session named in `learners` is still there, and takes the row
over when it is not. Only our role can write the row. An advisory lock would say the same, but every
role of the database could take it.

The session makes a hand-over quick; it does not make it safe. Safety is the term: every write of a
learner is conditional on it (see `learner_store`). A holder that lives but is silent (its host is
gone or it hangs) keeps its session until the lease is over; then a standby takes over all the same.

A term that names no session was begun by release 0.1, which holds an advisory lock: it is taken
over when it resigned or was silent for a lease.
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
from services.feedback.log.log_store import SHARD

_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_GONE = (
    "holder = '' OR session_term = term AND NOT EXISTS (SELECT FROM pg_stat_activity a"
    " WHERE a.pid = session_pid AND a.backend_start = session_start)"
)
_SILENT = "heartbeat_at < clock_timestamp() - make_interval(secs => $2)"
_log = logger("leadership")


@contextlib.asynccontextmanager
async def candidate(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Open the session that leads; when the block ends, whoever stands by takes over.

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


async def try_lead(connection: Connection, holder: str, lease_seconds: float) -> int | None:
    """Begin a term of this session if nobody leads; return it, None when somebody does.

    Somebody who was silent for `lease_seconds` leads no more, and its session is ended.

    Raises:
        StoreUnavailableError: the store is away.

    """
    with store_faults():
        found = await one_row(
            connection,
            f"SELECT {_GONE} AS gone, {_SILENT} AS silent, session_term = term AS named,"
            " session_pid, session_start FROM feedback.learners WHERE shard = $1",
            SHARD,
            lease_seconds,
        )
        if not (found["gone"] or found["silent"]):
            return None
        # Of several who find it free the first one gets it: the others look again, at its row.
        term: int | None = await connection.fetchval(
            "UPDATE feedback.learners SET term = term + 1, holder = $3,"
            " heartbeat_at = clock_timestamp(), session_term = term + 1, (session_pid,"
            " session_start) = (SELECT pid, backend_start FROM pg_stat_activity"
            " WHERE pid = pg_backend_pid())"
            f" WHERE shard = $1 AND ({_GONE} OR {_SILENT}) RETURNING term",
            SHARD,
            lease_seconds,
            holder,
        )
        if term is not None and not found["gone"] and found["named"]:
            ended = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid = $1 AND backend_start = $2",
                found["session_pid"],
                found["session_start"],
            )
            _log.warning("the learner was silent, its session is ended", sessions=ended)
    return term
