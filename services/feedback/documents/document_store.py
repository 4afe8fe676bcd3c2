"""Documents in PostgreSQL: each change is a row and a log entry in one transaction."""

from collections.abc import Awaitable, Callable

import asyncpg

from services.common.database import Connection, one_row, session, store_faults
from services.common.errors import EtagMismatchError, MissingResourceError, TooManyError
from services.common.position import Position
from services.common.turns import Turns
from services.feed.parameters import Document
from services.feedback.documents.logged_document import append_document, take_turn
from services.feedback.documents.stored_document import StoredDocument
from services.feedback.documents.tenant_documents import TenantDocuments

MAX_DOCUMENTS = 1000
"""Of a kind and tenant, without those that were deleted."""
_PAGE_BYTES = 3 * 1024 * 1024
"""Of a page, so that it passes the 4 MiB that clients take by default."""
# Columns in the order of StoredDocument.
_ROWS = "SELECT name, revision, body, note, put_at FROM documents WHERE tenant = $1 AND kind = $2"

Page = tuple[list[StoredDocument], bool]
"""Documents, and whether there are more."""

Decide = Callable[[StoredDocument | None, TenantDocuments], Awaitable[bytes]]
"""Makes the body of the next revision of the newest one, deletions included, and of what else there
is; empty: the document is deleted."""
Require = Callable[[TenantDocuments], Awaitable[None]]
"""Raises where what else there is speaks against a deletion."""


class DocumentStore:
    """Documents of one kind, such as "surface", of all tenants."""

    def __init__(self, pool: asyncpg.Pool, kind: str) -> None:
        self._pool = pool
        self._kind = kind
        self._turns = Turns(f"changes of a {kind}")

    async def put(
        self, tenant: str, name: str, body: bytes, note: str = "", etag: str = ""
    ) -> tuple[StoredDocument, Position | None]:
        """Put a revision; return it and its position. `etag`: that of what serves, where given.

        `body` is not empty. Where the same body and note serve already nothing changes, whatever
        the etag; so a call may be repeated. There is no position then.

        Raises:
            EtagMismatchError: another revision serves than the etag says.
            TooManyError: there are MAX_DOCUMENTS, and it is none of them.

        """
        return await self.change(tenant, name, _always(body), note, etag)

    async def change(
        self, tenant: str, name: str, decide: Decide, note: str = "", etag: str = ""
    ) -> tuple[StoredDocument, Position | None]:
        """Put what `decide` makes; return as `put` does.

        While it decides, nobody else changes documents of the tenant.

        Raises:
            EtagMismatchError, TooManyError: as `put`; and whatever `decide` raises.

        """
        async with (
            self._turns.turn(tenant),
            session(self._pool) as connection,
            connection.transaction(),
        ):
            await take_turn(connection, tenant)
            newest, body = await self._decided(connection, tenant, name, decide)
            if newest is not None and (newest.body, newest.note) == (body, note):
                return newest, None
            await self._check(connection, tenant, name, newest, etag)
            return await self._append(connection, tenant, newest, (name, body, note))

    async def check_put(
        self, tenant: str, name: str, body: bytes, note: str = "", etag: str = ""
    ) -> None:
        """Raise what `put` would raise now, and change nothing."""
        await self.try_change(tenant, name, _always(body), note, etag)

    async def try_change(
        self, tenant: str, name: str, decide: Decide, note: str = "", etag: str = ""
    ) -> bytes:
        """Return the body that `change` would put, or raise what it would raise; change nothing."""
        async with session(self._pool) as connection:
            newest, body = await self._decided(connection, tenant, name, decide)
            if newest is None or (newest.body, newest.note) != (body, note):
                await self._check(connection, tenant, name, newest, etag)
            return body

    async def delete(
        self,
        tenant: str,
        name: str,
        note: str = "",
        etag: str = "",
        require: Require | None = None,
    ) -> tuple[StoredDocument, Position | None]:
        """Take a document away, by a revision without a body; return that and its position.

        Raises:
            MissingResourceError: there is none of this name.
            EtagMismatchError: another revision serves than the etag says; and whatever `require`
                raises.

        """

        async def deleted(newest: StoredDocument | None, documents: TenantDocuments) -> bytes:
            if newest is None or newest.deleted:
                raise self._missing(name)
            if require is not None:
                await require(documents)
            return b""

        return await self.change(tenant, name, deleted, note, etag)

    async def get(self, tenant: str, name: str, revision: int = 0) -> StoredDocument:
        """Return a revision, deletions included; 0: what serves.

        Raises:
            MissingResourceError: there is none.

        """
        which = "AND revision = $4" if revision else "AND newest AND body <> ''"
        with store_faults():
            row = await self._pool.fetchrow(
                f"{_ROWS} AND name = $3 {which}",
                tenant,
                self._kind,
                name,
                *([revision] if revision else []),
            )
        if row is None:
            raise self._missing(name, revision)
        return StoredDocument(*row)

    async def page(self, tenant: str, after_name: str, size: int) -> Page:
        """Return up to `size` documents that serve, by name, after one. A page of large ones ends
        early.
        """
        with store_faults():
            rows = await self._pool.fetch(
                f"{_ROWS} AND newest AND body <> '' AND name > $3 ORDER BY name LIMIT $4",
                tenant,
                self._kind,
                after_name,
                size + 1,
            )
        return _page(rows, size)

    async def revisions(self, tenant: str, name: str, before: int, size: int) -> Page:
        """Return up to `size` revisions of a document, newest first, below `before` (0: all).

        Raises:
            MissingResourceError: there never was one of this name.

        """
        with store_faults():
            rows = await self._pool.fetch(
                f"{_ROWS} AND name = $3 AND ($4::bigint = 0 OR revision < $4)"
                " ORDER BY revision DESC LIMIT $5",
                tenant,
                self._kind,
                name,
                before,
                size + 1,
            )
        if not rows and not before:
            raise self._missing(name)
        return _page(rows, size)

    async def _decided(
        self, connection: Connection, tenant: str, name: str, decide: Decide
    ) -> tuple[StoredDocument | None, bytes]:
        """Return the newest revision and the body of the next one."""
        newest = await self._newest(connection, tenant, name)
        return newest, await decide(newest, TenantDocuments(connection, tenant))

    async def _newest(
        self, connection: Connection, tenant: str, name: str
    ) -> StoredDocument | None:
        row = await connection.fetchrow(
            f"{_ROWS} AND name = $3 AND newest", tenant, self._kind, name
        )
        return None if row is None else StoredDocument(*row)

    async def _check(
        self,
        connection: Connection,
        tenant: str,
        name: str,
        newest: StoredDocument | None,
        etag: str,
    ) -> None:
        """Raise what is wrong with putting a revision after the newest."""
        serves = None if newest is None or newest.deleted else newest
        _check_etag(self._kind, name, serves, etag)
        if serves is not None:
            return
        count = await connection.fetchval(
            "SELECT count(*) FROM documents"
            " WHERE tenant = $1 AND kind = $2 AND newest AND body <> ''",
            tenant,
            self._kind,
        )
        if count >= MAX_DOCUMENTS:
            raise TooManyError(f"there are {count:,} of kind {self._kind} already; delete one")

    async def _append(
        self,
        connection: Connection,
        tenant: str,
        newest: StoredDocument | None,
        put: tuple[str, bytes, str],
    ) -> tuple[StoredDocument, Position]:
        """Write a revision after the newest: name, body and note."""
        name, body, _ = put
        await connection.execute(
            "UPDATE documents SET newest = false"
            " WHERE tenant = $1 AND kind = $2 AND name = $3 AND newest",
            tenant,
            self._kind,
            name,
        )
        row = await one_row(
            connection,
            # Of one order with the revisions: not when the transaction began to wait for its turn.
            "INSERT INTO documents (tenant, kind, name, body, note, revision, put_at, newest)"
            " VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), true)"
            " RETURNING name, revision, body, note, put_at",
            tenant,
            self._kind,
            *put,
            1 if newest is None else newest.revision + 1,
        )
        stored = StoredDocument(*row)
        document = Document(self._kind, name, stored.revision, body)
        return stored, await append_document(connection, tenant, document)

    def _missing(self, name: str, revision: int = 0) -> MissingResourceError:
        which = f"revision {revision} of {self._kind}" if revision else self._kind
        return MissingResourceError(f"there is no {which} {name!r}")


def _always(body: bytes) -> Decide:
    async def decide(newest: StoredDocument | None, documents: TenantDocuments) -> bytes:
        return body

    return decide


def _check_etag(kind: str, name: str, serves: StoredDocument | None, etag: str) -> None:
    """Raise EtagMismatchError when an etag is given and is not that of what serves."""
    if not etag or (serves is not None and etag == serves.etag):
        return
    found = "none" if serves is None else f"revision {serves.revision}"
    raise EtagMismatchError(f"{kind} {name!r} changed since it was read: {found} serves now")


def _page(rows: list[asyncpg.Record], size: int) -> Page:
    page: list[StoredDocument] = []
    total = 0
    for row in rows[:size]:
        document = StoredDocument(*row)
        total += len(document.body) + len(document.note)
        if total > _PAGE_BYTES and page:
            return page, True
        page.append(document)
    return page, len(rows) > size
