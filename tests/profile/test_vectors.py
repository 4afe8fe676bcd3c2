"""Whose vector is answered: one that a backend set while it stands, else the latest learned."""

from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import pytest

from harken.feedback.v1.generation_pb2 import GenerationManifest
from harken.internal.feed.v1 import frame_pb2
from harken.profile.v1 import profile_pb2
from services.common.position import Position, decode_position
from tests.faults import fault_of
from tests.profile.conftest import StartService
from tests.profile.script import Happening, Script, key
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import Client, LocalService
from tests.waiting import until


def packed(values: Sequence[float]) -> bytes:
    return np.array(values, "<f4").tobytes()


async def learned_to(service: Client, name: str, sequence: int) -> profile_pb2.UserState:
    """Return a user's state once learned vectors reflect a sequence."""

    reached = Position(0, 1, sequence).encode()

    async def there() -> bool:
        answer = await service.get(name, reached)
        return decode_position(answer.learned_position).sequence >= sequence

    await until(there, "what was learned")
    return (await service.get(name)).profile.state


async def test_learned_vectors_come_later_and_say_of_when_they_are(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.events([Happening("ann", "a")]))
    first = await service.get("ann", script.position)
    assert not first.profile.state.vector
    assert decode_position(first.learned_position).sequence == 0
    feedback.learn(script.learned({"ann": [1, 2, 3, 4]}))
    state = await learned_to(service, "ann", 1)
    assert state.vector == packed([1, 2, 3, 4])
    assert state.generation_id == "g1"
    assert not state.vector_set
    feedback.publish(script.events([Happening("ann", "b"), Happening("bob", "b")]))
    second = await service.get("ann", script.position)
    assert second.profile.state.vector == packed([1, 2, 3, 4])
    assert decode_position(second.position).sequence == 3
    assert decode_position(second.learned_position).sequence == 1
    # The newest of a user wins, of several frames and generations.
    feedback.learn(
        script.learned({"ann": [0, 0, 0, 1], "bob": [0, 1, 0, 0]}), script.learned(),
        script.learned({"ann": [0, 1]}, generation="g2"),
    )  # fmt: skip
    state = await learned_to(service, "ann", 3)
    await until(lambda: _is(service, "ann", [0, 1]), "the newest")
    state = (await service.get("ann")).profile.state
    assert state.generation_id == "g2"
    assert (await service.get("bob")).profile.state.vector == packed([0, 1, 0, 0])


async def _is(service: Client, name: str, vector: Sequence[float]) -> bool:
    return (await service.get(name)).profile.state.vector == packed(vector)


async def test_a_vector_that_was_set_stands_until_the_next_event(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.events([Happening("ann", "a")]))
    feedback.learn(script.learned({"ann": [1, 0]}))
    await learned_to(service, "ann", 1)
    feedback.publish(script.put("ann", [0.5, 0.5], generation="g0"))
    state = (await service.get("ann", script.position)).profile.state
    assert (state.vector, state.generation_id) == (packed([0.5, 0.5]), "g0")
    assert state.vector_set
    assert not state.vector_pinned
    feedback.publish(script.events([Happening("ann", "b")]))
    state = (await service.get("ann", script.position)).profile.state
    assert (state.vector, state.generation_id) == (packed([1, 0]), "g1")
    assert not state.vector_set
    # Also within one batch, whichever comes first.
    feedback.publish(script.events([Happening("ann", "c")]), script.put("ann", [3, 3]))
    feedback.publish(script.put("bob", [4, 4]), script.events([Happening("bob", "c")]))
    state = (await service.get("ann", script.position)).profile.state
    assert state.vector == packed([3, 3])
    assert not (await service.get("bob")).profile.state.vector
    # Taking the event back does not bring it back.
    feedback.publish(script.retraction([(script.sequence, Happening("bob", "c"))]))
    failure = await fault_of(service.get("bob", script.position))
    assert failure.code() == grpc.StatusCode.NOT_FOUND


async def test_a_pinned_vector_stands_until_the_next_is_set(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.put("ann", [1, 1], pinned=True))
    state = (await service.get("ann", script.position)).profile.state
    assert state.vector_pinned
    feedback.publish(script.events([Happening("ann", "a")]))
    feedback.learn(script.learned({"ann": [0, 1]}))
    assert (await learned_to(service, "ann", 2)).vector == packed([1, 1])
    # The next one is not pinned, and falls with an event of the same batch.
    feedback.publish(script.put("ann", [2, 2]), script.events([Happening("ann", "b")]))
    state = (await service.get("ann", script.position)).profile.state
    assert state.vector == packed([0, 1])


async def test_a_user_known_by_nothing_but_a_set_vector(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.put("zoe", [0, 0, 1], generation="g2"))
    zoe = (await service.get("zoe", script.position)).profile
    assert zoe.state.vector == packed([0, 0, 1])
    assert zoe.state.generation_id == "g2"
    assert zoe.HasField("counters")
    assert zoe.counters.events == 0
    assert not zoe.counters.HasField("first_event_time")


async def test_a_learned_vector_alone_is_of_nobody(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Of events that were taken back, or are still to come: what is known has a position."""
    feedback.publish(script.events([Happening("ann", "a")]))
    feedback.learn(script.learned({"ann": [1, 0], "bob": [1, 0]}))
    assert (await learned_to(service, "ann", 1)).vector
    feedback.publish(script.retraction([(1, Happening("ann", "a"))]))
    for name in ("ann", "bob"):
        failure = await fault_of(service.get(name, script.position))
        assert failure.code() == grpc.StatusCode.NOT_FOUND


def _vectors(values: list[float]) -> Any:
    return _set("vectors", np.array(values, "<f2").tobytes())


def _set(field: str, value: Any) -> Any:
    def damage(changes: frame_pb2.TenantChanges) -> None:
        if isinstance(value, list):
            getattr(changes.users, field)[:] = value
        else:
            setattr(changes.users, field, value)

    return damage


_DAMAGES = {
    "nan in a vector": (_vectors([1, float("nan"), *[0] * 6]), "finite"),
    "infinity in a vector": (_vectors([1, float("-inf"), *[0] * 6]), "finite"),
    "wrong dimension": (_vectors([1, 2, 3, 1, 2, 3]), "wanted 4"),
    "rows missing": (_vectors([1, 2, 3]), "3 values are no 2 whole vectors"),
    "norm out of bounds": (_vectors([3, *[0] * 7]), "norm 3"),
    "bytes that are no floats": (_set("vectors", b"abcde"), "buffer"),
    "vectors of no generation": (_set("generation_id", ""), "no generation"),
    "no vectors": (_set("vectors", b""), "no values"),
    "vectors of nobody": (_set("user_keys", []), "nobody"),
    "doubled user": (_set("user_keys", [b"u:ann", b"u:ann"]), "doubled"),
}


@pytest.mark.parametrize("damage", _DAMAGES)
async def test_a_wrong_frame_is_nacked_and_changes_nothing(
    service: LocalService, feedback: ScriptedFeedback, script: Script, damage: str
) -> None:
    """Truth 7: the last good vectors stay, and the right frame takes its place."""
    break_it, reason = _DAMAGES[damage]
    feedback.publish(script.events([Happening("ann", "a"), Happening("bob", "a")]))
    first = script.learned({"ann": [0, 0, 0, 1]})
    first.tenants[0].activated.CopyFrom(
        GenerationManifest(generation_id="g1", dimension=4, max_norm=2.0)
    )
    feedback.publish(script.events(gap=1))
    wrong = script.learned({"ann": [1, 0, 0, 0], "bob": [1, 0, 0, 0]})
    after = script.learned({"ann": [0, 1, 0, 0]})
    right = frame_pb2.Frame()
    right.CopyFrom(wrong)
    break_it(wrong.tenants[0])
    feedback.learn(first, wrong, after)
    await until(lambda: feedback.nacks, "a nack")
    assert feedback.nacks[0].version == wrong.version
    assert reason in feedback.nacks[0].reason
    state = await learned_to(service, "ann", first.through_sequence)
    assert state.vector == packed([0, 0, 0, 1])
    assert not (await service.get("bob")).profile.state.vector
    assert await service.metric("harken_feed_refused_total") >= 1
    feedback.frames[1] = right
    feedback.break_streams()
    await until(lambda: _is(service, "ann", [0, 1, 0, 0]), "the right frame")
    assert (await service.get("bob")).profile.state.vector == packed([1, 0, 0, 0])


async def test_the_dimension_of_a_generation_not_seen_activated_is_kept(
    service: LocalService, feedback: ScriptedFeedback, script: Script, start_service: StartService
) -> None:
    """Truth 7, also after a restart."""
    feedback.publish(script.events([Happening("ann", "a")]))
    feedback.learn(script.learned({"ann": [1, 2, 3]}, generation="old"))
    await learned_to(service, "ann", 1)
    await start_service()
    feedback.learn(script.learned({"ann": [1, 2]}, generation="old"))
    await until(lambda: len(feedback.nacks) >= 2, "a nack of both")
    assert (await service.get("ann")).profile.state.vector == packed([1, 2, 3])


async def test_subscribes_to_users_and_generations_and_resumes_where_it_was(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    first = await start_service()
    feedback.publish(script.events([Happening("ann", "a")]))
    feedback.learn(script.learned({"ann": [1]}), script.learned({"ann": [2]}))
    await learned_to(first, "ann", 1)
    await until(lambda: _is(first, "ann", [2]), "the second frame")
    await start_service()
    await until(lambda: len(feedback.starts) == 2, "the second process")
    begin, again = feedback.starts
    assert set(begin.sections) == {frame_pb2.SECTION_USERS, frame_pb2.SECTION_GENERATIONS}
    assert begin.WhichOneof("from") == again.WhichOneof("from") == "resume"
    assert (begin.resume.epoch, begin.resume.version) == (0, 0)
    assert (again.resume.epoch, again.resume.version) == (1, 2)


@pytest.mark.parametrize("why", ["forgotten", "on a fork"])
async def test_what_cannot_be_had_any_more_is_done_without(
    service: LocalService, feedback: ScriptedFeedback, script: Script, why: str
) -> None:
    """It goes on from the newest frame: vectors that were missed are learned again in time."""
    feedback.publish(script.events([Happening("ann", "a"), Happening("bob", "b")]))
    feedback.learn(script.learned({"ann": [1, 0], "bob": [1, 0]}))
    await learned_to(service, "ann", 1)
    await feedback.stop()
    missed = script.learned({"ann": [2, 0]})
    if why == "forgotten":
        feedback.kept_after = missed.version
    else:
        feedback.forks = {1: script.sequence}
        script.epoch = feedback.epoch = 2
    # Nobody sends what was missed any more.
    feedback.frames = [script.learned()]
    feedback.publish(script.events(gap=1))
    await feedback.start()
    await until(lambda: feedback.starts[-1].HasField("newest"), "the newest")
    await service.wait_for_metric("harken_feed_applied_version", script.version)
    feedback.learn(script.learned({"bob": [3, 0]}))
    await until(lambda: _is(service, "bob", [3, 0]), "what is learned from now on")
    assert (await service.get("ann")).profile.state.vector == packed([1, 0])


def _field(number: int, content: bytes) -> bytes:
    """Return a field as it is on the wire; numbers below 16, less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


async def test_frames_from_before_two_lanes_are_passed_over(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """The store holds them after an upgrade: users in another field, with float32 vectors."""
    feedback.publish(script.events([Happening("ann", "a"), Happening("bob", "b")]))
    old = script.learned()
    vectors = np.array([np.nan, 1], "<f4").tobytes()
    users = _field(1, key("ann")) + _field(10, b"g1") + _field(12, vectors)
    old.tenants.add(tenant="default").MergeFromString(_field(8, users))
    feedback.learn(old, script.learned({"bob": [0, 1]}))
    state = await learned_to(service, "bob", 2)
    await until(lambda: _is(service, "bob", [0, 1]), "what came after it")
    assert state.generation_id == "g1"
    assert not (await service.get("ann")).profile.state.vector
