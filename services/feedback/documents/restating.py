"""Documents that the learner missed: said once more in the log.

While a release runs beside us that does not know of documents, its learner may lead: it passes over
their entries, and its checkpoints lack them. Whoever leads next has the table to tell by.
"""

from collections.abc import Collection, Mapping

import asyncpg

from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection, session
from services.common.logs import logger
from services.feed.parameters import Document
from services.feedback.documents.logged_document import append_document, take_turn
from services.feedback.log.log_store import SHARD

_Name = tuple[str, str, str]
"""Tenant, kind and name."""
_ENTRY = b"\xf2\x01"
"""How an Entry with a document begins: field 30, a message."""
_log = logger("documents")


async def restate_missed(
    pool: asyncpg.Pool, known: Mapping[str, Collection[Document]], through: int
) -> int:
    """Append to the log what serves and the learner will not come to; return how many documents.

    `known`: what it knows, by tenant, having read the log `through` a sequence.
    """
    revisions = {(tenant, *one.key): one.revision for tenant, own in known.items() for one in own}
    async with session(pool) as connection:
        # Table and log as of one moment: others go on putting documents.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            serving = await _serving(connection, list(known))
            missed = [name for name in serving if revisions.get(name, 0) != serving[name]]
            if missed:
                revisions |= await _to_come(connection, through)
                missed = [name for name in missed if revisions.get(name, 0) != serving[name]]
        for name in missed:
            await _restate(connection, *name)
    if missed:
        _log.warning("documents that the learner missed are in the log again", count=len(missed))
    return len(missed)


async def _serving(connection: Connection, tenants: list[str]) -> dict[_Name, int]:
    """Return the revision of each document; 0: it was deleted."""
    rows = await connection.fetch(
        "SELECT tenant, kind, name, CASE WHEN body = '' THEN 0 ELSE revision END AS revision"
        " FROM documents WHERE newest AND tenant = ANY($1) ORDER BY tenant, kind, name",
        tenants,
    )
    return {(row["tenant"], row["kind"], row["name"]): row["revision"] for row in rows}


async def _to_come(connection: Connection, through: int) -> dict[_Name, int]:
    """Return what the log after a sequence makes of documents; 0: they are deleted."""
    rows = await connection.fetch(
        "SELECT tenant, entry FROM log"
        " WHERE shard = $1 AND sequence > $2 AND substr(entry, 1, 2) = $3 ORDER BY sequence",
        SHARD,
        through,
        _ENTRY,
    )
    found = {}
    for row in rows:
        one = entry_pb2.Entry.FromString(row["entry"]).document
        found[row["tenant"], one.kind, one.name] = one.revision if one.body else 0
    return found


async def _restate(connection: Connection, tenant: str, kind: str, name: str) -> None:
    async with connection.transaction():
        await take_turn(connection, tenant)
        row = await connection.fetchrow(
            "SELECT revision, body FROM documents"
            " WHERE tenant = $1 AND kind = $2 AND name = $3 AND newest",
            tenant,
            kind,
            name,
        )
        assert row is not None
        await append_document(connection, tenant, Document(kind, name, *row))
