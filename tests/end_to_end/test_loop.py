"""The closed loop, on real processes: what is recorded is in the very next slate."""

import time
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
import pytest_asyncio

from harken.feedback.v1 import embedding_service_pb2, item_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2, slate_pb2
from services.cli.suite import Suite
from services.common.position import Position, decode_position
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event, user
from tests.faults import fault_of, fields_of, reason_of
from tests.waiting import until


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=2)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        filled = await own.upsert(*catalogue())
        for replica in range(2):
            await own.slate("nobody", filled, replica=replica)
        yield own


async def test_the_next_slate_knows_the_last_event(caller: Caller) -> None:
    """Truth 8: seen items, user state and counters, on every replica and in profile."""
    before = await caller.slate("ann")
    assert before.unknown_subject
    first = before.slots[0].item_id
    position = await caller.record(event("ann-1", "ann", first))
    for replica in range(2):
        after = await caller.slate("ann", position, replica=replica, count=60, learned=False)
        assert not after.stale
        assert not after.unknown_subject
        assert not after.degradations
        assert first not in {slot.item_id for slot in after.slots}
        assert len(after.slots) == 59
        assert after.drops.seen == 1
        assert decode_position(after.position) >= decode_position(position)
    profile = (await caller.profile("ann", position)).profile
    assert list(profile.seen_item_ids) == [first]
    assert (profile.counters.events, dict(profile.counters.events_by_type)) == (1, {"play": 1})

    async def has_vector() -> bool:
        """The learned vector follows within seconds."""
        return len((await caller.profile("ann", position)).profile.state.vector) == 4 * 128

    await until(has_vector, "the learned vector", 15)


async def test_a_slate_follows_the_taste_that_was_shown(caller: Caller) -> None:
    """Day 0, no training: content alone carries over to items that nobody has touched."""
    position = b""
    for n in range(3):
        position = await caller.record(event(f"bob-{n}", "bob", f"space-{3 * n}"))
    slate = await caller.items("bob", position, count=8)
    assert sum(item.startswith("space-") for item in slate) >= 6


async def test_what_others_went_on_to_is_proposed_with_its_reason(caller: Caller) -> None:
    position = b""
    for n in range(8):
        who = f"follower-{n}"
        await caller.record(event(f"f-{n}-1", who, "crime-2"))
        position = await caller.record(event(f"f-{n}-2", who, "romance-1"))
    position = await caller.record(event("carl-1", "carl", "crime-2")) or position
    slate = await caller.slate("carl", position, count=5)
    found = {slot.item_id: slot for slot in slate.slots}
    assert "romance-1" in found
    slot = found["romance-1"]
    assert "rules" in {source.source for source in slot.sources}
    assert slot.reason.code == slate_pb2.REASON_CODE_FOLLOWS
    assert slot.reason.because_item_id == "crime-2"
    assert slot.propensity == 1.0


async def test_a_new_item_is_retrievable_without_any_event(caller: Caller) -> None:
    await caller.record(event("dora-1", "dora", "space-9"))
    position = await caller.upsert(
        item_pb2.Item(item_id="brand-new", title="space film", categories=["space"])
    )
    # Among the twenty others of its kind, which differ by the hash of their id alone.
    slate = await caller.slate("dora", position, count=21)
    found = {slot.item_id: slot for slot in slate.slots}
    assert "vector" in {source.source for source in found["brand-new"].sources}
    await caller.delete("brand-new")


async def test_deleted_unavailable_and_expired_items_are_in_no_slate(caller: Caller) -> None:
    """Truth 9: what hides an item acts at once, whatever is learned."""
    gone = item_pb2.Item(item_id="gone", categories=["space"])
    off = item_pb2.Item(item_id="off", categories=["space"], available=False)
    old = item_pb2.Item(item_id="old", categories=["space"])
    old.expire_time.FromSeconds(1_600_000_000)
    await caller.upsert(gone, off, old)
    position = await caller.delete("gone")
    slate = await caller.slate("erik", position, count=1000, learned=False)
    assert {"gone", "off", "old"}.isdisjoint(slot.item_id for slot in slate.slots)
    only = await caller.slate(
        "erik",
        position,
        count=1000,
        filter=slate_pb2.Filter(categories=["space"], excluded_categories=["crime"]),
        excluded_item_ids=["space-0", "no-such-item"],
    )
    names = [slot.item_id for slot in only.slots]
    assert names
    assert all(name.startswith("space-") for name in names)
    assert "space-0" not in names
    assert len(set(names)) == len(names)
    assert only.drops.excluded == 1
    assert only.drops.unavailable == 2


async def test_a_backends_own_vectors_decide(caller: Caller) -> None:
    axis = [0.0] * 128
    axis[7] = 2.0
    await caller.put(embedding_service_pb2.Embedding(item_id="crime-59", values=axis, pinned=True))
    position = await caller.put(embedding_service_pb2.Embedding(subject=user("fay"), values=axis))
    slate = await caller.slate("fay", position, count=3)
    assert slate.slots[0].item_id == "crime-59"
    similar = await caller.clients.rankers[0].SimilarItems(
        ranker_service_pb2.SimilarItemsRequest(item_id="space-0", count=5)
    )
    assert len(similar.items) == 5
    assert all(item.item_id.startswith("space-") for item in similar.items)
    assert similar.items == sorted(similar.items, key=lambda item: -item.cosine)


async def test_rank_orders_what_is_given(caller: Caller) -> None:
    position = await caller.record(event("gus-1", "gus", "romance-4"))
    request = ranker_service_pb2.RankRequest(
        subject=user("gus"),
        item_ids=["crime-5", "romance-7", "space-6", "nowhere"],
        min_position=position,
        min_learned_position=position,
        strict=True,
    )
    request.wait_budget.FromSeconds(10)
    ranked = await caller.clients.rankers[0].Rank(request)
    asked = set(request.item_ids)
    slate = await caller.items("gus", position, count=59, preview=True)
    assert [slot.item_id for slot in ranked.slots] == [one for one in slate if one in asked]
    assert {slot.item_id for slot in ranked.slots} == {"crime-5", "romance-7", "space-6"}
    assert list(ranked.unranked_item_ids) == ["nowhere"]


async def test_a_position_beyond_the_log_is_stale_or_refused(caller: Caller) -> None:
    """Truth 8: never silently old."""
    here = decode_position((await caller.state()).position)
    beyond = Position(0, here.epoch, here.sequence + 10_000).encode()
    request = ranker_service_pb2.RecommendRequest(subject=user("x"), min_position=beyond)
    request.wait_budget.FromMilliseconds(30)
    assert (await caller.clients.rankers[0].Recommend(request)).stale
    request.strict = True
    error = await fault_of(caller.clients.rankers[0].Recommend(request))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert reason_of(error) == "STALE"
    request.min_position = b"junk"
    error = await fault_of(caller.clients.rankers[0].Recommend(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == {"min_position"}


async def test_tenants_do_not_show_in_each_other(caller: Caller) -> None:
    """Truth 15."""
    items = [item_pb2.Item(item_id=f"other-{n}", categories=["space"]) for n in range(5)]
    await caller.upsert(*items, tenant="other")
    position = await caller.record(event("o-1", "ann", "other-0"), tenant="other")
    theirs = await caller.items("ann", position, tenant="other", count=100)
    assert sorted(theirs) == [f"other-{n}" for n in range(1, 5)]
    ours = await caller.items("ann", position, count=100)
    assert not any(item.startswith("other-") for item in ours)
    error = await fault_of(caller.slate("ann", tenant="nobody"))
    assert error.code() == grpc.StatusCode.NOT_FOUND


async def test_replicas_agree_with_each_other_and_with_the_feed(caller: Caller) -> None:
    """Truth 6, the oracle being a plain fold of the feed."""
    position = await caller.record(*(event(f"many-{n}", f"m{n % 7}", f"space-{3 * (n % 20)}")
                                     for n in range(200)))  # fmt: skip
    for replica in range(2):
        await caller.slate("ann", position, replica=replica)
    states = [await caller.state(replica) for replica in range(2)]
    while states[0].version != states[1].version:
        states = [await caller.state(replica) for replica in range(2)]
    digests = [{one.tenant: one.digest for one in state.tenants} for state in states]
    assert digests[0] == digests[1]
    assert digests[0]["default"] == await caller.fold_of_feed(states[0].version)
    assert np.frombuffer(digests[0]["default"], np.uint8).any()


async def test_a_profile_says_what_kind_of_user_it_is(caller: Caller) -> None:
    """Behaviour and interests follow from the events, and from what the catalogue says of items."""
    bought = event("kim-0", "kim", "space-0", value=3.0)
    bought_at = int(time.time()) - 3 * 86_400
    bought.event_time.FromSeconds(bought_at)
    position = await caller.record(
        bought, event("kim-1", "kim", "space-3"), event("kim-2", "kim", "crime-2")
    )
    request = profile_service_pb2.GetProfileRequest(
        subject=user("kim"), min_position=position, strict=True
    )
    request.wait_budget.FromSeconds(10)
    request.read_mask.paths.extend(["behaviour", "interests"])
    profile = (await caller.clients.profile.GetProfile(request)).profile
    assert not profile.HasField("state")
    assert not profile.HasField("counters")
    [played] = profile.behaviour.types
    assert (played.type, played.events, played.events_7_days) == ("play", 3, 3)
    assert played.value_sum == 3.0
    assert played.first_time.seconds == bought_at
    assert (profile.behaviour.active_days, profile.behaviour.sessions) == (2, 2)
    assert sum(profile.behaviour.events_by_hour) == 3
    found = {one.name: one for one in profile.interests.categories}
    assert (found["space"].events, found["crime"].events) == (2, 1)
    # Of two events of space one is old.
    assert found["crime"].short_term > found["crime"].long_term
    assert (profile.interests.items, profile.interests.items_not_known) == (3, 0)

    request.read_mask.paths.append("everything")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await caller.clients.profile.GetProfile(request)
    assert fields_of(refused.value) == {"read_mask.paths[2]"}
