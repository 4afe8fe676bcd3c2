"""The feed: resume, refusal, kill -9, readiness."""

import asyncio
import functools
import os
import random
import signal
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import numpy as np
import pytest

from harken.feedback.v1.generation_pb2 import GenerationManifest
from harken.internal.feed.v1 import frame_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from services.common.migrations import migrate
from services.profile.process import MIGRATIONS, SCHEMA
from tests.faults import fault_of
from tests.profile.conftest import StartService
from tests.profile.frames import Happening, Script
from tests.profile.oracle import expected_behaviour, stated_behaviour
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService, ServiceProcess
from tests.waiting import until

KILLS = 8


async def test_subscribes_as_a_durable_subscriber_and_resumes_where_it_was(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    first = await start_service()
    feedback.publish(*(script.frame([Happening("ann", "a")]) for _ in range(3)))
    await first.get("ann", script.position)
    await until(lambda: feedback.highest_ack() == 3, "the last ack")
    second = await start_service()
    await second.wait_until_ready()
    begin, again = feedback.starts
    assert begin.durable
    assert begin.subscriber == "profile"
    assert begin.WhichOneof("from") == again.WhichOneof("from") == "resume"
    assert set(begin.sections) == {frame_pb2.SECTION_USERS, frame_pb2.SECTION_GENERATIONS}
    assert (begin.resume.epoch, begin.resume.version) == (0, 0)
    assert (again.resume.epoch, again.resume.version) == (1, 3)


async def test_frames_sent_again_count_once(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 2."""
    events = [Happening("ann", f"item-{n}") for n in range(12)]
    feedback.publish(*(script.frame([event]) for event in events[:8]))
    await service.get("ann", script.position)
    feedback.resend = 5
    feedback.break_streams()
    feedback.publish(*(script.frame([event]) for event in events[8:]))
    answer = await service.get("ann", script.position)
    assert len(feedback.starts) == 2
    assert stated_behaviour(answer.profile) == expected_behaviour(events)


async def test_kill_in_the_middle_of_frames_and_restart(
    tmp_path: Path, dsn: str, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truths 2 and 4: SIGKILL at any moment loses nothing and doubles nothing."""
    rng = random.Random(7)
    events: list[Happening] = []

    async def publish() -> None:
        while True:
            some = [
                Happening(f"user-{rng.randrange(5)}", f"item-{rng.randrange(40)}", time_us=n)
                for n in range(rng.randrange(4))
            ]
            events.extend(some)
            feedback.publish(script.frame(some))
            # No more frames ahead than that, so that a kill comes in the middle of them.
            await until(lambda: script.version - feedback.highest_ack() < 60, "acks", 60)
            await asyncio.sleep(0)

    publisher = asyncio.create_task(publish())
    for _ in range(KILLS):
        process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
        goal = feedback.highest_ack() + rng.randrange(1, 150)
        await until(functools.partial(_has_acked, feedback, goal), "progress")
        await process.kill()
    publisher.cancel()
    await asyncio.gather(publisher, return_exceptions=True)

    process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
    assert len(events) > 100
    for name in {event.user for event in events}:
        answer = await process.get(name, script.position)
        own = [event for event in events if event.user == name]
        assert stated_behaviour(answer.profile) == expected_behaviour(own)
    assert await process.stop() == 0
    resumed = [start.resume.version for start in feedback.starts]
    assert resumed == sorted(resumed)


def _has_acked(feedback: ScriptedFeedback, version: int) -> bool:
    return feedback.highest_ack() >= version


def _vectors(values: list[float], rows: int = 1) -> Any:
    def damage(changes: frame_pb2.TenantChanges) -> None:
        changes.users.vector_users[:] = range(rows)
        changes.users.vectors = np.array(values, "<f4").tobytes()

    return damage


def _damage(field: str, value: Any) -> Any:
    def damage(changes: frame_pb2.TenantChanges) -> None:
        column = getattr(changes.users, field)
        if isinstance(column, (bytes, str)):
            setattr(changes.users, field, value)
        else:
            column[:] = value

    return damage


def _rename_item(changes: frame_pb2.TenantChanges) -> None:
    changes.item_ids[0] = "a\0b"


_DAMAGES = {
    "nan in a vector": (_vectors([1, float("nan"), 0, 0]), "finite"),
    "infinity in a vector": (_vectors([1, float("-inf"), 0, 0]), "finite"),
    "wrong dimension": (_vectors([1, 2, 3]), "dimension 4"),
    "rows missing": (_vectors([1, 2, 3, 4], rows=2), "2 rows"),
    "norm out of bounds": (_vectors([3, 0, 0, 0]), "norm 3"),
    "bytes that are no floats": (_damage("vectors", b"abcde"), "dimension 4"),
    "vectors of no generation": (_damage("generation_id", ""), "no generation"),
    "vector of a user not there": (_damage("vector_users", [0, 7]), "vector_users"),
    "user not there": (_damage("event_users", [0, 9]), "event_users"),
    "item not there": (_damage("event_items", [0, 9]), "event_items"),
    "type not there": (_damage("event_types", [0, 9]), "event_types"),
    "a column too short": (_damage("event_times_us", [1]), "event_times_us"),
    "values too short": (_damage("event_values", b"12345678"), "event_values"),
    "weights too long": (_damage("event_weights", bytes(12)), "event_weights"),
    "weight not finite": (
        _damage("event_weights", np.array([1, np.nan], "<f4").tobytes()), "weight",
    ),
    "value infinite": (_damage("event_values", np.array([1, np.inf], "<f8").tobytes()), "value"),
    "time out of range": (_damage("event_times_us", [0, 2**62]), "time"),
    "events out of order": (_damage("event_sequences", [5, 4]), "log order"),
    "events of before": (_damage("event_sequences", [1, 2]), "outside"),
    "events of later": (_damage("event_sequences", [5, 600]), "outside"),
    "doubled user": (_damage("user_keys", [b"u:ann", b"u:ann"]), "doubled"),
    "zero character in an id": (_rename_item, "item id"),
}  # fmt: skip


@pytest.mark.parametrize("damage", _DAMAGES)
async def test_a_wrong_frame_is_nacked_and_changes_nothing(
    service: LocalService, feedback: ScriptedFeedback, script: Script, damage: str
) -> None:
    """Truth 7: the last good state serves on, and the right frame takes its place."""
    break_it, reason = _DAMAGES[damage]
    first = script.frame([Happening("ann", "a")], {("default", "ann"): [0, 0, 0, 1]})
    first.tenants[0].activated.CopyFrom(
        GenerationManifest(generation_id="g1", dimension=4, max_norm=2.0)
    )
    good = script.frame([Happening("bob", "b"), Happening("bob", "c")])
    position = script.position
    wrong = script.frame(
        [Happening("ann", "d"), Happening("bob", "d")],
        {("default", "ann"): [1, 0, 0, 0], ("default", "bob"): [1, 0, 0, 0]},
    )
    after = script.frame([Happening("ann", "e")])
    right = frame_pb2.Frame()
    right.CopyFrom(wrong)
    break_it(wrong.tenants[0])
    # Sent at once: what comes before the wrong frame is applied, what comes after it is not.
    feedback.publish(first, good, wrong, after)
    await until(lambda: feedback.nacks, "a nack")
    assert feedback.nacks[0].version == wrong.version
    assert reason in feedback.nacks[0].reason
    before = [await service.get(name, position) for name in ("ann", "bob")]
    for answer, events in zip(before, ([Happening("ann", "a")], None), strict=True):
        assert answer.position == position
        if events is not None:
            assert stated_behaviour(answer.profile) == expected_behaviour(events)
    assert before[0].profile.state.vector == np.array([0, 0, 0, 1], "<f4").tobytes()
    assert before[1].profile.counters.events == 2
    assert not before[1].profile.state.vector
    assert await service.metric("harken_feed_refused_total") >= 1

    feedback.frames[2] = right
    feedback.break_streams()
    healed = await service.get("ann", script.position)
    assert list(healed.profile.seen_item_ids) == ["e", "d", "a"]
    assert healed.profile.state.vector == np.array([1, 0, 0, 0], "<f4").tobytes()


async def test_the_dimension_of_a_generation_not_seen_activated_is_kept(
    service: LocalService, feedback: ScriptedFeedback, script: Script, start_service: StartService
) -> None:
    """Truth 7, also after a restart."""
    feedback.publish(script.frame(vectors={("default", "ann"): [1, 2, 3]}, generation="old"))
    await service.get("ann", script.position)
    await until(lambda: feedback.highest_ack() == 1, "an ack")
    await start_service()
    feedback.publish(script.frame(vectors={("default", "ann"): [1, 2]}, generation="old"))
    await until(lambda: len({n.version for n in feedback.nacks}) == 1, "nacks")
    await until(lambda: len(feedback.nacks) >= 2, "a nack of both")
    answer = await service.get("ann")
    assert answer.profile.state.vector == np.array([1, 2, 3], "<f4").tobytes()


async def test_a_process_is_ready_once_it_has_caught_up_and_stays_so(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.frame([Happening("ann", "a")]))
    await feedback.stop()
    service = await start_service()
    await service.wait_until_ready(ready=False)
    failure = await fault_of(service.get("ann"))
    assert failure.code() == grpc.StatusCode.NOT_FOUND
    await feedback.start()
    await service.wait_until_ready()
    assert (await service.get("ann")).profile.counters.events == 1
    await feedback.stop()
    await service.wait_for_metric("harken_feed_connected", 0)
    # It goes on answering from what it has.
    await service.wait_until_ready()
    assert (await service.get("ann")).profile.counters.events == 1
    assert await service.metric("harken_database_up") == 1


async def test_a_crash_of_the_database_takes_nothing_that_was_acknowledged(
    tmp_path: Path, guardian: Guardian, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truths 2 and 4, though commits do not wait for the disk: acks do."""
    rng = random.Random(3)
    server = EmbeddedPostgres(tmp_path / "postgres", guardian, durable=False)
    server.start()
    dsn = server.dsn("harken_profile")
    migrate(dsn, SCHEMA, MIGRATIONS)
    service = await LocalService.start(tmp_path, dsn, feedback.target)
    try:
        events: list[Happening] = []
        for _ in range(4):
            goal = feedback.highest_ack() + rng.randrange(5, 60)
            while feedback.highest_ack() < goal:
                events.append(Happening("ann", f"item-{rng.randrange(30)}", time_us=len(events)))
                feedback.publish(script.frame(events[-1:]))
                await until(lambda: script.version - feedback.highest_ack() < 5, "acks")
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            acknowledged = feedback.highest_ack()
            await service.wait_for_metric("harken_database_up", 0)
            await service.wait_until_ready(ready=False)
            failure = await fault_of(service.get("ann"))
            assert failure.code() == grpc.StatusCode.UNAVAILABLE
            await asyncio.to_thread(server.start)
            resumed = await _cursor(dsn)
            assert resumed >= acknowledged
            # Also what was committed and not yet on disk comes again, without a further frame.
            await until(lambda: _is_at(dsn, script.version), "the last frame")
            answer = await service.get("ann", script.position)
            assert stated_behaviour(answer.profile) == expected_behaviour(events)
            await service.wait_until_ready()
    finally:
        await service.stop()
        server.stop()


async def _is_at(dsn: str, version: int) -> bool:
    return await _cursor(dsn) == version


async def _cursor(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT version FROM profile.feed_cursor"))
    finally:
        await connection.close()


async def test_sigterm_drains(
    tmp_path: Path, dsn: str, feedback: ScriptedFeedback, script: Script
) -> None:
    """A call that waits for a position is answered before the process goes."""
    feedback.publish(script.frame([Happening("ann", "a")]))
    process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
    await process.get("ann", script.position)
    script.frame([Happening("ann", "b")])
    waiting = asyncio.create_task(process.get_stale("ann", script.position, 2.0))
    # Answered after the other call arrived: one connection keeps their order.
    await process.get("ann")
    assert not waiting.done()
    process.process.send_signal(signal.SIGTERM)
    answer = await waiting
    assert answer.stale
    assert await process.stop() == 0
