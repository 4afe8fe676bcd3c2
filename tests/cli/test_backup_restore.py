"""Backup under traffic, restore, and everybody who was ahead (truths 1, 5, 6, 8).

The oracle is what the test sent and when it was acknowledged, and the log's table itself.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf import json_format

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2, experiment_service_pb2, item_pb2
from harken.internal.log.v1 import entry_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from services.cli.backup.manifest import Manifest, read_manifest
from services.cli.suite import Suite, SuiteConfig
from services.common.position import decode_position
from tests.cli.harken_process import Finished, harken
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.faults import fault_of, reason_of
from tests.waiting import until

USERS = 8
SMALL = {
    "feedback": {
        "HARKEN_FEEDBACK_CHECKPOINT_VERSIONS": "40",
        "HARKEN_FEEDBACK_CHECKPOINT_SECONDS": "0.3",
        "HARKEN_FEEDBACK_KEEP_VERSIONS": "0",
        "HARKEN_FEEDBACK_TICK_SECONDS": "0.5",
    }
}

Sent = dict[str, event_pb2.Event]


async def operate(command: str, folder: Path, database: FreshDatabase, *options: str) -> Finished:
    return await harken(
        command, str(folder), "--feedback-dsn", database.feedback_dsn,
        "--profile-dsn", database.profile_dsn, *options, folder=folder.parent, seconds=120,
    )  # fmt: skip


@asynccontextmanager
async def traffic(caller: Caller, prefix: str, sent: Sent) -> AsyncIterator[None]:
    """Record events and ask for slates until the block ends; `sent` gets what is acknowledged."""
    stop = asyncio.Event()

    async def send(sender: int) -> None:
        chance = random.Random(sender)
        names = [item.item_id for item in catalogue()]
        number = 0
        while not stop.is_set():
            who = f"user-{chance.randrange(USERS)}"
            one = event(f"{prefix}-{sender}-{number}", who, chance.choice(names))
            await caller.record(one)
            sent[one.event_id] = one
            number += 1
            if number % 5 == 0:
                await caller.slate(who, replica=chance.randrange(2))

    senders = [asyncio.create_task(send(number)) for number in range(2)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*senders)


async def log_events(database: FreshDatabase) -> dict[str, tuple[str, str]]:
    """Return user and item of every event in the log, by event id."""
    connection = await asyncpg.connect(database.admin_dsn)
    rows = await connection.fetch("SELECT entry FROM feedback.log WHERE user_key IS NOT NULL")
    await connection.close()
    entries = [entry_pb2.Entry.FromString(row["entry"]) for row in rows]
    found = [one.event for one in entries if one.HasField("event")]
    return {one.event_id: (one.user_key.decode()[2:], one.item_id) for one in found}


async def answer_to(call: Any) -> str:
    """Return the reason that a call is refused with, "" when it is answered."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason_of(error) or error.code().name
    return ""


async def recorded(caller: Caller, one: event_pb2.Event) -> bytes:
    """Record an event as a client does whose channel has to notice first that feedback is back."""
    positions: list[bytes] = []

    async def accepted() -> bool:
        try:
            positions.append(await caller.record(one))
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return False
        return True

    await until(accepted, "feedback to be back", 60)
    return positions[0]


async def set_attributes(caller: Caller, who: str, city: str) -> None:
    profile = profile_pb2.Profile(subject=subject_pb2.Subject(user_id=who))
    profile.attributes["city"] = city
    await caller.clients.profile.UpdateProfile(
        profile_service_pb2.UpdateProfileRequest(profile=profile)
    )


async def check_everyone(caller: Caller, database: FreshDatabase, last: bytes) -> None:
    """Profile, rankers and feed say what the log says, and nothing else."""
    logged = await log_events(database)
    counts = Counter(who for who, _ in logged.values())
    for who, expected in counts.items():
        answer = await caller.profile(who, last)
        assert not answer.stale
        assert answer.profile.counters.events == expected
        seen = {item for name, item in logged.values() if name == who}
        assert set(answer.profile.seen_item_ids) == seen
        for replica in range(2):
            slate = await caller.slate(who, last, replica=replica, count=100)
            assert not slate.stale
            # Never what was seen, and all else that there is: what was seen only in the history
            # that was lost counts as not seen.
            everything = {item.item_id for item in catalogue()}
            assert {slot.item_id for slot in slate.slots} == everything - seen

    async def agreed() -> bool:
        one, two = [await caller.state(replica) for replica in range(2)]
        return (one.epoch, one.version) == (two.epoch, two.version)

    await until(agreed, "replicas to reach one version")

    async def same() -> bool:
        states = [await caller.state(replica) for replica in range(2)]
        if len({state.version for state in states}) > 1:
            return False
        try:
            expected = await caller.fold_of_feed(states[0].version)
        except AssertionError:
            # A tick came meanwhile.
            return False
        if expected is None:
            # Frames that were merged led beyond it.
            return False
        assert {state.tenants[0].digest for state in states} == {expected}
        return True

    await until(same, "a version at which the feed can be compared")


async def test_a_restore_takes_everybody_back_and_on(
    suite: StartSuite, database: FreshDatabase, tmp_path: Path
) -> None:
    running: Suite = await asyncio.to_thread(
        suite, rankers=2, preset="media", split_feedback=False, environment=SMALL
    )
    backup = tmp_path / "backup"
    async with caller_of(running) as caller:
        placed = await caller.upsert(*catalogue())

        async def reached() -> bool:
            answers = [await answer_to(caller.slate("user-0", placed, replica=n)) for n in range(2)]
            return not any(answers)

        await until(reached, "the catalogue to reach the rankers")
        kept: Sent = {}
        during: Sent = {}
        lost: Sent = {}
        async with traffic(caller, "kept", kept):
            await until(lambda: len(kept) > 80, "events before the backup")
        before = await caller.record(event("before", "user-0", "space-0"))
        await set_attributes(caller, "user-0", "Kept")
        async with traffic(caller, "during", during):
            await until(lambda: len(during) > 20, "traffic")
            taken = await operate("backup", backup, database)
            assert taken.code == 0, taken.errors
        async with traffic(caller, "lost", lost):
            await until(lambda: len(lost) > 80, "events that will be lost")
        await set_attributes(caller, "user-0", "Lost")
        # A user and an item that only the lost history knows, held by every ranker.
        await caller.upsert(item_pb2.Item(item_id="lost-item", title="lost"))
        ahead = await caller.record(event("lost", "lost-user", "lost-item"))
        for replica in range(2):
            await caller.slate("lost-user", ahead, replica=replica)
        await caller.profile("lost-user", ahead)

        refused = await operate("restore", backup, database)
        assert refused.code == 1
        assert "not empty" in refused.errors
        refused = await operate("restore", backup, database, "--force")
        assert refused.code == 1
        assert "feedback is running" in refused.errors
        assert "lost" in await log_events(database)

        # Rankers and profile run on: they are ahead of what is restored.
        await asyncio.to_thread(running.kill, "feedback")
        done = await operate("restore", backup, database, "--force")
        assert done.code == 0, done.errors
        await asyncio.to_thread(running.start, "feedback")
        logged = await log_events(database)
        assert {"before", *kept} <= set(logged)
        assert not ({"lost", *lost} & set(logged))
        assert set(logged) <= {"before", *kept, *during}

        after = await recorded(caller, event("after", "user-1", "crime-2"))
        assert decode_position(after).epoch > decode_position(ahead).epoch

        # Truth 8: what was lost is said to be, by all, as soon as the feed has told them.
        async def all_know() -> bool:
            answers = [
                await answer_to(caller.slate("user-0", ahead, replica=0)),
                await answer_to(caller.slate("user-0", ahead, replica=1)),
                await answer_to(caller.profile("user-0", ahead)),
            ]
            return set(answers) == {"EPOCH_LOST"}

        await until(all_know, "all to know where the old epoch ended", 40)
        # A position of the old epoch that is in the backup still counts.
        assert not (await caller.slate("user-0", before)).stale
        assert not (await caller.profile("user-0", before)).stale
        unknown = await fault_of(caller.profile("lost-user", after))
        assert unknown.code() == grpc.StatusCode.NOT_FOUND
        restored = await caller.profile("user-0", after)
        assert restored.profile.attributes["city"] == "Kept"

        # The same ids may be recorded again: they were lost, they are no duplicates.
        again: Sent = {}
        async with traffic(caller, "lost", again):
            await until(lambda: len(again) > 30, "new events")
        last = await caller.record(event("last", "user-2", "space-3"))
        assert {"last", "after", *again} <= set(await log_events(database))
        await check_everyone(caller, database, last)
    running.check()


@pytest.fixture
async def backed_up(
    suite: StartSuite, database: FreshDatabase, tmp_path: Path
) -> tuple[Path, FreshDatabase]:
    """Return a backup of a suite that has stopped, and its database."""
    running: Suite = await asyncio.to_thread(suite, preset="media")
    async with caller_of(running) as caller:
        await caller.upsert(*catalogue())
        last = await caller.record(event("one", "user-0", "space-0"))
        await caller.profile("user-0", last)
        await start_experiment(caller)
    await asyncio.to_thread(running.stop)
    taken = await operate("backup", tmp_path / "backup", database)
    assert taken.code == 0, taken.errors
    return tmp_path / "backup", database


async def start_experiment(caller: Caller) -> None:
    """Let everybody be in an experiment on surface "home"."""
    put = experiment_service_pb2.PutExperimentRequest()
    put.experiment.name = "kept"
    json_format.ParseDict(
        {
            "buckets": 10_000,
            "surfaces": ["home"],
            "variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}],
            "primary": {"name": "plays", "event_types": ["play"]},
            "window": "3600s",
            "planned_users": 1000,
        },
        put.experiment.config,
    )
    await caller.clients.experiments.PutExperiment(put)
    begin = experiment_service_pb2.StartExperimentRequest(name="kept")
    await caller.clients.experiments.StartExperiment(begin)


async def shard(database: FreshDatabase) -> tuple[Any, ...]:
    connection = await asyncpg.connect(database.admin_dsn)
    row = await connection.fetchrow(
        "SELECT s.*, (SELECT count(*) FROM feedback.log) AS log,"
        " (SELECT count(*) FROM profile.histories) AS users FROM feedback.shards s"
    )
    await connection.close()
    assert row is not None
    return tuple(row)


async def test_a_damaged_backup_is_refused_by_name_and_nothing_changes(
    backed_up: tuple[Path, FreshDatabase],
) -> None:
    backup, database = backed_up
    before = await shard(database)
    manifest = (backup / "manifest.json").read_text()
    dump = (backup / "feedback.dump").read_bytes()
    damages = {
        "manifest.json": manifest.replace('"sequence": ', '"sequence": 1').encode(),
        "feedback.dump": dump[: len(dump) // 2]
        + bytes([dump[len(dump) // 2] ^ 1])
        + dump[len(dump) // 2 + 1 :],
        "profile.dump": (backup / "profile.dump").read_bytes()[:-1],
    }
    for name, content in damages.items():
        whole = (backup / name).read_bytes()
        (backup / name).write_bytes(content)
        refused = await operate("restore", backup, database, "--force")
        assert refused.code == 1
        assert f"{name} is damaged" in refused.errors.replace("\n", "")
        checked = await operate("backup", backup, database, "--check")
        assert checked.code == 1
        (backup / name).write_bytes(whole)
        assert await shard(database) == before
    (backup / "profile.dump").unlink()
    refused = await operate("restore", backup, database, "--force")
    assert "profile.dump is missing" in refused.errors.replace("\n", "")
    assert await shard(database) == before


async def test_rows_that_are_not_there_break_the_restore_off_as_a_whole(
    backed_up: tuple[Path, FreshDatabase],
) -> None:
    """A manifest and dumps that are whole, of two different moments."""
    backup, database = backed_up
    manifest = read_manifest(backup)
    feedback = manifest.part("feedback")
    wrong = {**feedback.rows, "log": feedback.rows["log"] + 1}
    parts = (replace(feedback, rows=wrong), manifest.part("profile"))
    Manifest(manifest.harken, manifest.created_at, parts).write(backup)
    before = await shard(database)
    refused = await operate("restore", backup, database, "--force")
    assert refused.code == 1
    assert "feedback.log has not the" in refused.errors
    assert await shard(database) == before


async def test_a_backup_goes_into_an_empty_database_and_serves(
    backed_up: tuple[Path, FreshDatabase],
    new_database: Any,
    guardian: Any,
    tmp_path: Path,
) -> None:
    """Also one that was migrated already; from there another backup and another epoch work."""
    backup, _ = backed_up
    fresh: FreshDatabase = new_database()
    config = SuiteConfig(tmp_path / "two", fresh.feedback_dsn, fresh.profile_dsn, preset="media")
    two = Suite(config, guardian)
    await asyncio.to_thread(two.migrate)
    done = await operate("restore", backup, fresh)
    assert done.code == 0, done.errors
    with await asyncio.to_thread(two.__enter__) as running:
        async with caller_of(running) as caller:
            position = await caller.record(event("two", "user-0", "space-3"))
            answer = await caller.profile("user-0", position)
            assert set(answer.profile.seen_item_ids) == {"space-0", "space-3"}
            slate = await caller.slate("user-0", position, surface="home")
            assert not slate.stale
            # Who was in an experiment stays in, and its start is a place of the log here, too.
            [exposure] = slate.experiments
            assert (exposure.experiment, exposure.revision) == ("kept", 2)
            told = await harken(
                "experiment", "report", "kept", folder=tmp_path, endpoints=running.endpoints
            )
            assert told.code == 0, told.errors
            # The event of the backup is known: its id is a duplicate.
            await caller.record(event("one", "user-0", "space-0"))
            assert (await caller.profile("user-0", position)).profile.counters.events == 2
    # The database as it is now, as after a snapshot of its volume: a new epoch on demand.
    was = (await shard(fresh))[1]
    begun = await harken(
        "new-epoch", "--feedback-dsn", fresh.feedback_dsn, "--profile-dsn", fresh.profile_dsn,
        folder=tmp_path,
    )  # fmt: skip
    assert begun.code == 0, begun.errors
    now = await shard(fresh)
    assert now[1] > was
    admin = await asyncpg.connect(fresh.admin_dsn)
    assert await admin.fetchval(
        "SELECT last_sequence = (SELECT head FROM feedback.shards) FROM feedback.forks"
        " WHERE epoch = $1",
        was,
    )
    await admin.close()
    again = await operate("backup", tmp_path / "again", fresh)
    assert again.code == 0, again.errors
