"""No user id is in the log of any process, whatever calls came, well or badly formed."""

import contextlib
import json
from collections.abc import Awaitable
from typing import Any

import asyncpg
import grpc

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2, feedback_service_pb2
from harken.internal.slates.v1 import slate_service_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.suite import Suite
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event, user
from tests.waiting import until

MARKER = "Zyx-4711"
LONG = MARKER + "x" * 5000
HIDDEN = tuple(form.lower() for form in (MARKER, MARKER.encode().hex()))


async def refused(call: Awaitable[Any]) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def stopped(suite: Suite, name: str) -> bool:
    return not suite.processes[name].running


def lines(suite: Suite) -> list[dict[str, Any]]:
    found = []
    for path in sorted(suite.folder.glob("*.log")):
        text = path.read_text()
        for form in HIDDEN:
            begins = text.lower().find(form)
            assert begins < 0, f"{path.name}: ...{text[max(0, begins - 300) : begins + 50]}"
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def failed(suite: Suite, rpc: str) -> list[dict[str, Any]]:
    """Return what was logged of RPCs that failed by a fault of ours."""
    rpcs = [line for line in lines(suite) if line["event"] == "rpc failed"]
    return [line for line in rpcs if line["rpc"] == rpc]


async def use(caller: Caller) -> bytes:
    """Do what a user does: see, take, hide, come back, and have attributes."""
    clients = caller.clients
    await caller.upsert(*catalogue())
    position = await caller.record(
        event(f"{MARKER}-1", MARKER, "space-0"),
        event(f"{MARKER}-2", MARKER, "space-3", "hide"),
    )
    await caller.slate(MARKER, position)
    await caller.profile(MARKER, position)
    await clients.ranker.Rank(
        ranker_service_pb2.RankRequest(subject=user(MARKER), item_ids=["space-0"])
    )
    update = profile_service_pb2.UpdateProfileRequest(
        profile=profile_pb2.Profile(subject=user(MARKER), etag=MARKER)
    )
    assert await refused(clients.profile.UpdateProfile(update)) is grpc.StatusCode.ABORTED
    update.profile.etag = ""
    update.profile.attributes.update({"name": MARKER})
    await clients.profile.UpdateProfile(update)
    retract = feedback_service_pb2.RetractEventsRequest(event_ids=[f"{MARKER}-1", MARKER])
    await clients.feedback.RetractEvents(retract)
    export = clients.feedback.ExportEvents(feedback_service_pb2.ExportEventsRequest())
    assert [page async for page in export]
    return position


async def misuse(caller: Caller) -> None:
    """Send what is refused or set aside: whole calls, and parts of calls."""
    clients = caller.clients
    parts = [
        event(f"{MARKER}-3", MARKER, MARKER),
        event(f"{MARKER}-4", MARKER, "space-0", MARKER),
        event(f"{MARKER}-5", LONG, "space-0"),
        event(LONG, MARKER, "space-0"),
        event_pb2.Event(event_id=MARKER, item_id=MARKER, type="play"),
    ]
    await clients.feedback.RecordEvents(feedback_service_pb2.RecordEventsRequest(events=parts))
    slates = [
        slate_service_pb2.ServedSlate(slate_id=MARKER, subject=user(MARKER), item_ids=[MARKER])
    ]
    await caller.slates.RecordSlates(slate_service_pb2.RecordSlatesRequest(slates=slates))
    wrong = grpc.StatusCode.INVALID_ARGUMENT
    for subject in (user(LONG), subject_pb2.Subject(session_id=LONG), subject_pb2.Subject()):
        recommend = ranker_service_pb2.RecommendRequest(
            subject=subject, surface=LONG, tenant=LONG, min_position=LONG.encode()
        )
        assert await refused(clients.ranker.Recommend(recommend)) is wrong
        profile = profile_service_pb2.GetProfileRequest(subject=subject, tenant=LONG)
        assert await refused(clients.profile.GetProfile(profile)) is wrong


async def test_no_user_id_is_in_any_log(suite: StartSuite, database: FreshDatabase) -> None:
    running = suite(preset="media", log_level="debug")
    admin = await asyncpg.connect(database.admin_dsn)
    async with caller_of(running) as caller:
        await use(caller)
        await misuse(caller)

        # Faults of ours whose text, by PostgreSQL, shows the row.
        await admin.execute("ALTER TABLE feedback.log ADD CONSTRAINT no CHECK (false) NOT VALID")
        record = feedback_service_pb2.RecordEventsRequest(
            events=[event(f"{MARKER}-6", MARKER, "space-6")]
        )
        assert await refused(caller.clients.feedback.RecordEvents(record)) is (
            grpc.StatusCode.INTERNAL
        )
        (line,) = failed(running, "RecordEvents")
        assert line["exception"][0]["type"] == "CheckViolationError"
        assert any("event_flusher" in frame for frame in line["exception"][0]["frames"])
        await admin.execute("ALTER TABLE feedback.log DROP CONSTRAINT no")

        # One that ends the process.
        await admin.execute(
            "ALTER TABLE profile.histories ADD CONSTRAINT no CHECK (false) NOT VALID"
        )
        position = await caller.record(event(f"{MARKER}-7", MARKER, "space-9"))
        await until(lambda: stopped(running, "profile"), "profile to give up")
        (end,) = [one for one in lines(running) if one["event"] == "cannot go on"]
        assert end["kind"] == "CheckViolationError"

        # Without profile, and then without feedback.
        fresh = f"{MARKER}-other"
        slate = await caller.clients.ranker.Recommend(
            ranker_service_pb2.RecommendRequest(subject=user(fresh), min_position=position)
        )
        assert slate.degradations
        running.kill("feedback")
        assert await refused(caller.clients.feedback.RecordEvents(record, timeout=2)) is not (
            grpc.StatusCode.OK
        )
        await caller.clients.ranker.Recommend(
            ranker_service_pb2.RecommendRequest(subject=user(fresh))
        )
    await admin.close()
    running.stop()
    events = {line["event"] for line in lines(running)}
    assert {"listening", "stopped", "rpc failed", "profile is away", "feed broke"} <= events
