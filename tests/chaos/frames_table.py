"""An own fold of frames as PostgreSQL has them, one by one, with a digest at every version."""

import asyncio
import contextlib
import time

import asyncpg

from harken.internal.feed.v1 import frame_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from tests.chaos.report import DIGESTS, Report
from tests.end_to_end.clients import FoldOfFeed

AWAY = (
    OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)  # fmt: skip
"""What a database raises that is killed, stopped or full just now."""

_POLL_SECONDS = 0.1
_CALL_SECONDS = 5.0
_CATCH_UP_SECONDS = 5.0
_PAGE = 50


class FramesTable:
    """Reads the table and never the feed: what the feed makes of frames is compared with it."""

    def __init__(self, server: EmbeddedPostgres, report: Report) -> None:
        self._server = server
        self._report = report
        self._fold = FoldOfFeed()
        self._version = 0
        self._digests: dict[int, bytes] = {}

    async def run(self) -> None:
        """Fold until cancelled."""
        while True:
            with contextlib.suppress(*AWAY):
                await self._follow()
            await asyncio.sleep(_POLL_SECONDS)

    async def _follow(self) -> None:
        connection = await asyncpg.connect(
            self._server.admin_dsn, timeout=_CALL_SECONDS, command_timeout=_CALL_SECONDS
        )
        try:
            while True:
                await self._advance(connection)
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            connection.terminate()

    async def _advance(self, connection: asyncpg.Connection) -> None:
        rows = await connection.fetch(
            "SELECT version, frame FROM feedback.frames WHERE version > $1"
            " ORDER BY version LIMIT $2",
            self._version,
            _PAGE,
        )
        if rows and rows[0]["version"] != self._version + 1:
            await self._begin_anew(connection)
            return
        for row in rows:
            if row["version"] != self._version + 1:
                return
            self._fold.take(frame_pb2.Frame.FromString(row["frame"]))
            self._version = row["version"]
            self._know()

    async def _begin_anew(self, connection: asyncpg.Connection) -> None:
        """Begin with the newest checkpoint: frames right after ours are forgotten."""
        async with connection.transaction(isolation="repeatable_read"):
            newest = await connection.fetchval("SELECT max(version) FROM feedback.checkpoints")
            chunks = await connection.fetch(
                "SELECT content FROM feedback.checkpoint_chunks WHERE version = $1 ORDER BY chunk",
                newest,
            )
        fold = FoldOfFeed()
        for chunk in chunks:
            fold.take(frame_pb2.Frame.FromString(chunk["content"]))
        self._fold, self._version = fold, newest
        self._know()

    def _know(self) -> None:
        """Truth 4: however often a version is folded, it has one digest."""
        if self._fold.active not in self._fold.vectors:
            return
        digest = self._fold.digest()
        if self._digests.setdefault(self._version, digest) != digest:
            self._report.complain(DIGESTS, "own fold of frames", f"version {self._version} changed")

    async def digest_at(self, version: int) -> bytes | None:
        """Return the digest at a version; None when it is not folded in time."""
        until = time.monotonic() + _CATCH_UP_SECONDS
        while version not in self._digests and time.monotonic() < until:  # noqa: ASYNC110 - polled
            await asyncio.sleep(_POLL_SECONDS)
        return self._digests.get(version)
