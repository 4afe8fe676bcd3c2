"""Seen items by type of event: what profile answers, over gRPC and PostgreSQL."""

import random

import asyncpg

from harken.profile.v1 import profile_service_pb2 as pb
from tests.profile.oracle import expected_behaviour, expected_seen, stated_behaviour, stated_seen
from tests.profile.script import Happening, Script, user
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService

NOW_US = 1_700_000_000_000_000


def numbered(script: Script, events: list[Happening]) -> list[tuple[int, Happening]]:
    """Return events with the sequences that the next frame gives them."""
    return list(enumerate(events, script.sequence + 1))


async def test_each_type_has_its_latest_time_whatever_the_order(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    events = [
        Happening("ann", "a", "purchase", time_us=NOW_US),
        Happening("ann", "b", "view", time_us=NOW_US + 1),
        Happening("ann", "a", "purchase", time_us=NOW_US - 10),
        Happening("ann", "a", "rating", weight=-0.5, time_us=NOW_US),
        Happening("ann", "a", "rating", weight=0.5, time_us=NOW_US - 3),
    ]
    feedback.publish(
        script.events(events[:1]), script.events(events[1:3]), script.events(events[3:])
    )
    answer = (await service.get("ann", script.position, by_type=True)).profile
    assert stated_seen(answer) == [
        ("b", "view", False, NOW_US + 1),
        ("a", "rating", True, NOW_US),
        ("a", "purchase", False, NOW_US),
        ("a", "rating", False, NOW_US - 3),
    ]
    assert not answer.seen_item_ids
    # By request only: an earlier ranker goes on with ids, the latest accepted first.
    plain = (await service.get("ann", script.position)).profile
    assert list(plain.seen_item_ids) == ["a", "b"]
    assert not plain.HasField("seen")
    none = (await service.get("ann", script.position, seen=False, by_type=True)).profile
    assert not none.HasField("seen")
    batch = await service.stub.BatchGetProfiles(
        pb.BatchGetProfilesRequest(
            subjects=[user("zoe"), user("ann")], include_seen=True, seen_by_type=True
        )
    )
    assert batch.results[1].profile.seen == answer.seen
    assert not batch.results[0].HasField("profile")


async def test_retracted_events_leave_nothing_behind(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Retraction is exact for seen items, of each type and its latest time."""
    draw = random.Random(7)
    events = [
        Happening(
            "ann", f"item-{draw.randrange(8)}", draw.choice(["view", "purchase", "hide"]),
            time_us=NOW_US + draw.randrange(20), weight=draw.choice([1.0, -1.0]),
        )
        for _ in range(60)
    ]  # fmt: skip
    left = numbered(script, events)
    feedback.publish(script.events(events))
    while left:
        gone = draw.sample(left, min(len(left), 9))
        left = [one for one in left if one not in gone]
        feedback.publish(script.retraction(gone))
        if not left:
            break
        answer = (await service.get("ann", script.position, by_type=True)).profile
        assert stated_seen(answer) == expected_seen(left)
        plain = (await service.get("ann", script.position)).profile
        assert stated_behaviour(plain) == expected_behaviour([event for _, event in left])
    batch = await service.stub.BatchGetProfiles(
        pb.BatchGetProfilesRequest(
            subjects=[user("ann")], min_position=script.position, strict=True,
            include_seen=True, seen_by_type=True,
        )
    )  # fmt: skip
    assert not batch.results[0].HasField("profile")


async def test_of_many_the_newest_by_event_time_are_answered(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Of equal times, and many are at the bound, the later in the log is the newer."""
    draw = random.Random(3)
    events = [
        Happening(
            "ann",
            f"item-{n % 6000}",
            draw.choice(["view", "like"]),
            time_us=NOW_US + draw.randrange(200),
        )
        for n in range(9000)
    ]
    expected = expected_seen(numbered(script, events))
    feedback.publish(*(script.events(events[at : at + 3000]) for at in range(0, 9000, 3000)))
    answer = (await service.get("ann", script.position, by_type=True)).profile
    assert stated_seen(answer) == expected
    assert len(answer.seen.item_ids) == 5000


async def test_a_song_on_repeat_stays_short(
    service: LocalService, feedback: ScriptedFeedback, script: Script, admin: asyncpg.Connection
) -> None:
    """However it comes: what is stored stops growing, and answers as if all were there."""
    own: list[tuple[int, Happening]] = []
    sizes = []
    for each, calls in ((50, 20), (3000, 1), (60, 40)):
        for _ in range(calls):
            events = [
                Happening("ann", "song", "play", time_us=NOW_US + script.sequence + n)
                for n in range(each)
            ]
            events.append(Happening("ann", "song", "skip", time_us=NOW_US, weight=-0.3))
            own += numbered(script, events)
            feedback.publish(script.events(events))
            answer = (await service.get("ann", script.position, by_type=True)).profile
        assert stated_seen(answer) == expected_seen(own)
        plain = (await service.get("ann", script.position)).profile
        assert stated_behaviour(plain) == expected_behaviour([event for _, event in own])
        sizes.append(await admin.fetchval("SELECT sum(rows) FROM profile.history_chunks"))
    assert max(sizes) < 1600
    feedback.publish(script.retraction(own[-5:-1]))
    left = [*own[:-5], own[-1]]
    answer = (await service.get("ann", script.position, by_type=True)).profile
    assert stated_seen(answer) == expected_seen(left)
    assert answer.counters.events == len(left)
    # Also those that nobody can tell apart any more.
    while left:
        gone, left = left[:700], left[700:]
        feedback.publish(script.retraction(gone))
        batch = await service.stub.BatchGetProfiles(
            pb.BatchGetProfilesRequest(
                subjects=[user("ann")],
                min_position=script.position,
                strict=True,
                wait_budget={"seconds": 10},
            )
        )
        assert batch.results[0].profile.counters.events == len(left)
    assert not batch.results[0].HasField("profile")
    assert not await admin.fetchval("SELECT count(*) FROM profile.history_chunks")
