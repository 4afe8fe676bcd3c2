"""Profile loses what it made of the log, or the log left what it had applied: it is made again."""

import random

import asyncpg
import pytest

from tests.profile.conftest import StartService
from tests.profile.oracle import expected_behaviour, expected_seen, stated_behaviour, stated_seen
from tests.profile.script import Happening, Numbered, Script
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService
from tests.waiting import until

TABLES = ("histories", "history_chunks", "set_vectors", "entries_cursor")


def publish(feedback: ScriptedFeedback, script: Script, rng: random.Random) -> list[Numbered]:
    """Publish events of two users, and take some back; return those that stand."""
    told: list[Numbered] = []
    for _ in range(12):
        events = [
            Happening(
                rng.choice(["ann", "bob"]), f"item-{rng.randrange(30)}", rng.choice(["a", "b"]),
                time_us=rng.randrange(10**6),
            )
            for _ in range(20)
        ]  # fmt: skip
        told += enumerate(events, script.sequence + 1)
        feedback.publish(script.events(events))
    gone = rng.sample(told, 20)
    feedback.publish(script.retraction(gone))
    return [one for one in told if one not in gone]


async def check(service: LocalService, script: Script, told: list[Numbered]) -> None:
    for name in ("ann", "bob"):
        own = [one for one in told if one[1].user == name]
        answer = await service.get(name, script.position)
        assert stated_behaviour(answer.profile) == expected_behaviour([h for _, h in own])
        by_type = await service.get(name, script.position, by_type=True)
        assert stated_seen(by_type.profile) == expected_seen(own)


@pytest.mark.parametrize("cursor", ["0, 0", "1, 1000000"])
async def test_all_is_made_again_from_the_beginning(
    start_service: StartService,
    feedback: ScriptedFeedback,
    script: Script,
    admin: asyncpg.Connection,
    cursor: str,
) -> None:
    """An operator set the cursor back, or it is beyond the log (truths 1, 2 and 5)."""
    first = await start_service()
    told = publish(feedback, script, random.Random(1))
    feedback.publish(script.put("ann", [1, 2], pinned=True))
    await check(first, script, told)
    await first.stop()
    await admin.execute(f"UPDATE profile.entries_cursor SET (epoch, sequence) = ({cursor})")
    before = len(feedback.follows)
    second = await start_service()
    await second.wait_until_ready()
    await check(second, script, told)
    assert (await second.get("ann")).profile.state.vector_pinned
    # It may have connected again since, where it is by now.
    assert any(one.resume.sequence == 0 for one in feedback.follows[before:])
    await second.wait_for_metric("harken_profile_rebuilding", 0)


async def test_a_fork_before_what_was_applied_is_followed_from_the_beginning(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 5: nothing of the history that was left stays."""
    kept = publish(feedback, script, random.Random(2))
    fork = script.sequence
    publish(feedback, script, random.Random(3))
    await service.get("ann", script.position)
    # A restore: what came after the fork is gone, and other entries take its place.
    feedback.forks = {1: fork}
    script.epoch = feedback.epoch = 2
    script.sequence = fork
    feedback.entries = [one for one in feedback.entries if one.through_sequence <= fork]
    told = publish(feedback, script, random.Random(4))
    feedback.break_streams()
    await check(service, script, kept + told)
    await service.wait_for_metric("harken_profile_rebuilding", 0)


async def test_a_restored_older_backup_goes_on_from_its_own_cursor(
    start_service: StartService,
    feedback: ScriptedFeedback,
    script: Script,
    admin: asyncpg.Connection,
) -> None:
    """Also restored behind the back of a process that runs."""
    service = await start_service()
    told = publish(feedback, script, random.Random(5))
    await check(service, script, told)
    await admin.execute("CREATE SCHEMA backup")
    for table in TABLES:
        await admin.execute(f"CREATE TABLE backup.{table} AS TABLE profile.{table}")
    before = script.sequence
    told += publish(feedback, script, random.Random(6))
    await check(service, script, told)
    async with admin.transaction():
        for table in TABLES:
            await admin.execute(f"TRUNCATE profile.{table}")
            columns = "OVERRIDING SYSTEM VALUE" if table == "histories" else ""
            await admin.execute(f"INSERT INTO profile.{table} {columns} TABLE backup.{table}")
    told += publish(feedback, script, random.Random(7))

    async def resumed() -> bool:
        return any(request.resume.sequence == before for request in feedback.follows)

    await until(resumed, "the stream from the cursor of the backup")
    await check(service, script, told)


async def test_not_ready_while_users_are_made_again(
    start_service: StartService,
    feedback: ScriptedFeedback,
    script: Script,
    admin: asyncpg.Connection,
) -> None:
    service = await start_service()
    told = publish(feedback, script, random.Random(8))
    await check(service, script, told)
    await service.wait_until_ready()
    rebuilds = await service.metric("harken_profile_rebuilds_total")
    # From now on entries come only up to the middle.
    later = feedback.entries[6:]
    feedback.hidden = len(later)
    await admin.execute("UPDATE profile.entries_cursor SET (epoch, sequence) = (0, 0)")
    feedback.publish(script.events(gap=1))
    await service.wait_for_metric("harken_profile_rebuilding", 1)
    await service.wait_until_ready(ready=False)
    assert await service.metric("harken_profile_rebuilds_total") == rebuilds + 1
    feedback.hidden = 0
    feedback.break_streams()
    await check(service, script, told)
    await service.wait_until_ready()
    await service.wait_for_metric("harken_profile_rebuilding", 0)
