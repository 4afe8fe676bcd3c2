"""Recommend of a real process, over real gRPC, fed by a script."""

import asyncio
import uuid
from collections.abc import Awaitable
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import ListValue, Value

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.position import Position, decode_position
from tests.faults import fault_of, violations_of
from tests.ranker.entries import Told
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.ranker_process import Ranker, user
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.ranker.service.conftest import StartRanker
from tests.waiting import until

KEY = b"u:7"


def first_frame() -> Changes:
    """Six items on axes; f is the most popular, then e, and so on."""
    changes = Changes(activated=manifest())
    for place, item_id in enumerate("abcdef"):
        changes.item(item_id, ["even" if place % 2 == 0 else "odd"])
        changes.vector(item_id, [float(place == axis) for axis in range(4)])
        changes.popularity(item_id, float(place), 1.0)
    changes.rule("a", 0, "d", 9.0)
    return changes


def profile_of(seen: str, vector: list[float], generation_id: str = "g1") -> profile_pb2.Profile:
    """Return what profile would answer about a user who did something with `seen`, in order."""
    profile = profile_pb2.Profile(subject=user("7"), seen_item_ids=list(seen[::-1]))
    for place, item_id in enumerate(seen[::-1]):
        event = profile.state.recent.add(item_id=item_id, type="view", weight=1.0)
        event.event_time.seconds = 100 - place
    profile.state.vector = np.array(vector, "<f4").tobytes()
    profile.state.generation_id = generation_id
    profile.state.vector_set = bool(vector)
    return profile


def ids(answer: pb.RecommendResponse | pb.RankResponse) -> list[str]:
    return [slot.item_id for slot in answer.slots]


async def violations(call: Awaitable[Any]) -> list[str]:
    """Return the fields that an INVALID_ARGUMENT names."""
    return [field for field, _ in await violations_of(call)]


def position(sequence: int, epoch: int = 1) -> bytes:
    return Position(0, epoch, sequence).encode()


@pytest.fixture
async def ranker(upstream: ScriptedUpstream, start_ranker: StartRanker) -> Ranker:
    upstream.feedback.add(frame(1, first_frame()))
    return await start_ranker()


async def test_a_stranger_gets_a_popular_slate(ranker: Ranker) -> None:
    answer = await ranker.recommend("7", count=4)
    assert ids(answer) == ["f", "e", "d", "c"]
    assert answer.unknown_subject
    assert not answer.stale
    assert not answer.degradations
    assert answer.generation_id == "g1"
    assert answer.policy == "greedy-1"
    assert decode_position(answer.position) == Position(0, 1, 1)
    assert uuid.UUID(answer.slate_id).version == 7
    assert all(slot.propensity == 1 for slot in answer.slots)
    assert all(slot.reason.code == slate_pb2.REASON_CODE_POPULAR for slot in answer.slots)
    assert (await ranker.recommend("7")).slate_id != answer.slate_id


async def test_the_slate_follows_the_user(ranker: Ranker) -> None:
    ranker.upstream.profile.profiles[KEY] = profile_of("a", [0, 9, 0, 0])
    answer = await ranker.recommend("7")
    assert set(ids(answer)) == set("bcdef")
    assert answer.drops.seen == 1
    assert not answer.unknown_subject
    reasons = {slot.item_id: slot.reason for slot in answer.slots}
    assert reasons["d"].code == slate_pb2.REASON_CODE_FOLLOWS
    assert reasons["d"].because_item_id == "a"
    assert reasons["b"].code == slate_pb2.REASON_CODE_TASTE
    by_source = {source.source: source for source in answer.slots[0].sources}
    assert set(by_source) <= {"vector", "rules", "popularity"}
    scores = [slot.score for slot in answer.slots]
    assert scores == sorted(scores, reverse=True)


async def test_the_next_slate_knows_the_last_event(ranker: Ranker) -> None:
    """Truth 8, the fresh half: entries are in the next slate, though nothing is learned at all."""
    assert "f" in ids(await ranker.recommend("7"))
    for sequence in range(2, 30):
        item_id = "abcdef"[sequence % 6]
        waiting = asyncio.ensure_future(
            ranker.recommend("7", min_position=position(sequence), wait_budget=Duration(seconds=5))
        )
        await asyncio.sleep(0)
        assert ranker.upstream.feedback.tell(Told().event(KEY, item_id)) == sequence
        answer = await waiting
        assert not answer.stale
        assert decode_position(answer.position).sequence >= sequence
        assert decode_position(answer.learned_position) == Position(0, 1, 1)
        assert item_id not in ids(answer)
        assert not answer.unknown_subject
    assert len(ranker.upstream.profile.requests) == 1


async def test_events_between_profiles_reading_and_answering_are_not_lost(
    ranker: Ranker,
) -> None:
    """Truth 2: each event takes effect once, though profile and feed overtake each other."""
    profile = ranker.upstream.profile
    profile.profiles[KEY] = profile_of("a", [0, 1, 0, 0])
    profile.gate.clear()
    calls = [asyncio.ensure_future(ranker.recommend("7", wait_budget=Duration(seconds=5)))
             for _ in range(3)]  # fmt: skip
    await until(lambda: profile.requests, "the miss")
    await ranker.heard(ranker.upstream.feedback.tell(Told().event(KEY, "b")))
    profile.gate.set()
    for answer in await asyncio.gather(*calls):
        assert set(ids(answer)) == set("cdef")
    # Concurrent misses of one user share one call.
    assert len(profile.requests) == 1
    assert profile.requests[0].include_seen
    # 16 users with 5,000 seen ids of 128 bytes each.
    assert profile.requests[0].max_answer_bytes == 16 << 20
    # Profile writes behind: what it has is enough.
    assert not profile.requests[0].min_position


async def test_profile_away_is_said_counted_and_not_remembered(ranker: Ranker) -> None:
    """Truth 14: every degraded answer says so and is counted."""
    profile = ranker.upstream.profile
    profile.profiles[KEY] = profile_of("f", [0, 1, 0, 0])
    await ranker.upstream.stop("profile")
    answer = await ranker.recommend("7", count=2)
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]
    assert ids(answer) == ["f", "e"]
    assert not answer.stale
    assert await ranker.metric('harken_ranker_degraded_total{what="profile_unavailable"}') == 1

    await ranker.upstream.start_profile()

    async def recovered() -> bool:
        return not (await ranker.recommend("7", count=2)).degradations

    await until(recovered, "profile to be found again")
    assert "f" not in ids(await ranker.recommend("7"))


async def test_a_profile_that_cannot_be_decoded_is_said_and_counted(ranker: Ranker) -> None:
    """Truth 14: gRPC answers OK and nothing when a message is deeper than parsers go."""
    value = Value(number_value=1.0)
    for _ in range(48):
        value = Value(list_value=ListValue(values=[value]))
    profile = profile_of("f", [0, 1, 0, 0])
    profile.attributes.fields["deep"].CopyFrom(value)
    ranker.upstream.profile.profiles[KEY] = profile
    answer = await ranker.recommend("7", count=2)
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]
    assert await ranker.metric('harken_ranker_user_lookups_total{outcome="failed"}') == 1


async def test_profile_away_cannot_pass_for_fresh(ranker: Ranker) -> None:
    """Truth 8: without the user's state no position is reflected, so the slate says stale."""
    await ranker.upstream.stop("profile")
    answer = await ranker.recommend("7", min_position=position(1))
    assert answer.stale
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]
    error = await fault_of(ranker.recommend("7", min_position=position(1), strict=True))
    assert error.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_slow_profile_costs_the_budget_and_no_more(ranker: Ranker) -> None:
    profile = ranker.upstream.profile
    profile.profiles[KEY] = profile_of("f", [0, 1, 0, 0])
    profile.gate.clear()
    began = asyncio.get_running_loop().time()
    answer = await ranker.recommend("7", wait_budget=Duration(nanos=200_000_000))
    took = asyncio.get_running_loop().time() - began
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]
    assert 0.15 < took < 0.9
    profile.gate.set()

    # The call went on, so the next slate finds its answer.
    async def recovered() -> bool:
        return not (await ranker.recommend("7")).degradations

    await until(recovered, "the late answer")
    assert len(profile.requests) <= 2


async def test_a_deadline_is_never_overrun(ranker: Ranker) -> None:
    ranker.upstream.profile.gate.clear()
    request = pb.RecommendRequest(
        subject=user("7"), min_position=position(99), wait_budget=Duration(seconds=10)
    )
    # gRPC sends the time-out before again when the next is a little shorter: 2.91 arrives as 3.
    for seconds in (0.5, 3, 2.91):
        answer = await ranker.stub.Recommend(request, timeout=seconds)
        assert answer.stale
        assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]


async def test_a_profile_behind_us_is_not_remembered(ranker: Ranker) -> None:
    """Truth 8: an answer from before what the replica heard is said, and asked for anew."""
    await ranker.heard(ranker.upstream.feedback.tell(Told().event(KEY, "b")))
    profile = ranker.upstream.profile
    profile.profiles[KEY] = profile_of("a", [0, 1, 0, 0])
    profile.behind_by = 2
    answer = await ranker.recommend("7", min_position=position(2))
    assert answer.stale
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_BEHIND]
    assert [bool(request.min_position) for request in profile.requests] == [False, True]
    assert not (await ranker.recommend("7", min_position=position(0))).stale

    profile.behind_by = 0
    profile.profiles[KEY] = profile_of("ab", [0, 1, 0, 0])
    answer = await ranker.recommend("7", min_position=position(2), strict=True)
    assert not answer.stale
    assert set(ids(answer)) == set("cdef")


async def test_stale_after_the_budget_or_unavailable_when_strict(ranker: Ranker) -> None:
    """Truth 8, the stale half."""
    budget = Duration(nanos=50_000_000)
    answer = await ranker.recommend("7", min_position=position(2), wait_budget=budget)
    assert answer.stale
    assert answer.slots
    assert await ranker.metric("harken_ranker_stale_total") == 1
    error = await fault_of(
        ranker.recommend("7", min_position=position(2), wait_budget=budget, strict=True)
    )
    assert error.code() == grpc.StatusCode.UNAVAILABLE


G2 = {"a": [1.0, 0, 0, 0], "b": [1.0, 1.0, 0, 0], "c": [0, 1.0, 1.0, 0], "d": [0, 0, 0, 1.0]}


def of_second_generation(changes: Changes) -> Changes:
    changes.generation_id = "g2"
    for item_id in "abcdef":
        changes.vector(item_id, G2.get(item_id, [0, 0, 0, 0.0]))
    return changes


def vector_scores(answer: pb.RecommendResponse) -> dict[str, float]:
    return {
        slot.item_id: source.score
        for slot in answer.slots
        for source in slot.sources
        if source.source == "vector"
    }


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
async def test_users_survive_a_flip_and_are_encoded_anew(ranker: Ranker, lost: bool) -> None:
    """Truth 10: the flip is one entry of the feed, user states survive it and are re-encoded.

    So are those without a vector, which a profile that made itself anew from the log has. The
    oracle is the dense ridge regression over the new vectors of what the user saw.
    """
    ranker.upstream.profile.profiles[KEY] = profile_of("ca", [] if lost else [0, 9, 0, 0])
    assert not (await ranker.recommend("7")).degradations
    staged = of_second_generation(Changes(staged=manifest("g2")))
    ranker.upstream.feedback.add(frame(2, staged))
    waiting = {"wait_budget": Duration(seconds=5)}
    before = await ranker.recommend("7", min_learned_position=position(2), **waiting)
    assert before.generation_id == "g1"
    assert (vector_scores(before)["b"] == 9) is not lost
    ranker.upstream.feedback.add(frame(3, Changes(activated=manifest("g2"))))
    answer = await ranker.recommend("7", min_learned_position=position(3), **waiting)
    assert answer.generation_id == "g2"
    assert not answer.degradations
    # Seen: c, then a; the newest counts 1, the other .8.
    table = np.array([G2.get(item_id, [0, 0, 0, 0.0]) for item_id in "abcdef"])
    gram = table.T @ table
    left = 0.3 * 4 / np.trace(gram) * gram + 0.2 * np.eye(4)
    right = np.zeros(4)
    for item_id, weight in (("a", 1.0), ("c", 0.8)):
        own = np.array(G2[item_id])
        left += weight * np.outer(own, own)
        right += weight * own
    vector = np.linalg.solve(left, right)
    found = vector_scores(answer)
    assert found.keys() == {"b", "d", "e", "f"}
    for item_id, score in found.items():
        wanted = vector @ np.array(G2.get(item_id, [0, 0, 0, 0.0]))
        assert score == pytest.approx(wanted, abs=2e-3)

    put = ranker.upstream.feedback.tell(Told().vector(KEY, [0, 9, 0, 0], "g2"))
    answer = await ranker.recommend("7", min_position=position(put), **waiting)
    assert vector_scores(answer)["b"] == 9


async def test_a_vector_of_another_generation_without_recent_items_is_not_used(
    ranker: Ranker,
) -> None:
    """Truth 10: vectors of two generations are never mixed."""
    ranker.upstream.profile.profiles[KEY] = profile_of("", [0, 9, 0, 0], "g0")
    answer = await ranker.recommend("7")
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_VECTOR_OF_OTHER_GENERATION]
    assert not vector_scores(answer)


async def test_vectors_of_a_generation_that_is_not_built_are_refused(ranker: Ranker) -> None:
    """Truth 7."""
    flip = of_second_generation(Changes())
    flip.other = True
    ranker.upstream.feedback.add(frame(2, flip))
    await until(lambda: ranker.upstream.feedback.nacks, "the nack")
    assert (await ranker.state()).version == 1


async def test_filters(ranker: Ranker) -> None:
    answer = await ranker.recommend("7", filter=slate_pb2.Filter(categories=["odd"]))
    assert ids(answer) == ["f", "d", "b"]
    assert answer.drops.category == 3
    answer = await ranker.recommend(
        "7", filter=slate_pb2.Filter(excluded_categories=["odd"]), excluded_item_ids=["a", "?"]
    )
    assert ids(answer) == ["e", "c"]
    assert answer.drops.excluded == 1
    ranker.upstream.profile.profiles[b"u:8"] = profile_of("f", [])
    assert "f" not in ids(await ranker.recommend("8"))
    assert "f" in ids(await ranker.recommend("8", filter=slate_pb2.Filter(allow_seen=True)))


async def test_what_leaves_the_catalogue_leaves_the_slate(ranker: Ranker) -> None:
    changes = Changes(deleted=["f"]).item("e", available=False).item("d", expire_seconds=1)
    ranker.upstream.feedback.add(frame(2, changes))
    answer = await ranker.recommend("7", min_position=position(2), wait_budget=Duration(seconds=5))
    assert ids(answer) == ["c", "b", "a"]
    assert answer.drops.unavailable == 2


async def test_faults_of_the_envelope_name_their_field(ranker: Ranker) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "subject": {"subject": user("")},
        "tenant": {"tenant": "A"},
        "surface": {"surface": "x" * 65},
        "count": {"count": 1001},
        "min_position": {"min_position": b"?"},
        "wait_budget": {"wait_budget": Duration(seconds=11)},
        "excluded_item_ids": {"excluded_item_ids": ["x"] * 5001},
        "filter.categories": {"filter": slate_pb2.Filter(categories=["x"] * 101)},
        "filter.excluded_categories": {"filter": slate_pb2.Filter(excluded_categories=["x"] * 101)},
    }
    for field, fields in wrong.items():
        request = pb.RecommendRequest(**{"subject": user("7"), **fields})
        assert await violations(ranker.stub.Recommend(request)) == [field]
    everything: dict[str, Any] = {}
    for fields in wrong.values():
        everything |= fields
    assert len(await violations(ranker.stub.Recommend(pb.RecommendRequest(**everything)))) == 8


async def test_sessions_and_users_are_different_subjects(ranker: Ranker) -> None:
    ranker.upstream.profile.profiles[b"s:7"] = profile_of("f", [])
    assert "f" in ids(await ranker.recommend("7"))
    request = pb.RecommendRequest(subject=subject_pb2.Subject(session_id="7"))
    assert "f" not in ids(await ranker.stub.Recommend(request))


async def test_an_unknown_tenant_is_not_found(ranker: Ranker) -> None:
    error = await fault_of(ranker.recommend("7", tenant="nobody"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
