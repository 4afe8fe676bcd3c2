"""Profile loses what it made of the log, which gives it back.

The oracle is what clients were acknowledged: events that were accepted, retractions, updates.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from harken.feedback.v1 import embedding_service_pb2, event_pb2, feedback_service_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from services.cli.suite import Suite
from services.common.migrations import migrate
from services.profile.process import MIGRATIONS, SCHEMA
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, user
from tests.waiting import until

USERS = [f"user-{n}" for n in range(12)]
KINDS = ("play", "like", "dislike")
FORGETFUL = {
    "HARKEN_FEEDBACK_CHECKPOINT_VERSIONS": "1",
    "HARKEN_FEEDBACK_CHECKPOINT_SECONDS": "0.1",
    "HARKEN_FEEDBACK_KEEP_VERSIONS": "1",
    "HARKEN_FEEDBACK_DIMENSION": "16",
    "HARKEN_FEEDBACK_TICK_SECONDS": "0.2",
}
TABLES = (
    "histories", "history_chunks", "set_vectors", "entries_cursor",
    "learned_vectors", "generation_shapes", "learned_cursor", "attributes",
)  # fmt: skip


@dataclass
class Acknowledged:
    """What clients know: of each user the events that stand, in log order, and attributes."""

    events: dict[str, list[event_pb2.Event]] = field(
        default_factory=lambda: {name: [] for name in USERS}
    )
    plans: dict[str, str] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    position: bytes = b""


class Backend:
    """Sends, and remembers what was acknowledged."""

    def __init__(self, caller: Caller, items: Sequence[str]) -> None:
        self.known = Acknowledged()
        self._caller = caller
        self._items = items
        self._chance = random.Random(7)
        self._number = 0
        self._now = int(time.time())

    async def record(self, calls: int, each: int = 1) -> None:
        for _ in range(calls):
            events = [self._event() for _ in range(each)]
            self.known.position = await self._caller.record(*events)
            for one in events:
                self.known.events[one.subject.user_id].append(one)

    def _event(self) -> event_pb2.Event:
        self._number += 1
        # Some come late: their time is before that of others.
        seconds = self._now - 80_000 + self._number - self._chance.choice((0, 0, 0, 5_000))
        return event_pb2.Event(
            event_id=f"e-{self._number}",
            subject=user(self._chance.choice(USERS)),
            item_id=self._chance.choice(self._items),
            type=self._chance.choice(KINDS),
            event_time=Timestamp(seconds=seconds, nanos=self._number % 1000 * 1000),
        )

    async def retract(self, count: int) -> None:
        for name in self._chance.sample(USERS, count):
            gone = self._chance.choice(self.known.events[name])
            request = feedback_service_pb2.RetractEventsRequest(event_ids=[gone.event_id])
            answer = await self._caller.clients.feedback.RetractEvents(request)
            self.known.position = answer.position
            self.known.events[name].remove(gone)

    async def update(self, name: str, plan: str) -> None:
        attributes = Struct()
        attributes.update({"plan": plan})
        request = profile_service_pb2.UpdateProfileRequest(
            profile=profile_pb2.Profile(subject=user(name), attributes=attributes)
        )
        answer = await self._caller.clients.profile.UpdateProfile(request)
        self.known.plans[name] = plan
        self.known.etags[name] = answer.profile.etag


def expected(known: Acknowledged, name: str) -> dict[str, Any]:
    """Return what profile must say of a user, the slow and obvious way."""
    events = known.events[name]
    newest_first = sorted(events, key=lambda one: one.event_time.ToMicroseconds())[::-1]
    seen: list[str] = []
    for one in reversed(events):
        if one.item_id not in seen:
            seen.append(one.item_id)
    return {
        "recent": [
            (one.item_id, one.type, one.event_time.ToMicroseconds()) for one in newest_first[:100]
        ],
        "events": len(events),
        "by_type": {
            kind: sum(one.type == kind for one in events) for kind in {e.type for e in events}
        },
        "distinct": len(seen),
        "seen": seen,
        "plan": known.plans.get(name),
        "etag": known.etags.get(name, ""),
    }


def stated(profile: profile_pb2.Profile) -> dict[str, Any]:
    """Return what profile says, in the same form."""
    return {
        "recent": [
            (one.item_id, one.type, one.event_time.ToMicroseconds()) for one in profile.state.recent
        ],
        "events": profile.counters.events,
        "by_type": dict(profile.counters.events_by_type),
        "distinct": profile.counters.distinct_items,
        "seen": list(profile.seen_item_ids),
        "plan": profile.attributes.fields["plan"].string_value or None,
        "etag": profile.etag,
    }


def _key(event: profile_pb2.RecentEvent) -> tuple[str, int]:
    return event.item_id, event.event_time.ToMicroseconds()


async def check_all(caller: Caller, known: Acknowledged) -> dict[str, profile_pb2.Profile]:
    """Every user is as acknowledged, by a strict read at the last position; return them."""

    async def there() -> bool:
        try:
            await caller.profile(USERS[0], known.position)
        except grpc.aio.AioRpcError as error:
            # However slow the machine is.
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            return False
        return True

    await until(there, "profile to reach the position", 120)
    profiles = {}
    for name in USERS:
        answer = await caller.profile(name, known.position)
        assert not answer.stale
        assert stated(answer.profile) == expected(known, name), name
        profiles[name] = answer.profile
    return profiles


def start(suite: StartSuite) -> Suite:
    return suite(preset="media", split_feedback=True, environment={"feedback": FORGETFUL})


async def settled(admin: asyncpg.Connection) -> None:
    """Wait until facts are in the log, and the frames that profile had are forgotten."""

    async def is_so() -> bool:
        return bool(await admin.fetchval(
            "SELECT NOT EXISTS (SELECT FROM profile.user_fact_outbox)"
            " AND (SELECT min(version) FROM feedback.frames) >"
            " (SELECT greatest(10, max(version) - 5) FROM feedback.frames)"
        ))  # fmt: skip

    await until(is_so, "frames to be forgotten", 40)


async def ready(play: Suite, name: str) -> None:
    await asyncio.to_thread(play.start, name)


async def fill(backend: Backend, caller: Caller) -> None:
    await backend.record(25, 4)
    await backend.update("user-0", "free")
    await backend.update("user-1", "paid")
    await backend.retract(4)
    await backend.record(10, 3)
    await backend.update("user-0", "gone again")
    put = embedding_service_pb2.Embedding(subject=user("user-2"), values=[0.25] * 16, pinned=True)
    await caller.put(put)
    await backend.record(5)


async def test_an_empty_database_is_filled_from_the_log(
    suite: StartSuite, database: FreshDatabase, admin: asyncpg.Connection
) -> None:
    """Truths 1 and 2, also when profile's schema is lost and its frames are forgotten."""
    play = start(suite)
    async with caller_of(play) as caller:
        items = catalogue(30)
        await caller.upsert(*items)
        backend = Backend(caller, [item.item_id for item in items])
        await fill(backend, caller)
        before = await check_all(caller, backend.known)
        await settled(admin)
        await asyncio.to_thread(play.kill, "profile")
        await admin.execute("DROP SCHEMA profile CASCADE")
        migrate(database.profile_dsn, SCHEMA, MIGRATIONS)
        # Life goes on meanwhile.
        await backend.record(10, 2)
        await ready(play, "profile")
        after = await check_all(caller, backend.known)
        for name in USERS:
            # Weights are not known to clients: they are as they were.
            weights = {_key(one): one.weight for one in after[name].state.recent}
            for one in before[name].state.recent:
                assert weights.get(_key(one), one.weight) == one.weight
        assert after["user-2"].state.vector == before["user-2"].state.vector
        # And life goes on as ever: each event once.
        await backend.record(20, 2)
        await backend.retract(3)
        await backend.update("user-1", "again")
        await check_all(caller, backend.known)
        # Slates know the users: vectors that are not in the log are made from their recent items.
        slate = await caller.slate("user-3", backend.known.position)
        assert not slate.degradations


async def test_a_restored_older_backup_catches_up_by_the_log(
    suite: StartSuite, admin: asyncpg.Connection
) -> None:
    """Events, retractions and attributes after the backup come back, those before count once."""
    play = start(suite)
    async with caller_of(play) as caller:
        items = catalogue(30)
        await caller.upsert(*items)
        backend = Backend(caller, [item.item_id for item in items])
        await fill(backend, caller)
        await check_all(caller, backend.known)
        await admin.execute("CREATE SCHEMA backup")
        async with admin.transaction(isolation="repeatable_read"):
            for table in TABLES:
                await admin.execute(f"CREATE TABLE backup.{table} AS TABLE profile.{table}")
        await backend.retract(4)
        await backend.record(20, 3)
        await backend.update("user-0", "after the backup")
        await backend.update("user-4", "new")
        await check_all(caller, backend.known)
        await settled(admin)
        await asyncio.to_thread(play.kill, "profile")
        for table in TABLES:
            await admin.execute(f"TRUNCATE profile.{table}")
            own = "OVERRIDING SYSTEM VALUE" if table == "histories" else ""
            await admin.execute(f"INSERT INTO profile.{table} {own} TABLE backup.{table}")
        await backend.record(5, 2)
        await ready(play, "profile")
        await check_all(caller, backend.known)
        await backend.update("user-0", "later still")
        await backend.record(5, 2)
        await check_all(caller, backend.known)


@pytest.mark.parametrize("reset", ["an operator", "a fork"])
async def test_kills_in_the_middle_count_nothing_twice(
    suite: StartSuite, admin: asyncpg.Connection, reset: str
) -> None:
    """The cursor set back by an operator, or on a history that was lost; then kills all the way."""
    play = start(suite)
    async with caller_of(play) as caller:
        items = catalogue(30)
        await caller.upsert(*items)
        backend = Backend(caller, [item.item_id for item in items])
        await fill(backend, caller)
        await backend.record(8, 800)
        await check_all(caller, backend.known)
        await settled(admin)
        await asyncio.to_thread(play.kill, "profile")
        point = "0, 0" if reset == "an operator" else "1, 1000000"
        await admin.execute(f"UPDATE profile.entries_cursor SET (epoch, sequence) = ({point})")
        reached = 0
        for _ in range(3):
            process = play.processes["profile"]
            await asyncio.to_thread(process.start)
            last = reached

            async def is_further(last: int = last) -> bool:
                found = await admin.fetchval(
                    "SELECT CASE WHEN sequence < 1000000 THEN sequence ELSE 0 END"
                    " FROM profile.entries_cursor"
                )
                return bool(found > last)

            await until(is_further, "the first entries to be applied again", 40)
            await asyncio.to_thread(process.kill)
            reached = await admin.fetchval("SELECT sequence FROM profile.entries_cursor")
        await ready(play, "profile")
        await check_all(caller, backend.known)
