"""Rows of a query on a PostgreSQL as blocks, through a cursor of the server.

Memory is bounded by two pages. Rows are read by iterators, which cannot wait for an event loop that
they themselves run in: so the connection lives on a loop and a thread of its own, which reads one
page ahead.
"""

import asyncio
import hashlib
import re
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import asyncpg

from services.dataset.faults import SourceError
from services.dataset.table.block import Block
from services.dataset.table.names import column_name, twice_in
from services.dataset.values.cells import Moment, moment_of, plain_cell

_PAGE_ROWS = 2_000
_CONNECT_SECONDS = 10.0
_YEAR_2000_US = 946_684_800 * 10**6
_FOREVER = (2**31 - 1, 2**63 - 1)
"""Days and microseconds that mean infinity; what means minus infinity is one further below."""
_ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)
_Result = TypeVar("_Result")


class QueryPart:
    """One query, run from its beginning any number of times, each in a read-only transaction."""

    def __init__(self, dsn: str, query: str) -> None:
        """Take a SELECT; `with` connects.

        `is_ordered`: it has an ORDER BY, which should be over something unique.
        """
        self._dsn = dsn
        self._query = query.strip().rstrip("; \t\r\n")
        self.is_ordered = _ORDER_BY.search(self._query) is not None
        self.columns: Sequence[str] = ()
        self.twice: frozenset[str] = frozenset()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="query", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.columns = self._wait(self._find_columns())
        except BaseException:
            self._stop()
            raise
        self.twice = twice_in(self.columns)
        if not self.columns or self.twice:
            self._stop()
            raise SourceError("the query must be a SELECT whose columns have different names")
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

    def blocks(self, first_number: int) -> Iterator[Block]:
        """Yield all rows in order, numbered from `first_number`.

        Raises:
            SourceError: PostgreSQL refuses, or went away.

        """
        pages = self._pages()
        number = first_number
        ahead = self._submit(anext(pages, None))
        try:
            while page := self._result(ahead):
                ahead = self._submit(anext(pages, None))
                columns = zip(*(record.values() for record in page), strict=True)
                cells = {
                    name: [plain_cell(cell) for cell in column]
                    for name, column in zip(self.columns, columns, strict=True)
                }
                numbers = range(number, number + len(page))
                yield Block("the query", numbers, [0] * len(page), cells)
                number += len(page)
        finally:
            # The page that is on its way first: a generator that runs cannot be closed.
            ahead.exception()
            self._wait(pages.aclose())

    async def _find_columns(self) -> Sequence[str]:
        async with self._transaction() as connection:
            statement = await connection.prepare(self._query)
            return [column_name(one.name) for one in statement.get_attributes()]

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
            await _set_codecs(connection)
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
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError,
                OverflowError) as error:  # fmt: skip
            # ValueError: what the driver makes of a port or a host that cannot be one.
            raise SourceError(f"the query failed: {error or type(error).__name__}") from error

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _set_codecs(connection: asyncpg.Connection) -> None:
    """Have times as PostgreSQL counts them: a day that Python does not have is a matter of its row,
    not the end of the query.
    """
    decoders: dict[str, Callable[[tuple[int]], object]] = {
        "timestamp": lambda found: _moment(found[0], aware=False),
        "timestamptz": lambda found: _moment(found[0], aware=True),
        "date": lambda found: _day(found[0]),
    }
    for name, decoder in decoders.items():
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=tuple, decoder=decoder, format="tuple"
        )


def _moment(micros: int, aware: bool) -> Moment:
    """Return a time, given in microseconds since 2000; infinity is the end of the year 9999."""
    if micros == _FOREVER[1]:
        return moment_of(datetime.max.replace(tzinfo=UTC if aware else None))
    if micros == -_FOREVER[1] - 1:
        return moment_of(datetime.min.replace(tzinfo=UTC if aware else None))
    return Moment(micros + _YEAR_2000_US, aware)


def _day(days: int) -> object:
    """Return a day, given in days since 2000, as ISO 8601; as a time where Python has none."""
    if days == _FOREVER[0]:
        return date.max.isoformat()
    if days == -_FOREVER[0] - 1:
        return date.min.isoformat()
    try:
        return (date(2000, 1, 1) + timedelta(days)).isoformat()
    except OverflowError:
        return Moment(days * 86_400 * 10**6 + _YEAR_2000_US, aware=False)
