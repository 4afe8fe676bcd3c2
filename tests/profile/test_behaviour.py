"""State, seen items and counters are what the events say, however they come in stretches."""

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.common.v1.subject_pb2 import Subject
from harken.profile.v1 import profile_service_pb2 as pb
from harken.profile.v1 import profile_service_pb2_grpc
from services.common.channels import open_channel
from services.common.position import decode_position
from tests.faults import fault_of, violations_of
from tests.profile.conftest import StartService
from tests.profile.oracle import (
    expected_behaviour,
    expected_seen,
    stated_behaviour,
    stated_seen,
)
from tests.profile.script import Happening, Script, user
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService

_USERS = ("ann", "bob", "cy")
_happenings = st.builds(
    Happening,
    user=st.sampled_from(_USERS),
    item=st.sampled_from([f"item-{n}" for n in range(6)] + ["Ünïcode 🎧"]),
    type=st.sampled_from(["view", "buy", "rating"]),
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    time_us=st.integers(0, 4_000_000_000_000_000),
    weight=st.floats(-2, 5, width=32),
)
_numbers = itertools.count()


@st.composite
def _stories(draw: st.DrawFn) -> tuple[list[list[Happening]], list[list[int]]]:
    """Events cut into stretches, and stretches cut into groups that are sent at once."""
    # Repeated, so that more than 100 events of one user come up often.
    events = draw(st.lists(_happenings, min_size=1, max_size=30)) * draw(st.sampled_from([1, 3, 9]))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=12)))
    stretches = [events[a:b] for a, b in itertools.pairwise([0, *cuts, len(events)])]
    group_cuts = sorted(draw(st.lists(st.integers(0, len(stretches)), max_size=4)))
    bounds = itertools.pairwise([0, *group_cuts, len(stretches)])
    return stretches, [list(range(a, b)) for a, b in bounds if b > a]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    story=_stories(),
    # Seldom, as the pause before the next try grows with every break.
    breaks=st.lists(st.sampled_from([False] * 19 + [True]), min_size=5, max_size=5),
    again=st.integers(0, 5),
)
async def test_any_split_into_stretches_gives_the_same_result(
    service: LocalService,
    feedback: ScriptedFeedback,
    script: Script,
    story: tuple[list[list[Happening]], list[list[int]]],
    breaks: list[bool],
    again: int,
) -> None:
    """Truth 2: each event counts once, also when streams break and entries are sent again."""
    tenant = f"t{next(_numbers)}"
    stretches, groups = story
    stretches = [[replace(one, tenant=tenant) for one in own] for own in stretches]
    for group, broken in zip(groups, breaks, strict=False):
        feedback.publish(*(script.events(stretches[index]) for index in group))
        if broken:
            feedback.resend = again
            feedback.break_streams()
    for name in _USERS:
        own = [h for stretch in stretches for h in stretch if h.user == name]
        if own:
            answer = await service.get(name, script.position, tenant)
            assert stated_behaviour(answer.profile) == expected_behaviour(own)
            by_type = await service.get(name, script.position, tenant, by_type=True)
            assert stated_seen(by_type.profile) == expected_seen(list(enumerate(own)))


async def test_more_than_a_hundred_events_of_one_user(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    events = [Happening("ann", f"item-{n % 130}", time_us=n) for n in range(300)]
    feedback.publish(script.events(events[:90]), script.events(events[90:99]))
    feedback.publish(script.events(events[99:101]), script.events(events[101:]))
    answer = await service.get("ann", script.position)
    assert stated_behaviour(answer.profile) == expected_behaviour(events)


async def test_no_more_than_5000_seen_items(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    events = [Happening("ann", f"item-{n}") for n in range(5100)]
    feedback.publish(script.events(events))
    answer = await service.get("ann", script.position)
    assert list(answer.profile.seen_item_ids) == [f"item-{n}" for n in range(5099, 99, -1)]
    assert answer.profile.counters.distinct_items == 5100
    assert not (await service.get("ann", seen=False)).profile.seen_item_ids


async def test_profiles_that_default_clients_cannot_take_are_refused(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 13: 5,000 seen ids of 128 bytes each; the largest request, what fits, and our own."""
    ids = [f"{n:04}" + "i" * 124 for n in range(5000)]
    feedback.publish(script.events([Happening("ann", item) for item in ids]))
    one = await service.get("ann", script.position)
    assert len(one.profile.seen_item_ids) == 5000

    def request(count: int, **fields: Any) -> pb.BatchGetProfilesRequest:
        return pb.BatchGetProfilesRequest(subjects=[user("ann")] * count, **fields)

    batch = service.stub.BatchGetProfiles
    for count, most in ((100, 0), (16, 0), (40, 16 << 20)):
        wanted = request(count, include_seen=True, max_answer_bytes=most)
        [(field, what)] = await violations_of(batch(wanted))
        assert field == "subjects"
        assert "ask for fewer" in what
    assert len((await batch(request(30))).results) == 30
    assert len((await batch(request(5, include_seen=True))).results) == 5
    # As a ranker asks: it says that it takes more.
    async with open_channel(service.target) as channel:
        own: Any = profile_service_pb2_grpc.ProfileServiceStub(channel)
        wanted = request(16, include_seen=True, max_answer_bytes=16 << 20)
        answer = await own.BatchGetProfiles(wanted)
    assert all(list(one.profile.seen_item_ids) == ids[::-1] for one in answer.results)


async def test_tenants_and_sessions_are_apart(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 15, and user "7" is not session "7"."""
    feedback.publish(script.events([Happening("7", "a"), Happening("7", "b", tenant="other")]))
    await service.get("7", script.position)
    answer = await service.stub.BatchGetProfiles(
        pb.BatchGetProfilesRequest(
            subjects=[user("7"), Subject(session_id="7"), user("nobody"), user("7")],
            include_seen=True,
        )
    )
    assert [result.HasField("profile") for result in answer.results] == [True, False, False, True]
    assert answer.results[0].profile.seen_item_ids == ["a"]
    other = await service.get("7", tenant="other")
    assert other.profile.seen_item_ids == ["b"]
    failure = await fault_of(service.get("7", tenant="third"))
    assert failure.code() == grpc.StatusCode.NOT_FOUND


async def test_two_services_on_one_database_do_no_harm(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 2: whoever comes second finds the cursor moved, and skips."""
    first, second = await start_service(), await start_service()
    events = [Happening("ann", f"item-{n % 17}", time_us=n) for n in range(400)]
    for begin in range(0, len(events), 2):
        feedback.publish(script.events(events[begin : begin + 2]))
        if begin % 50 == 0:
            await first.get("ann", script.position)
    for service in (first, second):
        answer = await service.get("ann", script.position)
        assert stated_behaviour(answer.profile) == expected_behaviour(events)
    conflicts = [
        await service.metric("harken_profile_cursor_conflicts_total") for service in (first, second)
    ]
    assert sum(conflicts) > 0


async def test_a_batch_is_as_of_one_position(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """All profiles of an answer have seen the same entries, while entries come in."""
    both = [Happening("ann", "a"), Happening("bob", "a")]
    feedback.publish(script.events(both))
    await service.get("ann", script.position)

    async def publish() -> None:
        for _ in range(40):
            feedback.publish(*(script.events(both) for _ in range(5)))
            await service.get_stale("ann", script.position, 10.0)

    publisher = asyncio.create_task(publish())
    reads = 0
    while not publisher.done():
        answer = await service.stub.BatchGetProfiles(
            pb.BatchGetProfilesRequest(subjects=[user("ann"), user("bob")])
        )
        counts = [result.profile.counters.events for result in answer.results]
        # Each stretch brings one event of each user.
        sequence = decode_position(answer.position).sequence
        assert counts == [sequence // 2, sequence // 2]
        reads += 1
    await publisher
    assert reads > 20
