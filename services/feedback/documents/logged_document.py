"""Documents into the log, in the order of their revisions."""

from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection
from services.common.position import Position
from services.feed.parameters import Document
from services.feedback.log.log_store import NewEntry, append_entries


async def take_turn(connection: Connection, tenant: str) -> None:
    """Let nobody else change documents of the tenant until commit, so that table and log agree on
    their order.
    """
    await connection.execute("SELECT take_turn('documents/' || $1)", tenant)


async def append_document(connection: Connection, tenant: str, document: Document) -> Position:
    """Append what a document is now; last in a transaction, as `append_entries`."""
    logged = entry_pb2.LoggedDocument(**document._asdict())
    entry = entry_pb2.Entry(document=logged).SerializeToString()
    return await append_entries(connection, [NewEntry(tenant, None, entry)])
