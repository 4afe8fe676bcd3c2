"""BatchRecommend of a real process: in order, each for itself, and no faster than it is read."""

from collections.abc import Sequence
from typing import Any

import pytest

from harken.common.v1.subject_pb2 import Subject
from harken.feedback.v1 import surface_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.position import Position
from services.ranker.domain.user_cache import UserCache
from services.ranker.domain.user_state import UserState
from tests.faults import violations_of
from tests.ranker.entries import Told
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.ranker_process import Ranker, user
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.ranker.service.conftest import StartRanker
from tests.waiting import until

ITEMS = 300


@pytest.fixture
async def ranker(upstream: ScriptedUpstream, start_ranker: StartRanker) -> Ranker:
    changes = Changes(activated=manifest())
    wordy = surface_pb2.Surface(name="wordy")
    for n in range(20):
        rule = wordy.config.rules.add(name=f"{n:064}")
        rule.boost.items, rule.boost.factor = "true", 1.5
    changes.document("surface", "wordy", 1, wordy.SerializeToString())
    for n in range(ITEMS):
        item = f"item-with-a-rather-long-name-{n}"
        changes.item(item).vector(item, [1.0, n / ITEMS, 0, 0]).popularity(item, float(n))
    upstream.feedback.add(frame(1, changes))
    return await start_ranker(max_cached_users="50")


async def results(ranker: Ranker, subjects: Sequence[Subject], **fields: Any) -> list[Any]:
    request = pb.BatchRecommendRequest(subjects=subjects)
    request.request.SetInParent()
    request.request.MergeFrom(pb.RecommendRequest(preview=True, **fields))
    call: Any = ranker.stub.BatchRecommend(request)
    return [one async for answer in call for one in answer.results]


async def test_each_subject_gets_its_own_slate_or_its_own_fault(ranker: Ranker) -> None:
    told = Told().event(b"u:7", "item-with-a-rather-long-name-3")
    ranker.upstream.feedback.tell(told)
    subjects = [user("7"), Subject(), user("8"), user("x" * 129), *map(user, map(str, range(60)))]
    found = await results(ranker, subjects, count=3)
    assert [one.ordinal for one in found] == list(range(64))
    faults = {one.ordinal: one.fault for one in found if one.HasField("fault")}
    assert {ordinal: fault.reason for ordinal, fault in faults.items()} == {
        1: "INVALID_REQUEST",
        3: "INVALID_REQUEST",
    }
    assert faults[1].detail == "subject: needs user_id or session_id"
    for one in found:
        if one.HasField("slate"):
            assert len(one.slate.slots) == 3
            assert one.slate.generation_id == "g1"
    assert len({one.slate.slate_id for one in found if one.HasField("slate")}) == 62


async def test_what_is_wrong_with_all_of_it_refuses_it(ranker: Ranker) -> None:
    request = pb.BatchRecommendRequest(tenant="A", subjects=[])
    request.request.count = 1001
    request.request.surface = "A B"
    request.request.page_token = "x"
    request.request.seed = 0
    request.request.tenant = "other"
    call: Any = ranker.stub.BatchRecommend(request)
    wrong = await violations_of(call.read())
    assert {field for field, _ in wrong} == {
        "tenant", "subjects", "request.count", "request.surface", "request.page_token",
        "request.seed", "request.tenant",
    }  # fmt: skip


async def test_a_user_who_is_behind_is_a_fault_of_that_user(ranker: Ranker) -> None:
    """Truth 8: strict, and profile has not reached the position."""
    feedback = ranker.upstream.feedback
    sequence = feedback.tell(Told().event(b"u:held", "item-with-a-rather-long-name-1"))
    position = Position(0, 1, sequence).encode()
    request = pb.RecommendRequest(subject=user("held"), min_position=position, strict=True)
    request.wait_budget.seconds = 10
    await ranker.stub.Recommend(request)
    ranker.upstream.profile.gate.clear()
    found = await results(
        ranker, [user("held"), user("away"), user("held")], min_position=position, strict=True
    )
    ranker.upstream.profile.gate.set()
    assert [one.WhichOneof("outcome") for one in found] == ["slate", "fault", "slate"]
    assert found[1].fault.reason == "STALE"


async def test_no_more_is_made_than_is_read(ranker: Ranker) -> None:
    """Truth 13: memory stays bounded, whoever does not read."""
    request = pb.BatchRecommendRequest(subjects=[user(str(n)) for n in range(3000)])
    request.request.count = ITEMS
    request.request.preview = True
    before = await ranker.metric("harken_ranker_slates_total")
    call: Any = ranker.stub.BatchRecommend(request)
    await call.read()
    await ranker.recommend("somebody who waits")
    call.cancel()

    async def closed() -> bool:
        return await ranker.metric('harken_rpc_streams_open{method="BatchRecommend"}') == 0

    await until(closed, "the end of the stream")
    made = await ranker.metric("harken_ranker_slates_total") - before
    assert 9 <= made < 1000


def test_users_of_a_batch_give_way_first() -> None:
    """Those who come by themselves stay at hand."""
    cache = UserCache(3)
    for name in (b"u:a", b"u:b", b"u:c"):
        cache.hold(name, UserState(0))
    cache.set_aside(b"u:c")
    cache.set_aside(b"u:nobody")
    cache.hold(b"u:d", UserState(0))
    assert cache.get(b"u:c") is None
    assert cache.get(b"u:a") is not None


async def test_large_slates_come_in_messages_that_any_client_takes(ranker: Ranker) -> None:
    """gRPC's clients take 4 MiB unless they are told otherwise."""
    request = pb.BatchRecommendRequest(subjects=[user(str(n)) for n in range(24)])
    request.request.preview = True
    request.request.count, request.request.surface = ITEMS, "wordy"
    call: Any = ranker.stub.BatchRecommend(request)
    messages = [answer async for answer in call]
    assert [one.ordinal for answer in messages for one in answer.results] == list(range(24))
    largest = max(answer.ByteSize() for answer in messages)
    single = max(one.ByteSize() for answer in messages for one in answer.results)
    assert largest <= 2 * 1024 * 1024 < 8 * single
