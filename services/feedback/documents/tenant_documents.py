"""All documents of a tenant, as of a transaction that changes one of them."""

from services.common.database import Connection, one_row
from services.common.position import Position
from services.feedback.documents.stored_document import StoredDocument
from services.feedback.log.log_store import SHARD


class TenantDocuments:
    """Reads what else there is, of any kind."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def serving(self, kind: str) -> list[StoredDocument]:
        """Return all documents of a kind that serve, by name."""
        rows = await self._connection.fetch(
            "SELECT name, revision, body, note, put_at FROM documents"
            " WHERE tenant = $1 AND kind = $2 AND newest AND body <> '' ORDER BY name",
            self._tenant,
            kind,
        )
        return [StoredDocument(*row) for row in rows]

    async def ever(self, kind: str) -> list[StoredDocument]:
        """Return all revisions of documents of a kind, also of those that are deleted."""
        rows = await self._connection.fetch(
            "SELECT name, revision, body, note, put_at FROM documents"
            " WHERE tenant = $1 AND kind = $2 AND body <> '' ORDER BY name, revision",
            self._tenant,
            kind,
        )
        return [StoredDocument(*row) for row in rows]

    async def known(self, kind: str, names: list[str]) -> set[str]:
        """Return those of some names that a document has which serves."""
        rows = await self._connection.fetch(
            "SELECT name FROM documents"
            " WHERE tenant = $1 AND kind = $2 AND newest AND body <> '' AND name = ANY($3)",
            self._tenant,
            kind,
            names,
        )
        return {row["name"] for row in rows}

    async def log_head(self) -> Position:
        """Return the position of the newest entry of the log: later ones come after it."""
        row = await one_row(
            self._connection, "SELECT epoch, head FROM shards WHERE shard = $1", SHARD
        )
        return Position(SHARD, row["epoch"], row["head"])
