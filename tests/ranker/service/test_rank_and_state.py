"""Rank, SimilarItems and GetServingState of a real process."""

import asyncio
import functools
import hashlib

import grpc
import numpy as np
import pytest

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.position import Position, decode_position
from services.common.request_limits import SMALL_MESSAGE_BYTES
from tests.faults import fault_of, reason_of, violations_of
from tests.ranker.entries import Told
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.ranker_process import Ranker, user
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.ranker.service.conftest import StartRanker
from tests.waiting import until

VECTORS = {"a": [1.0, 0, 0, 0], "b": [3.0, 4.0, 0, 0], "c": [0, 1.0, 0, 0], "d": [-1.0, 0, 0, 0]}


def first_frame() -> Changes:
    changes = Changes(activated=manifest())
    for item_id, vector in VECTORS.items():
        changes.item(item_id, ["right" if vector[0] > 0 else "left"])
        changes.vector(item_id, vector, bias=0.5)
    changes.item("out", available=False).item("old", expire_seconds=5).item("bare")
    changes.popularity("c", 3.0).popularity("d", 1.0)
    return changes


@pytest.fixture
async def ranker(upstream: ScriptedUpstream, start_ranker: StartRanker) -> Ranker:
    upstream.feedback.add(frame(1, first_frame()))
    return await start_ranker()


async def test_rank_orders_what_is_given(ranker: Ranker) -> None:
    wanted = ["d", "nobody", "c", "out", "a", "old", "bare"]
    answer = await ranker.stub.Rank(pb.RankRequest(subject=user("7"), item_ids=wanted))
    assert [slot.item_id for slot in answer.slots][:2] == ["c", "d"]
    assert {slot.item_id for slot in answer.slots} == {"a", "c", "d", "bare"}
    assert list(answer.unranked_item_ids) == ["nobody", "out", "old"]
    assert answer.generation_id == "g1"
    assert not answer.stale
    assert decode_position(answer.position) == Position(0, 1, 1)


async def test_rank_uses_taste(ranker: Ranker) -> None:
    told = Told().event(b"u:7", "a").vector(b"u:7", [0, 9, 0, 0])
    ranker.upstream.feedback.tell(told)
    await ranker.recommend("7")
    told = Told().event(b"u:7", "a").vector(b"u:7", [0, 9, 0, 0])
    sequence = ranker.upstream.feedback.tell(told)
    request = pb.RankRequest(
        subject=user("7"), item_ids=["a", "b"], min_position=Position(0, 1, sequence).encode()
    )
    request.wait_budget.seconds = 5
    answer = await ranker.stub.Rank(request)
    # Seen items are ranked all the same: the caller asked for them.
    assert [slot.item_id for slot in answer.slots] == ["b", "a"]
    source = answer.slots[0].sources[0]
    assert (source.source, source.rank) == ("vector", 1)
    assert source.score == pytest.approx(36.5)


async def test_rank_refuses_what_it_cannot_take(ranker: Ranker) -> None:
    for item_ids in ([], ["x"] * 2, [str(n) for n in range(1001)]):
        call = ranker.stub.Rank(pb.RankRequest(subject=user("7"), item_ids=item_ids))
        assert (await fault_of(call)).code() == grpc.StatusCode.INVALID_ARGUMENT
    request = pb.RankRequest(subject=user("7"), item_ids=["a"], surface="A B", count=1001)
    assert {field for field, _ in await violations_of(ranker.stub.Rank(request))} == {
        "surface",
        "count",
    }


async def test_an_answer_that_default_clients_cannot_take_is_refused(ranker: Ranker) -> None:
    """Truth 13: ids that are none come back, whatever their size."""
    long = [f"{n:04}" + "x" * 4_180 for n in range(999)]
    request = pb.RankRequest(subject=user("7"), item_ids=[*long, ""])
    request.item_ids[-1] = "y" * (SMALL_MESSAGE_BYTES - request.ByteSize() - 1)
    # The largest request; the answer says something besides.
    assert request.ByteSize() == SMALL_MESSAGE_BYTES
    [(field, what)] = await violations_of(ranker.stub.Rank(request))
    assert field == "item_ids"
    assert "ask for fewer" in what
    few = await ranker.stub.Rank(pb.RankRequest(subject=user("7"), item_ids=[*long[:400], "a"]))
    assert list(few.unranked_item_ids) == long[:400]


async def test_categories_that_no_item_has_are_named(ranker: Ranker) -> None:
    wanted = slate_pb2.Filter(
        categories=["rihgt", "left", "rihgt"], excluded_categories=["none", "right"]
    )
    slate = await ranker.recommend("7", filter=wanted)
    assert list(slate.unknown_categories) == ["rihgt", "none"]
    assert {slot.item_id for slot in slate.slots} == {"c", "d"}
    similar = await ranker.stub.SimilarItems(pb.SimilarItemsRequest(item_id="b", filter=wanted))
    assert list(similar.unknown_categories) == ["rihgt", "none"]
    assert not (await ranker.recommend("7")).unknown_categories


async def test_a_tenant_that_was_not_heard_of_may_still_come(ranker: Ranker) -> None:
    """The client is told to wait, not to make what another may have made a moment ago."""
    error = await fault_of(ranker.recommend("7", tenant="new"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert reason_of(error) == "UNKNOWN_TENANT"
    assert "not heard of tenant 'new' yet" in str(error.details())
    assert "try again" in str(error.details())
    assert "UpsertItems" not in str(error.details())


async def test_similar_items(ranker: Ranker) -> None:
    answer = await ranker.stub.SimilarItems(pb.SimilarItemsRequest(item_id="b"))
    assert [item.item_id for item in answer.items] == ["c", "a", "d"]
    assert [item.cosine for item in answer.items] == pytest.approx([0.8, 0.6, -0.6])
    request = pb.SimilarItemsRequest(item_id="b", filter=slate_pb2.Filter(categories=["right"]))
    answer = await ranker.stub.SimilarItems(request)
    assert [item.item_id for item in answer.items] == ["a"]
    answer = await ranker.stub.SimilarItems(pb.SimilarItemsRequest(item_id="b", count=1))
    assert [item.item_id for item in answer.items] == ["c"]


async def test_similar_items_to_nothing(ranker: Ranker) -> None:
    stub = ranker.stub
    for item_id in ("nobody", "bare"):
        call = stub.SimilarItems(pb.SimilarItemsRequest(item_id=item_id))
        assert (await fault_of(call)).code() == grpc.StatusCode.NOT_FOUND
    call = stub.SimilarItems(pb.SimilarItemsRequest(item_id=""))
    assert (await fault_of(call)).code() == grpc.StatusCode.INVALID_ARGUMENT


def expected_digest(vectors: dict[str, list[float]]) -> bytes:
    return hashlib.sha256(
        b"".join(
            item_id.encode() + np.array([*vector, 0.5], "<f4").tobytes()
            for item_id, vector in sorted(vectors.items())
        )
    ).digest()


async def test_serving_state_says_what_is_served(ranker: Ranker) -> None:
    """Truth 6: the digest is SHA-256 over sorted item id + vector bytes."""
    await ranker.recommend("7")
    state = await ranker.state()
    assert state.ready
    assert state.connected
    assert (state.epoch, state.version, state.head_version) == (1, 1, 1)
    assert decode_position(state.position) == Position(0, 1, 1)
    [tenant] = state.tenants
    assert (tenant.tenant, tenant.generation_id) == ("default", "g1")
    assert (tenant.items, tenant.vectors, tenant.cached_users) == (7, 4, 1)
    assert tenant.digest == expected_digest(VECTORS)

    changes = Changes(deleted=["a"]).vector("c", [0, 2, 0, 0], 0.5)
    ranker.upstream.feedback.add(frame(2, changes))
    await ranker.applied(2)
    [tenant] = (await ranker.state()).tenants
    left = {"b": VECTORS["b"], "c": [0, 2.0, 0, 0], "d": VECTORS["d"]}
    assert tenant.digest == expected_digest(left)
    assert (tenant.items, tenant.vectors) == (6, 3)


async def test_version_and_digest_are_of_one_instant(ranker: Ranker) -> None:
    """Truth 6, with frames flowing: each version has its own digest."""
    last = 600
    expected = {1: expected_digest(VECTORS)}
    for version in range(2, last + 1):
        expected[version] = expected_digest({**VECTORS, "a": [version / last, 1.0, 0, 0]})
    seen: dict[int, bytes] = {}

    async def read() -> None:
        state = await ranker.state()
        while state.version < last:
            assert state.tenants[0].digest == expected[state.version], state.version
            seen[state.version] = state.tenants[0].digest
            state = await ranker.state()

    async def publish() -> None:
        for version in range(2, last + 1):
            changes = Changes().vector("a", [version / last, 1, 0, 0], 0.5)
            ranker.upstream.feedback.add(frame(version, changes))
            if version % 50 == 0 and version < last:
                more = functools.partial(lambda known: len(seen) > known, len(seen))
                await until(more, "a reader to see some of them")
            await asyncio.sleep(0)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(read())
        group.create_task(publish())
    assert len(seen) > 10


async def test_replicas_at_one_version_have_one_digest(
    ranker: Ranker, upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Truth 6, with one replica from frames and one from a snapshot and the tail."""
    for version in range(2, 8):
        upstream.feedback.add(frame(version, Changes().vector("a", [version, 1, 0, 0])))
    snapshot = first_frame().vector("a", [4, 1, 0, 0])
    upstream.feedback.snapshot = [frame(4, snapshot)]
    late = await start_ranker()
    for one in (ranker, late):
        await until(functools.partial(_at, one, 7), "version 7")
    states = [await one.state() for one in (ranker, late)]
    assert states[0].tenants[0].digest == states[1].tenants[0].digest
    assert [start.WhichOneof("from") for start in upstream.feedback.starts] == ["snapshot"] * 2


async def _at(ranker: Ranker, version: int) -> bool:
    return (await ranker.state()).version == version
