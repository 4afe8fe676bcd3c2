"""Erasures into the log and the ledger, each once; and how far they are."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from harken.internal.log.v1 import entry_pb2
from harken.profile.v1 import erasure_pb2
from services.common.database import Connection, one_row, session
from services.common.erasure_ledger import ErasureLedger, LedgerLine
from services.common.errors import MissingResourceError
from services.common.position import Position
from services.common.vault.vault import UserVault
from services.feedback.log.log_store import SHARD, NewEntry, append_entries

_KNOWN = "SELECT sequence, erased_at_us FROM erasures WHERE erasure_id = $1"
_ALL_KNOWN = "SELECT erasure_id FROM erasures WHERE erasure_id = ANY ($1::text[])"
_LOCK = "SELECT epoch, head FROM shards WHERE shard = $1 FOR UPDATE"
_ADD = """
    INSERT INTO erasures (erasure_id, tenant, tombstone, shard, sequence, erased_at_us)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
_COUNT = "UPDATE shards SET erasures = erasures + 1 WHERE shard = $1"
_GET = """
    SELECT e.sequence, e.erased_at_us, e.searched_through, e.unlearn_sequence, e.scrubbed_at,
        s.epoch, l.sequence AS learned,
        (SELECT count(*) FROM erased_rows r WHERE r.erasure_id = e.erasure_id) AS entries
    FROM erasures e JOIN shards s ON s.shard = e.shard JOIN learners l ON l.shard = e.shard
    WHERE e.erasure_id = $1
"""
_RECEIPTS = """
    SELECT receipt FROM erasure_receipts WHERE erasure_id = $1 ORDER BY component, instance
"""
_KEEP = """
    INSERT INTO erasure_receipts (erasure_id, component, instance, receipt)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class NewErasure:
    """An erasure to be appended. No user_key: only the tombstone is known. No erased_at_us: now."""

    tenant: str
    erasure_id: str
    user_key: bytes
    tombstone: bytes
    erased_at_us: int


@dataclass(frozen=True, slots=True)
class LoggedErasure:
    """Where an erasure stands in the log, and until when what the user did is erased."""

    position: Position
    erased_at_us: int


@dataclass(frozen=True, slots=True)
class ErasureProgress:
    """How far an erasure is; `searched`: of the log, 0 to 1; `entries`: found so far."""

    state: erasure_pb2.ErasureState
    logged: LoggedErasure
    searched: float
    entries: int
    receipts: list[erasure_pb2.ErasureReceipt]


def tombstone_of(user_key: bytes) -> bytes:
    """Return what stays of a user who was erased; sha256() of PostgreSQL makes the same."""
    return hashlib.sha256(user_key).digest()


class ErasureStore:
    """Appends erasures, and keeps what became of them."""

    def __init__(
        self, pool: asyncpg.Pool, vault: UserVault, ledger: ErasureLedger | None = None
    ) -> None:
        """`ledger`: outside of the store, is written first; None: there is none."""
        self._pool = pool
        self._vault = vault
        self._ledger = ledger

    async def apply_ledger(self) -> int:
        """Append what the ledger has and the log does not, as after a restore of an older backup;
        return how much that was.

        Raises:
            LedgerFaultError: a line of it is none.
            StoreUnavailableError: the store is away.

        """
        if self._ledger is None:
            return 0
        lines = {line.erasure_id: line for line in await asyncio.to_thread(self._ledger.read)}
        async with session(self._pool) as connection:
            known = {row["erasure_id"] for row in await connection.fetch(_ALL_KNOWN, list(lines))}
        missing = [line for name, line in lines.items() if name not in known]
        for line in missing:
            await self.append(
                NewErasure(
                    line.tenant, line.erasure_id, b"", bytes.fromhex(line.tombstone),
                    line.erased_at_us,
                )
            )  # fmt: skip
        return len(missing)

    async def append(self, erasure: NewErasure) -> LoggedErasure:
        """Append an erasure, unless one of its id is there; return where it is.

        Raises:
            StoreUnavailableError: unknown whether it was appended; repeat the call.

        """
        async with session(self._pool) as connection, connection.transaction():
            # Before anything is looked up: who appends the same beside us has committed then.
            shard = await one_row(connection, _LOCK, SHARD)
            known = await connection.fetchrow(_KNOWN, erasure.erasure_id)
            if known is not None:
                position = Position(SHARD, shard["epoch"], known["sequence"])
                return LoggedErasure(position, known["erased_at_us"])
            erased_at_us = erasure.erased_at_us or time.time_ns() // 1000
            if self._ledger is not None:
                # Before the commit: what is erased is in the ledger, whatever comes.
                line = LedgerLine(
                    erasure.erasure_id, erasure.tenant, erasure.tombstone.hex(), erased_at_us
                )
                await asyncio.to_thread(self._ledger.add, line)
            await connection.execute(
                _ADD, erasure.erasure_id, erasure.tenant, erasure.tombstone, SHARD,
                shard["head"] + 1, erased_at_us,
            )  # fmt: skip
            await connection.execute(_COUNT, SHARD)
            logged = entry_pb2.UserErased(
                erasure_id=erasure.erasure_id,
                user_key=erasure.user_key,
                tombstone=erasure.tombstone,
                erased_at_us=erased_at_us,
            )
            entry = entry_pb2.Entry(user_erased=logged).SerializeToString()
            if erasure.user_key:
                # Under the log's lock: who comes back gets another key. What was sealed with this
                # one is unreadable from now on, in backups, too.
                await self._vault.destroy(erasure.tenant, [erasure.user_key])
            # Without a user in its row: it is not one of theirs to be found.
            position = await append_entries(connection, [NewEntry(erasure.tenant, None, entry)])
            return LoggedErasure(position, erased_at_us)

    async def progress(self, erasure_id: str) -> ErasureProgress:
        """Return how far an erasure is.

        Raises:
            MissingResourceError: it is not in the log.
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            row = await connection.fetchrow(_GET, erasure_id)
            if row is None:
                raise MissingResourceError(f"erasure {erasure_id!r} is not in the log")
            receipts = [
                erasure_pb2.ErasureReceipt.FromString(one["receipt"])
                for one in await connection.fetch(_RECEIPTS, erasure_id)
            ]
        logged = LoggedErasure(Position(SHARD, row["epoch"], row["sequence"]), row["erased_at_us"])
        unlearn = row["unlearn_sequence"]
        if row["scrubbed_at"] is not None:
            state = erasure_pb2.ERASURE_STATE_DONE
        elif unlearn is not None and unlearn <= row["learned"]:
            state = erasure_pb2.ERASURE_STATE_UNLEARNED
        else:
            state = erasure_pb2.ERASURE_STATE_HIDDEN
        searched = min(1.0, row["searched_through"] / max(1, row["sequence"]))
        return ErasureProgress(state, logged, searched, row["entries"], receipts)

    async def keep(self, receipts: Sequence[erasure_pb2.ErasureReceipt]) -> None:
        """Keep receipts; those that are there stay as they are.

        Raises:
            MissingResourceError: an erasure is not in the log.
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            await keep_receipts(connection, receipts)


async def keep_receipts(
    connection: Connection, receipts: Sequence[erasure_pb2.ErasureReceipt]
) -> None:
    """Do what ErasureStore.keep does, on a connection."""
    rows = []
    for receipt in receipts:
        said = erasure_pb2.ErasureStatement.FromString(receipt.statement)
        rows.append((said.erasure_id, said.component, said.instance, receipt.SerializeToString()))
    try:
        await connection.execute(_KEEP, *(list(column) for column in zip(*rows, strict=True)))
    except asyncpg.ForeignKeyViolationError as error:
        raise MissingResourceError("an erasure is not in the log") from error
