"""Which generation serves: a change of state and its log entry, in one transaction.

Changes of one tenant are serial and the log entry is written last, so that the states of the table
and the entries of the log come in one order. The table is as of the end of the log; the learner
follows.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg

from harken.feedback.v1 import generation_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection, session
from services.common.errors import (
    AlreadyActiveError,
    AnotherStagedError,
    MissingResourceError,
    NothingToRollBackToError,
)
from services.common.position import Position
from services.feedback.learner.learner_store import FencedError
from services.feedback.log.log_store import SHARD, NewEntry, append_entries

State = pb.GenerationState
_ACTIVE = pb.GENERATION_STATE_ACTIVE
_STAGED = pb.GENERATION_STATE_STAGED
_STANDBY = pb.GENERATION_STATE_STANDBY
_RETIRED = pb.GENERATION_STATE_RETIRED


@dataclass(frozen=True, slots=True)
class Moved:
    """A generation, the state it has now, and the position of the change (None: no change)."""

    generation_id: str
    state: State
    position: Position | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How a generation does, as the learner sees it; comparisons are serialised LiveComparisons,
    None: nothing was compared.
    """

    tenant: str
    generation_id: str
    validation: bytes | None
    guard: bytes | None
    vector_rollbacks: int


class GenerationLifecycle:
    """Moves generations between states."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def promote(self, tenant: str, generation_id: str, now: bool) -> Moved:
        """Stage a generation, or serve it at once when it is on standby and `now`.

        Raises:
            MissingResourceError: there is no such generation.
            AlreadyActiveError: it serves already.
            AnotherStagedError: another one is staged.

        """
        async with self._turn(tenant) as connection:
            row = await connection.fetchrow(
                "SELECT state, serve_now FROM generations WHERE tenant = $1 AND generation_id = $2",
                tenant,
                generation_id,
            )
            if row is None:
                raise MissingResourceError(f"tenant {tenant} has no generation {generation_id!r}")
            if row["state"] == _ACTIVE:
                raise AlreadyActiveError(f"generation {generation_id} serves already")
            staged = await _in_state(connection, tenant, _STAGED)
            if staged not in (None, generation_id):
                raise AnotherStagedError(f"generation {staged} is staged; roll it back first")
            if staged is not None and row["serve_now"] == now:
                return Moved(generation_id, _STAGED, None)
            if now and row["state"] == _STANDBY:
                return await _serve(connection, tenant, generation_id)
            return await _stage(connection, tenant, generation_id, now)

    async def rollback(self, tenant: str) -> Moved:
        """Retire what is staged, else go back to the generation that served before.

        Raises:
            NothingToRollBackToError: there is none.

        """
        async with self._turn(tenant) as connection:
            staged = await _in_state(connection, tenant, _STAGED)
            if staged is not None:
                await _retire(connection, tenant, staged, "rolled back before it served")
                position = await _append_retired(connection, tenant, staged, "rolled back")
                active = await _in_state(connection, tenant, _ACTIVE)
                return Moved(active or "", _ACTIVE, position)
            standby = await _in_state(connection, tenant, _STANDBY)
            if standby is not None:
                return await _serve(connection, tenant, standby)
            before = await _served_before(connection, tenant)
            if before is None:
                raise NothingToRollBackToError(f"tenant {tenant} had no other generation")
            return await _stage(connection, tenant, before, now=True)

    async def serve_staged(self, term: int, tenant: str, generation_id: str) -> bool:
        """Let a staged generation serve, for the learner; false: it is not staged any more.

        Raises:
            FencedError: the term is over.

        """
        async with self._turn(tenant) as connection:
            await _fence(connection, term)
            if await _in_state(connection, tenant, _STAGED) != generation_id:
                return False
            await _serve(connection, tenant, generation_id)
        return True

    async def retire(self, term: int, tenant: str, generation_id: str, reason: str) -> bool:
        """Retire a generation that is staged or on standby, for the learner; false: it is not.

        Raises:
            FencedError: the term is over.

        """
        async with self._turn(tenant) as connection:
            await _fence(connection, term)
            if not await _retire(connection, tenant, generation_id, reason):
                return False
            await _append_retired(connection, tenant, generation_id, reason)
        return True

    async def withdraw(self, term: int, tenant: str, generation_id: str, reason: str) -> bool:
        """Withdraw a generation with a model that failed, for the learner; false: nothing is due.

        When it serves, the sound one that served before takes over: at once while it is on standby,
        else as soon as it is built again; what is staged makes room. Only then it is retired, by
        another call. When none served before, it serves on: there is nothing else.

        Raises:
            FencedError: the term is over.

        """
        async with self._turn(tenant) as connection:
            await _fence(connection, term)
            await connection.execute(
                "UPDATE generations SET withdrawn = true WHERE tenant = $1 AND generation_id = $2",
                tenant,
                generation_id,
            )
            if await _in_state(connection, tenant, _ACTIVE) == generation_id:
                return await _replace(connection, tenant)
            if not await _retire(connection, tenant, generation_id, reason):
                return False
            await _append_retired(connection, tenant, generation_id, reason)
        return True

    async def note(self, figures: Sequence[Figures]) -> None:
        """Remember how generations do."""
        async with session(self._pool) as connection:
            await connection.execute(
                "UPDATE generations g SET validation = coalesce(f.validation, g.validation),"
                " guard = coalesce(f.guard, g.guard), vector_rollbacks = f.rollbacks"
                " FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[])"
                " AS f (tenant, generation_id, validation, guard, rollbacks)"
                " WHERE g.tenant = f.tenant AND g.generation_id = f.generation_id",
                [one.tenant for one in figures],
                [one.generation_id for one in figures],
                [one.validation for one in figures],
                [one.guard for one in figures],
                [one.vector_rollbacks for one in figures],
            )

    @contextlib.asynccontextmanager
    async def _turn(self, tenant: str) -> AsyncIterator[Connection]:
        """Hold a transaction in which nobody else changes the tenant's generations."""
        async with session(self._pool) as connection, connection.transaction():
            await connection.execute("SELECT take_turn('generations/' || $1)", tenant)
            yield connection


async def _fence(connection: Connection, term: int) -> None:
    leads = await connection.fetchval(
        "SELECT 1 FROM learners WHERE shard = $1 AND term = $2 FOR SHARE", SHARD, term
    )
    if leads is None:
        raise FencedError(f"term {term} is over")


async def _in_state(connection: Connection, tenant: str, state: State) -> str | None:
    found: str | None = await connection.fetchval(
        "SELECT generation_id FROM generations WHERE tenant = $1 AND state = $2",
        tenant,
        int(state),
    )
    return found


async def _set(
    connection: Connection, tenant: str, generation_id: str, state: State, now: bool = False
) -> pb.GenerationManifest:
    """Set a state; return the manifest."""
    manifest = await connection.fetchval(
        "UPDATE generations SET state = $3, serve_now = $4, changed_at = now(),"
        " retired_reason = '', withdrawn = withdrawn AND $3::int <> $6::int,"
        " activated_at = CASE WHEN $5 THEN now() ELSE activated_at END"
        " WHERE tenant = $1 AND generation_id = $2 RETURNING manifest",
        tenant,
        generation_id,
        int(state),
        now,
        state == _ACTIVE,
        int(_STAGED),
    )
    return pb.GenerationManifest.FromString(manifest)


async def _served_before(connection: Connection, tenant: str) -> str | None:
    """Return the retired generation that served last and was not withdrawn."""
    found: str | None = await connection.fetchval(
        "SELECT generation_id FROM generations WHERE tenant = $1 AND state = $2"
        " AND activated_at IS NOT NULL AND NOT withdrawn ORDER BY activated_at DESC LIMIT 1",
        tenant,
        int(_RETIRED),
    )
    return found


async def _replace(connection: Connection, tenant: str) -> bool:
    """Let the generation before the failed one that serves take over; false: it does, or none."""
    standby: str | None = await connection.fetchval(
        "SELECT generation_id FROM generations WHERE tenant = $1 AND state = $2 AND NOT withdrawn",
        tenant,
        int(_STANDBY),
    )
    if standby is not None:
        await _serve(connection, tenant, standby)
        return True
    if await connection.fetchval(
        "SELECT 1 FROM generations WHERE tenant = $1 AND state = $2 AND serve_now",
        tenant,
        int(_STAGED),
    ):
        return False
    before = await _served_before(connection, tenant)
    if before is None:
        return False
    staged = await _in_state(connection, tenant, _STAGED)
    if staged is not None:
        reason = f"made room for {before}: the one that serves failed"
        await _retire(connection, tenant, staged, reason)
        await _append_retired(connection, tenant, staged, reason)
    await _stage(connection, tenant, before, now=True)
    return True


async def _serve(connection: Connection, tenant: str, generation_id: str) -> Moved:
    """Let a built generation serve; the one that did is on standby."""
    # What is on standby and does not serve now makes room.
    standby = await _in_state(connection, tenant, _STANDBY)
    if standby not in (None, generation_id):
        await _retire(connection, tenant, standby or "", "another generation was staged")
    elif standby is not None:
        await _set(connection, tenant, standby, _STAGED)
    active = await _in_state(connection, tenant, _ACTIVE)
    if active is not None:
        await _set(connection, tenant, active, _STANDBY)
    manifest = await _set(connection, tenant, generation_id, _ACTIVE)
    entry = entry_pb2.Entry(generation_activated=manifest)
    return Moved(generation_id, _ACTIVE, await _append(connection, tenant, entry))


async def _stage(connection: Connection, tenant: str, generation_id: str, now: bool) -> Moved:
    """Stage a generation; another one on standby is retired by it."""
    standby = await _in_state(connection, tenant, _STANDBY)
    if standby not in (None, generation_id):
        await _retire(connection, tenant, standby or "", "another generation was staged")
    manifest = await _set(connection, tenant, generation_id, _STAGED, now)
    entry = entry_pb2.Entry(
        generation_staged=entry_pb2.GenerationStaged(manifest=manifest, now=now)
    )
    return Moved(generation_id, _STAGED, await _append(connection, tenant, entry))


async def _retire(connection: Connection, tenant: str, generation_id: str, reason: str) -> bool:
    done = await connection.fetchval(
        "UPDATE generations SET state = $3, retired_reason = $4, changed_at = now()"
        " WHERE tenant = $1 AND generation_id = $2 AND state IN ($5, $6) RETURNING 1",
        tenant,
        generation_id,
        int(_RETIRED),
        reason,
        int(_STAGED),
        int(_STANDBY),
    )
    return done is not None


async def _append_retired(
    connection: Connection, tenant: str, generation_id: str, reason: str
) -> Position:
    retired = entry_pb2.GenerationRetired(generation_id=generation_id, reason=reason)
    return await _append(connection, tenant, entry_pb2.Entry(generation_retired=retired))


async def _append(connection: Connection, tenant: str, entry: entry_pb2.Entry) -> Position:
    return await append_entries(connection, [NewEntry(tenant, None, entry.SerializeToString())])
