"""How a real process follows the feed: start, breaks, refusals, generations, new epochs."""

import hashlib

import grpc
import pytest

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.position import Position, decode_position
from tests.faults import fault_of
from tests.ranker.entries import Told
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import MAX_NORM, manifest
from tests.ranker.ranker_process import Ranker, user
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.ranker.service.conftest import StartRanker
from tests.waiting import until

KEY = b"u:7"


def first_frame() -> Changes:
    changes = Changes(activated=manifest())
    for place, item_id in enumerate("abcd"):
        changes.item(item_id).vector(item_id, [float(place == axis) for axis in range(4)])
        changes.popularity(item_id, float(place))
    return changes


def ids(answer: pb.RecommendResponse) -> list[str]:
    return [slot.item_id for slot in answer.slots]


async def test_before_the_feed_there_is_no_slate(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    upstream.feedback.add(frame(1, first_frame()))
    await upstream.stop("feedback")
    ranker = await start_ranker(ready=False)
    assert not await ranker.is_ready()
    error = await fault_of(ranker.recommend("7"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    state = await ranker.state()
    assert not state.ready
    assert not state.connected

    await upstream.start_feedback()
    await until(ranker.is_ready, "readiness")
    assert ids(await ranker.recommend("7")) == ["d", "c", "b", "a"]


async def test_an_empty_suite_is_ready(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    ranker = await start_ranker()
    error = await fault_of(ranker.recommend("7"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    upstream.feedback.add(frame(1, first_frame()))
    await ranker.applied(1)
    assert len(ids(await ranker.recommend("7"))) == 4


async def test_serves_on_while_the_feed_is_away_and_resumes(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Truths 5 and 14: nothing skipped after a break, and slates meanwhile say what they lack."""
    upstream.feedback.add(frame(1, first_frame()))
    ranker = await start_ranker(max_silence_seconds="0.5")
    await ranker.recommend("7")
    await upstream.stop("feedback")

    async def lost() -> bool:
        return not (await ranker.state()).connected

    await until(lost, "the loss to be noticed")
    answer = await ranker.recommend("7")
    assert len(answer.slots) == 4
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_FEED_DISCONNECTED]
    assert not answer.stale
    assert (await ranker.recommend("7", min_position=Position(0, 1, 2).encode())).stale

    async def not_ready() -> bool:
        return not await ranker.is_ready()

    await until(not_ready, "readiness to be lost")

    upstream.feedback.tell(Told().event(KEY, "d"))
    upstream.feedback.tell(Told().event(KEY, "c"))
    upstream.feedback.add(frame(2), frame(3))
    await upstream.start_feedback()
    await ranker.applied(3)
    await ranker.heard(3)
    await until(ranker.is_ready, "readiness")
    answer = await ranker.recommend("7")
    assert ids(answer) == ["b", "a"]
    assert not answer.degradations
    entries = upstream.feedback.entry_starts[-1]
    assert (entries.resume.epoch, entries.resume.sequence) == (1, 1)
    last = upstream.feedback.starts[-1]
    assert (last.resume.epoch, last.resume.version) == (1, 1)
    assert last.subscriber == "ranker-t1"


async def test_a_wrong_frame_is_nacked_and_the_last_good_state_serves_on(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Truth 7."""
    upstream.feedback.add(frame(1, first_frame()))
    ranker = await start_ranker()
    digest = (await ranker.state()).tenants[0].digest
    bad = Changes(deleted=["a"]).vector("b", [MAX_NORM * 2, 0, 0, 0])
    upstream.feedback.add(frame(2, bad))
    await until(lambda: upstream.feedback.nacks, "the nack")
    assert upstream.feedback.nacks[0].version == 2
    assert "norm" in upstream.feedback.nacks[0].reason
    assert (await ranker.state()).version == 1
    assert (await ranker.state()).tenants[0].digest == digest
    assert len(ids(await ranker.recommend("7"))) == 4
    assert await ranker.metric("harken_feed_refused_total") >= 1

    # Once the frame comes right, the feed goes on.
    upstream.feedback.frames[-1] = frame(2, Changes(deleted=["a"]))
    await ranker.applied(2)
    assert len(ids(await ranker.recommend("7"))) == 3


@pytest.mark.parametrize("fault", ["content", "size", "features", "model", "missing"])
async def test_a_generation_that_is_not_as_stated_does_not_serve(
    fault: str, upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Truth 7, for generations: checked by size and SHA-256 before they are loaded from bytes."""
    upstream.feedback.add(frame(1, first_frame()))
    ranker = await start_ranker()
    good = dict(upstream.feedback.files)
    flip = first_frame()
    flip.activated, flip.generation_id = manifest("g2"), "g2"
    files = upstream.feedback.files
    match fault:
        case "content":
            files["item_tower.onnx"] = b"X" + good["item_tower.onnx"][1:]
        case "size":
            files["scorer.onnx"] = good["scorer.onnx"] + b"more"
        case "missing":
            del files["scorer.onnx"]
        case "features":
            flip.activated.scorer_features.append("moon_phase")
        case "model":
            # The checksum is right, but the model is none.
            files["scorer.onnx"] = b"no model"
            flip.activated.files[1].size = 8
            flip.activated.files[1].sha256 = hashlib.sha256(b"no model").digest()
    upstream.feedback.add(frame(2, flip))
    await until(lambda: upstream.feedback.nacks, "the nack")
    state = await ranker.state()
    assert (state.version, state.tenants[0].generation_id) == (1, "g1")
    assert (await ranker.recommend("7")).generation_id == "g1"

    upstream.feedback.files = good
    flip.activated = manifest("g2")
    upstream.feedback.frames[-1] = frame(2, flip)
    await ranker.applied(2)
    assert (await ranker.recommend("7")).generation_id == "g2"


async def test_a_new_epoch_starts_from_a_snapshot(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Truths 5 and 8: after a restore the replica starts anew; tokens beyond the fork are lost."""
    upstream.feedback.add(frame(1, first_frame()))
    ranker = await start_ranker()
    await ranker.recommend("7")
    upstream.feedback.tell(Told().event(KEY, "d"))
    await ranker.heard(upstream.feedback.tell(Told().event(KEY, "c")))
    upstream.feedback.add(frame(2), frame(3))
    await ranker.applied(3)
    assert ids(await ranker.recommend("7")) == ["b", "a"]

    # Restored to version 2: what came after is not in the log any more.
    await upstream.stop("feedback")
    feedback = upstream.feedback
    feedback.epoch = upstream.profile.epoch = 2
    feedback.forks = {1: 2}
    feedback.snapshot = [frame(2, first_frame(), epoch=2)]
    feedback.frames = [frame(2, epoch=2), frame(3, Changes().item("e"), epoch=2)]
    feedback.entries, feedback.base_sequence = [], 2
    feedback.tell(Told().item("e"))
    feedback.lost_epoch = True
    await upstream.start_feedback()

    async def restarted() -> bool:
        state = await ranker.state()
        began = decode_position(state.position) == Position(0, 2, 3)
        return began and bool(state.epoch == 2 and state.version == 3)

    await until(restarted, "the new epoch")
    answer = await ranker.recommend("7")
    # The user of the old epoch is forgotten; profile, who knows nothing, was asked again.
    assert ids(answer) == ["d", "c", "b", "a"]
    assert answer.unknown_subject
    error = await fault_of(ranker.recommend("7", min_position=Position(0, 1, 3).encode()))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "fork" in str(error.details()) or "restore" in str(error.details())
    assert not (await ranker.recommend("7", min_position=Position(0, 1, 2).encode())).stale


async def test_a_position_frees_a_tenant_that_is_being_made(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    ranker = await start_ranker()
    request = pb.RecommendRequest(subject=user("7"), min_position=Position(0, 1, 1).encode())
    request.wait_budget.seconds = 5
    call = ranker.stub.Recommend(request)
    upstream.feedback.add(frame(1, first_frame()))
    answer = await call
    assert len(answer.slots) == 4
    assert not answer.stale


async def test_many_frames_are_folded_in_order(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    upstream.feedback.add(frame(1, first_frame()))
    upstream.feedback.add(
        *(frame(version, Changes().popularity("a", float(version))) for version in range(2, 1500))
    )
    ranker: Ranker = await start_ranker()
    await ranker.applied(1499)
    assert ids(await ranker.recommend("7"))[0] == "a"
