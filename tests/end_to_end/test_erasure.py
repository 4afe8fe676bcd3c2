"""EraseUser on real processes: gone at once everywhere, for ever, and back only as nobody known."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest
import pytest_asyncio

from harken.feedback.v1 import embedding_service_pb2, event_pb2, feedback_service_pb2
from harken.profile.v1 import erasure_pb2, profile_pb2, user_export_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.cli.backup.restore import restore_backup
from services.cli.backup.store_dsns import StoreDsns
from services.cli.backup.take import take_backup
from services.cli.suite import Suite
from tests.cli.harken_process import harken
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event, user
from tests.waiting import until

REJECTED = event_pb2.EVENT_OUTCOME_REJECTED
USER_ERASED = event_pb2.EVENT_REASON_USER_ERASED


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(
        preset="media",
        rankers=1,
        environment={"feedback": {"HARKEN_FEEDBACK_SCRUB_SECONDS": "0"}},
    )


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        filled = await own.upsert(*catalogue())
        await own.slate("nobody", filled, preview=True)
        yield own


async def erase(caller: Caller, who: str) -> erasure_pb2.Erasure:
    request = pb.EraseUserRequest(subject=user(who), note="ticket 7")
    answer = await caller.clients.profile.EraseUser(request, wait_for_ready=True, timeout=30)
    return answer.erasure


async def export(caller: Caller, who: str) -> list[user_export_pb2.UserExportPart]:
    request = pb.ExportUserRequest(subject=user(who))
    return [answer.part async for answer in caller.clients.profile.ExportUser(request, timeout=30)]


async def fate(caller: Caller, one: event_pb2.Event) -> event_pb2.EventResult:
    request = feedback_service_pb2.RecordEventsRequest(events=[one])
    return (await caller.clients.feedback.RecordEvents(request)).results[0]


async def unknown_to_rankers(caller: Caller, who: str) -> bool:
    return (await caller.slate(who, count=60, preview=True)).unknown_subject


async def when_done(caller: Caller, erasure: erasure_pb2.Erasure) -> erasure_pb2.Erasure:
    """Return an erasure once it is done, whoever is away meanwhile."""
    request = pb.GetErasureRequest(erasure_id=erasure.erasure_id)
    found = [erasure]

    async def done() -> bool:
        try:
            answer = await caller.clients.profile.GetErasure(request, wait_for_ready=True)
        except grpc.aio.AioRpcError:
            return False
        found.append(answer.erasure)
        return answer.erasure.state == erasure_pb2.ERASURE_STATE_DONE

    await until(done, "the erasure to be done", 60)
    return found[-1]


async def places_of(admin: asyncpg.Connection, text: str) -> list[str]:
    """Return the columns of both schemas that hold a text, also as bytes."""
    found = []
    columns = await admin.fetch(
        "SELECT c.oid::regclass::text AS relation, a.attname AS name FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('feedback', 'profile')"
        " AND a.atttypid IN ('bytea'::regtype, 'text'::regtype, 'jsonb'::regtype)"
    )
    assert len(columns) > 50
    for column in columns:
        # Bytes are text as hexadecimal digits.
        held = await admin.fetchval(
            f"SELECT EXISTS (SELECT FROM {column['relation']} WHERE {column['name']}::text LIKE"
            f" '%{text}%' OR {column['name']}::text LIKE '%{text.encode().hex()}%')"
        )
        if held:
            found.append(f"{column['relation']}.{column['name']}")
    return found


def timed(one: event_pb2.Event, ahead: float = 0.0) -> event_pb2.Event:
    one.event_time.FromMicroseconds(int((time.time() + ahead) * 1e6))
    return one


async def attributes(caller: Caller, who: str, country: str) -> None:
    profile = profile_pb2.Profile(subject=user(who))
    profile.attributes["country"] = country
    await caller.clients.profile.UpdateProfile(pb.UpdateProfileRequest(profile=profile))


async def test_gone_from_every_answer(caller: Caller) -> None:
    """Truth 12: slates, profile, similar users and exports know nothing of who was erased."""
    await attributes(caller, "eve", "NO")
    names = [f"e-{n}" for n in range(6)]
    for number, name in enumerate(names):
        await caller.record(event(name, "eve", f"space-{3 * number}"))
        await caller.record(event(f"tw-{name}", "twin", f"space-{3 * number}"))
    values = [1.0] + [0.0] * 127
    vectors = [
        embedding_service_pb2.Embedding(subject=user(who), values=values) for who in ("eve", "twin")
    ]
    last = await caller.put(*vectors)
    before = await caller.slate("eve", last, count=60)
    assert not before.unknown_subject
    assert (await caller.profile("eve", last)).profile.counters.events == 6
    erasure = await erase(caller, "eve")
    assert erasure.state >= erasure_pb2.ERASURE_STATE_HIDDEN
    # Without asking for a position: caches follow by themselves.
    await until(lambda: unknown_to_rankers(caller, "eve"), "the caches", seconds=1.0)
    slate = await caller.slate("eve", erasure.position, count=60, preview=True)
    assert slate.unknown_subject
    assert len(slate.slots) == 60
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await caller.profile("eve", erasure.position)
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    similar = await caller.clients.profile.FindSimilarUsers(
        pb.FindSimilarUsersRequest(subject=user("twin"))
    )
    assert "eve" not in [one.subject.user_id for one in similar.users]
    with pytest.raises(grpc.aio.AioRpcError) as nothing:
        await export(caller, "eve")
    assert nothing.value.code() is grpc.StatusCode.NOT_FOUND
    exported = [
        one
        async for page in caller.clients.feedback.ExportEvents(
            feedback_service_pb2.ExportEventsRequest()
        )
        for one in page.events
    ]
    assert not {one.event_id for one in exported} & set(names)
    assert "tw-e-0" in {one.event_id for one in exported}


async def test_what_comes_late_is_refused_and_who_comes_back_is_nobody_known(
    caller: Caller,
) -> None:
    first = timed(event("l-0", "lou", "space-0"))
    bare = event("l-1", "lou", "space-3")
    await caller.record(first, bare)
    late = timed(event("l-2", "lou", "space-6"))
    erasure = await erase(caller, "lou")
    for one in (first, bare, late, event("l-3", "lou", "space-9")):
        result = await fate(caller, one)
        assert (result.outcome, result.reason) == (REJECTED, USER_ERASED)
    # Beside others, each is answered by itself.
    request = feedback_service_pb2.RecordEventsRequest(
        events=[event("l-4", "lea", "space-0"), late, event("l-5", "lea", "space-3")]
    )
    results = (await caller.clients.feedback.RecordEvents(request)).results
    assert [result.outcome for result in results] == [1, REJECTED, 1]
    back = timed(event("l-6", "lou", "crime-2"), ahead=0.01)
    assert back.event_time.ToMicroseconds() > erasure.erase_time.ToMicroseconds()
    position = await caller.record(back)
    profile = (await caller.profile("lou", position)).profile
    assert list(profile.seen_item_ids) == ["crime-2"]
    slate = await caller.slate("lou", position, count=60, preview=True)
    assert len(slate.slots) == 59
    again = await erase(caller, "lou")
    assert again.erasure_id != erasure.erasure_id


async def test_in_the_end_no_store_knows_the_user(
    caller: Caller, module_admin: asyncpg.Connection
) -> None:
    """The log, event ids, checkpoints and frames hold nothing of the user, and receipts say so."""
    await attributes(caller, "ned-sentinel", "SE")
    for number in range(5):
        last = await caller.record(event(f"n-{number}", "ned-sentinel", f"crime-{3 * number + 2}"))
    await caller.profile("ned-sentinel", last)
    await fate(caller, event("n-q", "ned-sentinel", "no-such-item"))
    await caller.slate("ned-sentinel", count=5)
    assert await places_of(module_admin, "ned-sentinel")
    erasure = await erase(caller, "ned-sentinel")

    found = await when_done(caller, erasure)
    assert not found.HasField("subject")
    said = [erasure_pb2.ErasureStatement.FromString(one.statement) for one in found.receipts]
    assert {one.component for one in said} == {"profile", "ranker", "learner", "log"}
    counts = {one.component: one.counts for one in said}
    assert counts["learner"]["events_unlearned"] == 5
    assert counts["profile"]["histories"] == counts["profile"]["attributes"] == 1
    assert not await places_of(module_admin, "ned-sentinel")
    result = await fate(caller, event("n-0", "ned-sentinel", "crime-2"))
    assert (result.outcome, result.reason) == (REJECTED, USER_ERASED)


async def test_asked_twice_it_is_one_erasure(caller: Caller) -> None:
    await caller.record(event("t-0", "tim", "space-0"))
    first, second = await asyncio.gather(erase(caller, "tim"), erase(caller, "tim"))
    third = await erase(caller, "tim")
    assert first.erasure_id == second.erasure_id == third.erasure_id
    listed = await caller.clients.profile.ListErasures(pb.ListErasuresRequest(page_size=1))
    assert [one.erasure_id for one in listed.erasures] == [first.erasure_id]
    assert listed.next_page_token
    request = pb.GetErasureRequest(erasure_id=first.erasure_id)
    found = (await caller.clients.profile.GetErasure(request)).erasure
    assert (found.note, found.position) == ("ticket 7", first.position)


async def test_an_export_is_what_the_client_sent(caller: Caller) -> None:
    """Complete: also what was taken back, what waits in quarantine, and contexts."""
    await attributes(caller, "ida", "FI")
    sent = [
        event(f"x-{n}", "ida", f"space-{3 * n}", context={"page": str(n)}, value=float(n))
        for n in range(4)
    ]
    await caller.record(*sent)
    await fate(caller, event("x-q", "ida", "no-such-item"))
    await caller.clients.feedback.RetractEvents(
        feedback_service_pb2.RetractEventsRequest(event_ids=["x-2"])
    )
    parts = await export(caller, "ida")
    assert parts[0].header.schema == 1
    assert parts[0].header.subject == user("ida")
    (profile,) = [part.profile for part in parts if part.HasField("profile")]
    assert profile.attributes["country"] == "FI"
    assert profile.counters.events == 3
    events = [one for part in parts for one in part.events.events]
    assert [one.event.event_id for one in events] == ["x-0", "x-1", "x-2", "x-3", "x-q"]
    assert [one.retracted for one in events] == [False, False, True, False, False]
    assert events[4].quarantined == event_pb2.EVENT_REASON_UNKNOWN_ITEM
    for one, own in zip(sent, events, strict=False):
        assert (one.item_id, one.type, one.value, one.context) == (
            own.event.item_id, own.event.type, own.event.value, own.event.context,
        )  # fmt: skip
    assert parts[-1].end.events == 5


async def test_by_the_command_line(caller: Caller, running: Suite) -> None:
    await caller.record(event("c-0", "cat", "space-0", context={"page": "7"}))
    exported = await harken(
        "users", "export", "cat", folder=running.folder, endpoints=running.endpoints
    )
    parts = [json.loads(line) for line in exported.output.splitlines()]
    assert [next(iter(part)) for part in parts] == ["header", "profile", "events", "end"]
    assert parts[2]["events"]["events"][0]["event"]["context"] == {"page": "7"}
    erased = await harken(
        "users",
        "erase",
        "cat",
        "--wait",
        "--yes",
        folder=running.folder,
        endpoints=running.endpoints,
    )
    erasure_id = erased.output.strip()
    public = str(running.folder / "receipt-key.pub")
    verified = await harken(
        "erasure",
        "verify",
        erasure_id,
        "--signed-by",
        public,
        folder=running.folder,
        endpoints=running.endpoints,
    )
    assert "all signed" in verified.output


async def test_whoever_is_killed_meanwhile(
    caller: Caller, running: Suite, module_admin: asyncpg.Connection
) -> None:
    """Kill -9 of profile and feedback, hundredths of a second after an erasure was asked for.

    `make numbers ONLY=trust ARGS="--rows erasures"` does so a thousand times.
    """
    erasures = []
    for number in range(2):
        who = f"kim-sentinel-{number}"
        for one in range(4):
            await caller.record(event(f"{who}-{one}", who, f"space-{3 * one}"))
        erasures.append(await erase(caller, who))
        await asyncio.sleep(0.05 * number)
    for name in ("feedback", "profile"):
        await asyncio.to_thread(running.processes[name].kill)
    await asyncio.gather(
        *(asyncio.to_thread(running.start, name) for name in ("feedback", "profile"))
    )
    for erasure in erasures:
        assert (await when_done(caller, erasure)).receipts
    assert not await places_of(module_admin, "kim-sentinel")
    for number in range(len(erasures)):
        late = event(f"kim-sentinel-{number}-0", f"kim-sentinel-{number}", "space-0")
        assert (await fate(caller, late)).reason == USER_ERASED


async def test_a_restore_of_an_older_backup_brings_nobody_back(
    caller: Caller,
    running: Suite,
    module_database: FreshDatabase,
    module_admin: asyncpg.Connection,
    tmp_path: Path,
) -> None:
    """The ledger outside of the databases is applied before anything is answered."""
    first = event("r-0", "rut-sentinel", "space-0")
    last = await caller.record(first, event("r-1", "ron", "space-3"))
    await attributes(caller, "rut-sentinel", "DK")
    await caller.profile("rut-sentinel", last)
    dsns = StoreDsns(module_database.feedback_dsn, module_database.profile_dsn)
    manifest = await take_backup(dsns, tmp_path / "backup", lambda *_: None)
    erasure = await erase(caller, "rut-sentinel")
    await when_done(caller, erasure)
    await asyncio.to_thread(running.stop)
    await restore_backup(manifest, tmp_path / "backup", dsns, lambda *_: None)
    assert await places_of(module_admin, "rut-sentinel")
    await asyncio.to_thread(running.start_all)
    async with caller_of(running) as own:
        assert (await fate(own, first)).reason == USER_ERASED
        assert (await own.slate("rut-sentinel", preview=True)).unknown_subject
        request = pb.GetProfileRequest(subject=user("rut-sentinel"))
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await own.clients.profile.GetProfile(request, wait_for_ready=True)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        assert not (await own.slate("ron", preview=True)).unknown_subject
        await until(lambda: _nowhere(module_admin, "rut-sentinel"), "the scrubbing", 60)


async def _nowhere(admin: asyncpg.Connection, text: str) -> bool:
    return not await places_of(admin, text)
