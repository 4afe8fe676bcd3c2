"""The entries lane: resume, refusal, kill -9, a crash of the database, readiness."""

import asyncio
import functools
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import numpy as np
import pytest
from google.protobuf.struct_pb2 import Struct

from harken.internal.feed.v1 import entries_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from services.common.migrations import migrate
from services.profile.process import MIGRATIONS, SCHEMA
from tests.faults import fault_of
from tests.profile.conftest import StartService
from tests.profile.oracle import expected_behaviour, stated_behaviour
from tests.profile.script import Happening, Script
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService, ServiceProcess
from tests.waiting import until

KILLS = 8


async def test_follows_from_the_beginning_and_resumes_where_it_was(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    first = await start_service()
    feedback.publish(*(script.events([Happening("ann", "a")]) for _ in range(3)))
    await first.get("ann", script.position)
    second = await start_service()
    await second.wait_until_ready()
    begin, again = feedback.follows
    assert begin.subscriber == "profile"
    assert begin.user_facts
    assert begin.WhichOneof("from") == again.WhichOneof("from") == "resume"
    assert (begin.resume.epoch, begin.resume.sequence) == (0, 0)
    assert (again.resume.epoch, again.resume.sequence) == (1, 3)


async def test_entries_sent_again_count_once(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 2."""
    events = [Happening("ann", f"item-{n}") for n in range(12)]
    feedback.publish(*(script.events([event]) for event in events[:8]))
    await service.get("ann", script.position)
    feedback.resend = 5
    feedback.break_streams()
    feedback.publish(*(script.events([event]) for event in events[8:]))
    answer = await service.get("ann", script.position)
    assert len(feedback.follows) == 2
    assert stated_behaviour(answer.profile) == expected_behaviour(events)


async def test_kill_between_batches_and_restart(
    tmp_path: Path, dsn: str, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truths 1, 2 and 8: SIGKILL at any moment loses nothing and doubles nothing.

    Also of a user with so many events that they are in chunks, and with some taken back.
    """
    rng = random.Random(7)
    told: list[tuple[int, Happening]] = []

    async def publish() -> None:
        while True:
            some = [
                Happening(
                    rng.choice(["ann", *(f"user-{n}" for n in range(4))]),
                    f"item-{rng.randrange(40)}", time_us=rng.randrange(10**6),
                )
                for _ in range(rng.randrange(9))
            ]  # fmt: skip
            told.extend(enumerate(some, script.sequence + 1))
            feedback.publish(script.events(some))
            if rng.random() < 0.1 and told:
                gone = [told.pop(rng.randrange(len(told)))]
                feedback.publish(script.retraction(gone))
            # No more ahead than that, so that a kill comes in the middle of it.
            await until(functools.partial(ahead_below, 300), "progress", 60)
            await asyncio.sleep(0)

    async def ahead_below(most: int) -> bool:
        return script.sequence - await _cursor(dsn) < most

    publisher = asyncio.create_task(publish())
    for _ in range(KILLS):
        process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
        goal = await _cursor(dsn) + rng.randrange(1, 500)
        await until(functools.partial(_is_beyond, dsn, goal), "progress", 60)
        await process.kill()
    publisher.cancel()
    await asyncio.gather(publisher, return_exceptions=True)

    process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
    assert len(told) > 1000
    for name in {event.user for _, event in told}:
        answer = await process.get(name, script.position)
        own = [event for _, event in told if event.user == name]
        assert stated_behaviour(answer.profile) == expected_behaviour(own)
    assert await process.stop() == 0
    resumed = [request.resume.sequence for request in feedback.follows]
    assert resumed == sorted(resumed)


Damage = Callable[[entries_pb2.TenantEntries], None]


def _damage(field: str, value: Any) -> Damage:
    def damage(own: entries_pb2.TenantEntries) -> None:
        holder = own if field in ("item_ids", "user_keys") else own.events
        column = getattr(holder, field)
        if isinstance(column, bytes):
            setattr(holder, field, value)
        else:
            column[:] = value

    return damage


_DAMAGES = {
    "user not there": (_damage("users", [0, 9]), "users"),
    "item not there": (_damage("items", [0, 9]), "items"),
    "type not there": (_damage("types", [0, 9]), "types"),
    "a column too short": (_damage("time_offsets_us", [1]), "length"),
    "values too short": (_damage("values", b"12345678"), "length"),
    "bytes that are no values": (_damage("values", b"1234567"), "length"),
    "weights too long": (_damage("weights", bytes(12)), "length"),
    "weight not finite": (_damage("weights", np.array([1, np.nan], "<f4").tobytes()), "weights"),
    "value infinite": (_damage("values", np.array([1, np.inf], "<f8").tobytes()), "values"),
    "time out of range": (_damage("time_offsets_us", [0, 2**61]), "time"),
    "time out of all ranges": (_damage("time_offsets_us", [0, 2**63 - 1]), "time"),
    "events out of order": (_damage("sequence_offsets", [2, 1]), "sequence"),
    "events of before": (_damage("sequence_offsets", [-1, 0]), "sequence"),
    "events of later": (_damage("sequence_offsets", [1, 600]), "sequence"),
    "doubled user": (_damage("user_keys", [b"u:ann", b"u:ann"]), "user_keys"),
    "user without key": (_damage("user_keys", [b"u:ann", b""]), "user_keys"),
    "zero character in an id": (_damage("item_ids", ["a\0b"]), "item_ids"),
    "an id too long": (_damage("item_ids", ["i" * 2000]), "item_ids"),
}


@pytest.mark.parametrize("damage", _DAMAGES)
async def test_wrong_entries_are_refused_and_change_nothing(
    service: LocalService,
    feedback: ScriptedFeedback,
    script: Script,
    damage: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Truth 7: the last good state serves on, and the right entries take their place."""
    break_it, reason = _DAMAGES[damage]
    first = script.events([Happening("ann", "a")])
    good = script.events([Happening("bob", "b"), Happening("bob", "c")])
    position = script.position
    wrong = script.events([Happening("ann", "d"), Happening("bob", "d")])
    after = script.events([Happening("ann", "e")])
    right = entries_pb2.Entries()
    right.CopyFrom(wrong)
    break_it(wrong.tenants[0])
    # Sent at once: what comes before the wrong ones is applied, what comes after them is not.
    feedback.publish(first, good, wrong, after)

    async def refused() -> bool:
        return await service.metric("harken_entries_refused_total") > 0

    await until(refused, "a refusal")
    log = capsys.readouterr().out
    assert reason in log[log.index("entries refused") :]
    before = [await service.get(name, position) for name in ("ann", "bob")]
    assert {answer.position for answer in before} == {position}
    assert stated_behaviour(before[0].profile) == expected_behaviour([Happening("ann", "a")])
    assert before[1].profile.counters.events == 2

    feedback.entries[2] = right
    feedback.break_streams()
    healed = await service.get("ann", script.position)
    assert list(healed.profile.seen_item_ids) == ["e", "d", "a"]


async def test_entries_of_an_earlier_epoch_are_refused(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 5."""
    script.epoch = feedback.epoch = 2
    feedback.publish(script.events([Happening("ann", "a")]))
    await service.get("ann", script.position)
    script.epoch = 1
    feedback.publish(script.events([Happening("ann", "b")]))

    async def refused() -> bool:
        return await service.metric("harken_entries_refused_total") > 0

    await until(refused, "a refusal")
    assert list((await service.get("ann")).profile.seen_item_ids) == ["a"]


async def test_facts_of_the_log_bring_lost_attributes_back(
    service: LocalService, feedback: ScriptedFeedback, script: Script, admin: asyncpg.Connection
) -> None:
    """Where profile's own are older or lost, and never otherwise."""

    def attributes(**given: str) -> bytes:
        struct = Struct()
        struct.update(given)
        return struct.SerializeToString()

    later = 2**50
    feedback.publish(
        script.fact("ann", 7, attributes(plan="first")),
        script.fact("ann", later, attributes(plan="last")),
        script.fact("ann", 8, attributes(plan="second")),
    )
    found = (await service.get("ann", script.position)).profile
    assert dict(found.attributes.items()) == {"plan": "last"}
    assert found.etag == f"{later:x}"
    feedback.publish(script.fact("ann", later - 1, attributes(plan="old")))
    assert (await service.get("ann", script.position)).profile == found
    # Nobody is told of what the log has already.
    assert await admin.fetchval("SELECT count(*) FROM profile.user_fact_outbox") == 0


async def test_a_process_is_ready_once_it_has_caught_up_and_stays_so(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.events([Happening("ann", "a")]))
    await feedback.stop()
    service = await start_service()
    await service.wait_until_ready(ready=False)
    failure = await fault_of(service.get("ann"))
    assert failure.code() == grpc.StatusCode.NOT_FOUND
    await feedback.start()
    await service.wait_until_ready()
    assert (await service.get("ann")).profile.counters.events == 1
    await feedback.stop()
    await service.wait_for_metric("harken_entries_connected", 0)
    # It goes on answering from what it has.
    await service.wait_until_ready()
    assert (await service.get("ann")).profile.counters.events == 1
    assert await service.metric("harken_database_up") == 1


async def test_a_crash_of_the_database_takes_nothing(
    tmp_path: Path, guardian: Guardian, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truths 1, 2 and 8, though commits do not wait for the disk: the cursor goes with them."""
    rng = random.Random(3)
    server = EmbeddedPostgres(tmp_path / "postgres", guardian, durable=False)
    server.start()
    dsn = server.dsn("harken_profile")
    migrate(dsn, SCHEMA, MIGRATIONS)
    service = await LocalService.start(tmp_path, dsn, feedback.target)
    try:
        events: list[Happening] = []
        for _ in range(4):
            for _ in range(rng.randrange(5, 60)):
                events.append(Happening("ann", f"item-{rng.randrange(30)}", time_us=len(events)))
                feedback.publish(script.events(events[-1:]))
                await service.get_stale("ann", script.position, 10.0)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await service.wait_for_metric("harken_database_up", 0)
            await service.wait_until_ready(ready=False)
            failure = await fault_of(service.get("ann"))
            assert failure.code() == grpc.StatusCode.UNAVAILABLE
            await asyncio.to_thread(server.start)
            # Also what was committed and not yet on disk comes again, without a further entry.
            await until(functools.partial(_is_beyond, dsn, script.sequence - 1), "all of it")
            answer = await service.get("ann", script.position)
            assert stated_behaviour(answer.profile) == expected_behaviour(events)
            await service.wait_until_ready()
    finally:
        await service.stop()
        server.stop()


async def _is_beyond(dsn: str, sequence: int) -> bool:
    return await _cursor(dsn) > sequence


async def _cursor(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT sequence FROM profile.entries_cursor"))
    finally:
        await connection.close()


async def test_sigterm_drains(
    tmp_path: Path, dsn: str, feedback: ScriptedFeedback, script: Script
) -> None:
    """A call that waits for a position is answered before the process goes."""
    feedback.publish(script.events([Happening("ann", "a")]))
    process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
    await process.get("ann", script.position)
    script.events([Happening("ann", "b")])
    waiting = asyncio.create_task(process.get_stale("ann", script.position, 2.0))
    # Answered after the other call arrived: one connection keeps their order.
    await process.get("ann")
    assert not waiting.done()
    process.process.send_signal(signal.SIGTERM)
    answer = await waiting
    assert answer.stale
    assert await process.stop() == 0
