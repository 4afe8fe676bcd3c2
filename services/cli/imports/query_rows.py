"""Rows of a query on a PostgreSQL, through a cursor of the server: memory is bounded by two pages.

Rows are read by iterators, which cannot wait for an event loop that they themselves run in. So the
connection lives on a loop and a thread of its own, which reads one page ahead.
"""

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import asyncpg

from services.cli.failures import CommandError
from services.dataset.table_file import Row, column_name
from services.dataset.typed_cells import plain_cell

_PAGE_ROWS = 2_000
_CONNECT_SECONDS = 10.0
_ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)
_Result = TypeVar("_Result")


class QueryRows:
    """One query, run from its beginning any number of times, each in a read-only transaction."""

    def __init__(self, dsn: str, query: str) -> None:
        """Take a SELECT; `with` connects.

        `is_ordered`: it has an ORDER BY, which should be over something unique.
        """
        self._dsn = dsn
        self._query = query.strip().rstrip(";")
        self.is_ordered = _ORDER_BY.search(self._query) is not None
        self.columns: Sequence[str] = ()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="query", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.columns = self._wait(self._find_columns())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def fingerprint(self) -> str:
        """Return a hash over the query and the database, passwords left out."""
        parts = urlsplit(self._dsn)
        place = (parts.hostname, parts.port, parts.path, parts.query, self._query)
        return hashlib.blake2b(repr(place).encode(), digest_size=16).hexdigest()

    def count_rows(self) -> int:
        """Return how many rows there are; the server runs the query for it.

        Raises:
            CommandError: PostgreSQL refuses.

        """
        return self._wait(self._count())

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order.

        Raises:
            CommandError: PostgreSQL refuses, or went away.

        """
        pages = self._pages()
        number = 0
        ahead = self._submit(anext(pages, None))
        try:
            while page := self._result(ahead):
                ahead = self._submit(anext(pages, None))
                for record in page:
                    number += 1
                    cells = zip(self.columns, map(plain_cell, record.values()), strict=True)
                    yield Row(number, dict(cells))
        finally:
            # The page that is on its way first: a generator that runs cannot be closed.
            ahead.exception()
            self._wait(pages.aclose())

    async def _find_columns(self) -> Sequence[str]:
        async with self._transaction() as connection:
            statement = await connection.prepare(self._query)
            names = [column_name(one.name) for one in statement.get_attributes()]
        if not names or len(set(names)) != len(names):
            raise CommandError("the query must be a SELECT whose columns have different names")
        return names

    async def _count(self) -> int:
        async with self._transaction() as connection:
            found: int = await connection.fetchval(
                f"SELECT count(*) FROM ({self._query}) AS counted"
            )
        return found

    async def _pages(self) -> AsyncGenerator[list[asyncpg.Record], None]:
        async with self._transaction() as connection:
            cursor = await connection.cursor(self._query)
            while page := await cursor.fetch(_PAGE_ROWS):
                yield page

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=_CONNECT_SECONDS,
            server_settings={"application_name": "harken-import"},
        )
        try:
            # One snapshot: rows that are written meanwhile neither come nor move others.
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection
        finally:
            await connection.close()

    def _submit(self, work: Any) -> Any:
        async def run() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    def _wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        result: _Result = self._result(self._submit(work))
        return result

    def _result(self, future: Any) -> Any:
        try:
            return future.result()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise CommandError(f"the query failed: {error or type(error).__name__}") from error

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
