"""The two lanes of a real process: what each of them is waited for, and what acts at once."""

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration

from harken.profile.v1 import profile_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.position import Position, decode_position
from tests.faults import fault_of, reason_of, violations_of
from tests.ranker.entries import Told
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.ranker_process import Ranker, user
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.ranker.service.conftest import StartRanker
from tests.waiting import until

KEY = b"u:7"
LONG = Duration(seconds=5)
SHORT = Duration(nanos=50_000_000)


def shop(items: str = "abcd") -> Changes:
    changes = Changes(activated=manifest())
    for place, item_id in enumerate(items):
        changes.item(item_id).vector(item_id, [float(place == axis) for axis in range(4)])
        changes.popularity(item_id, float(place))
    return changes


def position(sequence: int, epoch: int = 1) -> bytes:
    return Position(0, epoch, sequence).encode()


def ids(answer: pb.RecommendResponse) -> list[str]:
    return [slot.item_id for slot in answer.slots]


def profile_of(items: str, vector: list[float] | None = None, pinned: bool = False) -> Any:
    """Return what profile answers about a user who viewed items, in order."""
    profile = profile_pb2.Profile(subject=user("7"), seen_item_ids=list(items[::-1]))
    for place, item_id in enumerate(items[::-1]):
        event = profile.state.recent.add(item_id=item_id, type="view", weight=1.0)
        event.event_time.seconds = 100 - place
    if vector is not None:
        profile.state.vector = np.array(vector, "<f4").tobytes()
        profile.state.generation_id = "g1"
        profile.state.vector_set = True
        profile.state.vector_pinned = pinned
    return profile


def vector_scores(answer: pb.RecommendResponse) -> dict[str, float]:
    return {
        slot.item_id: source.score
        for slot in answer.slots
        for source in slot.sources
        if source.source == "vector"
    }


@pytest.fixture
async def ranker(upstream: ScriptedUpstream, start_ranker: StartRanker) -> Ranker:
    upstream.feedback.add(frame(1, shop()))
    return await start_ranker()


async def test_min_learned_position_is_met_by_the_parameters_lane_alone(ranker: Ranker) -> None:
    """Who has just upserted an item waits for it, or is told; entries cannot pass for it."""
    feedback = ranker.upstream.feedback
    sequence = feedback.tell(Told().item("e"))
    await ranker.heard(sequence)
    learned: Any = {"min_learned_position": position(sequence)}
    answer = await ranker.recommend("7", wait_budget=SHORT, **learned)
    assert answer.stale
    assert decode_position(answer.position).sequence == sequence
    assert decode_position(answer.learned_position).sequence == 1
    assert not (await ranker.recommend("7", min_position=position(sequence))).stale
    calls: list[Any] = [
        ranker.recommend("7", wait_budget=SHORT, strict=True, **learned),
        ranker.stub.SimilarItems(
            pb.SimilarItemsRequest(item_id="a", strict=True, wait_budget=SHORT, **learned)
        ),
        ranker.stub.Rank(
            pb.RankRequest(
                subject=user("7"), item_ids=["a"], strict=True, wait_budget=SHORT, **learned
            )
        ),
    ]
    for call in calls:
        error = await fault_of(call)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert reason_of(error) == "STALE"
        assert "min_learned_position" in str(error.details())
    similar = await ranker.stub.SimilarItems(
        pb.SimilarItemsRequest(item_id="a", wait_budget=SHORT, **learned)
    )
    assert similar.stale
    assert await ranker.metric("harken_ranker_stale_total") == 2

    waiting: list[Any] = [
        asyncio.ensure_future(ranker.recommend("7", wait_budget=LONG, strict=True, **learned)),
        asyncio.ensure_future(
            ranker.stub.SimilarItems(
                pb.SimilarItemsRequest(item_id="e", wait_budget=LONG, strict=True, **learned)
            )
        ),
        asyncio.ensure_future(
            ranker.stub.Rank(
                pb.RankRequest(subject=user("7"), item_ids=["e"], wait_budget=LONG, **learned)
            )
        ),
    ]
    await asyncio.sleep(0)
    feedback.add(frame(2, Changes().item("e").vector("e", [1, 1, 0, 0])))
    slate, similar, ranked = await asyncio.gather(*waiting)
    assert "e" in ids(slate)
    assert similar.items
    assert [slot.item_id for slot in ranked.slots] == ["e"]
    for one in (slate, similar, ranked):
        assert not one.stale
        assert decode_position(one.learned_position).sequence == sequence


async def test_a_wrong_position_is_named(ranker: Ranker) -> None:
    wrong = b"no position"
    request = pb.SimilarItemsRequest(item_id="a", min_learned_position=wrong)
    request.wait_budget.seconds = 11
    fields = {field for field, _ in await violations_of(ranker.stub.SimilarItems(request))}
    assert fields == {"min_learned_position", "wait_budget"}
    call = ranker.recommend("7", min_learned_position=wrong, min_position=wrong)
    fields = {field for field, _ in await violations_of(call)}
    assert fields == {"min_learned_position", "min_position"}


@pytest.mark.parametrize("field", ["min_position", "min_learned_position"])
async def test_a_tenant_that_is_being_made_is_waited_for(
    field: str, upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Its first entry is here, and frames are to bring it."""
    ranker = await start_ranker()
    sequence = upstream.feedback.tell(Told().item("a"))
    await ranker.heard(sequence)
    wanted: Any = {field: position(sequence)}
    call = ranker.recommend("7", wait_budget=LONG, **wanted)
    waiting = asyncio.ensure_future(call)
    await asyncio.sleep(0.05)
    upstream.feedback.add(frame(1, shop(), sequence=sequence))
    answer = await waiting
    assert len(answer.slots) == 4
    assert not answer.stale
    error = await fault_of(ranker.recommend("7", tenant="other", **wanted))
    assert error.code() == grpc.StatusCode.NOT_FOUND


async def test_what_is_hidden_is_gone_from_the_next_slate(ranker: Ranker) -> None:
    """Truth 9, while nothing is learned, and across a snapshot that is older."""
    feedback = ranker.upstream.feedback
    told = Told().item("d", listed=False).item("c", available=False).item("b", expires_at_us=9)
    sequence = feedback.tell(told)
    answer = await ranker.recommend("7", min_position=position(sequence), wait_budget=LONG)
    assert not answer.stale
    assert ids(answer) == ["a"]
    assert answer.drops.unavailable == 2
    request = pb.SimilarItemsRequest(item_id="d")
    assert (await fault_of(ranker.stub.SimilarItems(request))).code() == grpc.StatusCode.NOT_FOUND
    digest = (await ranker.state()).tenants[0].digest

    # A snapshot of before it all replaces the replica.
    feedback.snapshot = [frame(1, shop())]
    feedback.lost_version = True
    await ranker.upstream.stop("feedback")
    await ranker.upstream.start_feedback()

    async def restarted() -> bool:
        return await ranker.metric("harken_feed_restarts_total") == 2

    await until(restarted, "the snapshot")
    assert ids(await ranker.recommend("7")) == ["a"]
    # The digest is that of the version (truth 6).
    assert (await ranker.state()).tenants[0].digest == digest

    # What the catalogue says from then on counts: frames are past these entries.
    changes = Changes(deleted=["d"]).item("c", available=False).item("b")
    feedback.add(frame(2, changes, sequence=sequence + 1))
    await ranker.applied(2)
    assert ids(await ranker.recommend("7")) == ["b", "a"]
    shown = feedback.tell(Told().item("c"))
    answer = await ranker.recommend("7", min_position=position(shown), wait_budget=LONG)
    assert ids(answer) == ["c", "b", "a"]


async def test_an_event_taken_back_while_profile_answered_is_asked_for_again(
    ranker: Ranker,
) -> None:
    """Truth 8: the second call waits for the retraction, and finds it."""
    profile, feedback = ranker.upstream.profile, ranker.upstream.feedback
    first = feedback.tell(Told().event(KEY, "a").event(KEY, "b"))
    await ranker.heard(first)
    profile.profiles[KEY] = profile_of("ab")
    profile.gate.clear()
    call = asyncio.ensure_future(ranker.recommend("7", wait_budget=LONG))
    await until(lambda: profile.requests, "the miss")
    back = feedback.tell(Told().retract(first - 1, KEY, "a"))
    await ranker.heard(back)
    profile.profiles[KEY] = profile_of("b")
    profile.gate.set()
    answer = await call
    assert set(ids(answer)) == set("acd")
    assert not answer.degradations
    assert [bool(one.min_position) for one in profile.requests] == [False, True]
    assert decode_position(profile.requests[1].min_position) == Position(0, 1, back)
    lookups = 'harken_ranker_user_lookups_total{outcome="asked_again"}'
    assert await ranker.metric(lookups) == 1
    # Held now: nobody is asked.
    assert set(ids(await ranker.recommend("7"))) == set("acd")
    assert len(profile.requests) == 2


async def test_a_vector_that_was_set_counts_while_it_stands(ranker: Ranker) -> None:
    """What profile answers says whether it stands; learned ones are made here."""
    profile, feedback = ranker.upstream.profile, ranker.upstream.feedback
    profile.profiles[KEY] = profile_of("a", [0, 9, 0, 0])
    profile.profiles[b"u:8"] = profile_of("a", [0, 9, 0, 0], pinned=True)
    learned = profile_of("a", [0, 9, 0, 0])
    learned.state.vector_set = False
    profile.profiles[b"u:9"] = learned
    scores = [vector_scores(await ranker.recommend(name))["b"] for name in "789"]
    assert scores[:2] == [9, 9]
    assert scores[2] != 9
    told = Told().event(KEY, "c").event(b"u:8", "c").event(b"u:9", "c")
    last = position(feedback.tell(told))
    answers = [await ranker.recommend(name, min_position=last, wait_budget=LONG) for name in "789"]
    scores = [vector_scores(answer)["b"] for answer in answers]
    assert scores[1] == 9
    # The same items, the same vector, wherever they come from.
    assert scores[0] == scores[2] != 9


async def test_a_lane_that_is_away_is_said(ranker: Ranker) -> None:
    """Truth 14: entries are half of the feed; what was learned goes on."""
    feedback = ranker.upstream.feedback
    feedback.set_entries_away(True)

    async def lost() -> bool:
        return not (await ranker.state()).connected

    await until(lost, "the loss to be noticed")
    answer = await ranker.recommend("7")
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_FEED_DISCONNECTED]
    feedback.add(frame(2, Changes().popularity("a", 99.0)))
    await ranker.applied(2)
    assert ids(await ranker.recommend("7"))[0] == "a"
    sequence = feedback.tell(Told().event(KEY, "a"))
    call = ranker.recommend("7", min_position=position(sequence), wait_budget=SHORT)
    assert (await call).stale
    feedback.set_entries_away(False)
    answer = await ranker.recommend("7", min_position=position(sequence), wait_budget=LONG)
    assert not answer.stale
    assert "a" not in ids(answer)


async def test_ready_is_said_when_nothing_is_missing_between_the_lanes(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """What was hidden after the frames and before the entries began came by no way (truth 9)."""
    feedback = upstream.feedback
    feedback.add(frame(1, shop()))
    feedback.tell(Told().item("d", listed=False))
    ranker = await start_ranker(ready=False)
    await ranker.applied(1)
    await ranker.heard(2)
    state = await ranker.state()
    assert state.connected
    assert not state.ready
    assert (state.head_sequence, state.entries_lag) == (2, 0)
    assert decode_position(state.position).sequence == 2
    assert decode_position(state.learned_position).sequence == 1
    error = await fault_of(ranker.recommend("7"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    feedback.add(frame(2, Changes(deleted=["d"])))
    await until(ranker.is_ready, "readiness")
    assert "d" not in ids(await ranker.recommend("7"))


async def test_a_ranker_far_behind_the_entries_is_not_ready(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    upstream.feedback.add(frame(1, shop()))
    ranker = await start_ranker(max_ready_entries_lag="5")
    upstream.feedback.hold_entries()
    told = Told()
    for _ in range(7):
        told.event(KEY, "a")
    upstream.feedback.tell(told)

    async def behind() -> bool:
        state = await ranker.state()
        return state.entries_lag == 7 and state.head_sequence == 8 and not state.ready

    await until(behind, "the lag to be noticed")
    upstream.feedback.release_entries()
    await until(ranker.is_ready, "readiness")
