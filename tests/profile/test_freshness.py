"""Reading your own feedback (truth 8)."""

import asyncio
import time

import grpc

from harken.profile.v1 import profile_service_pb2 as pb
from services.common.position import Position
from tests.faults import fault_of, reason_of
from tests.profile.conftest import StartService
from tests.profile.script import Happening, Script, user
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService


def _request(
    position: bytes, seconds: float | None = None, strict: bool = False
) -> pb.GetProfileRequest:
    request = pb.GetProfileRequest(subject=user("ann"), min_position=position, strict=strict)
    if seconds is not None:
        request.wait_budget.FromMicroseconds(int(seconds * 1e6))
    return request


async def _failure(call: grpc.aio.UnaryUnaryCall) -> tuple[grpc.StatusCode, str]:
    failure = await fault_of(call)
    return failure.code(), reason_of(failure)


async def test_waits_until_the_position_is_applied(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.events([Happening("ann", "a")]))
    await service.get("ann", script.position)
    frame = script.events([Happening("ann", "b")])
    waiting = asyncio.ensure_future(service.stub.GetProfile(_request(script.position, 10)))
    # Another call gets through meanwhile, and does not see it.
    assert (await service.get("ann")).profile.counters.events == 1
    assert not waiting.done()
    feedback.publish(frame)
    answer = await waiting
    assert answer.profile.counters.events == 2
    assert not answer.stale
    assert answer.position == script.position


async def test_stale_after_the_wait_budget_and_unavailable_when_strict(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.events([Happening("ann", "a")]))
    await service.get("ann", script.position)
    reached = script.position
    script.events([Happening("ann", "b")])
    begin = time.perf_counter()
    answer = await service.stub.GetProfile(_request(script.position))
    assert 0.1 <= time.perf_counter() - begin < 5
    assert answer.stale
    assert answer.position == reached
    assert answer.profile.counters.events == 1
    batch = await service.stub.BatchGetProfiles(
        pb.BatchGetProfilesRequest(subjects=[user("ann")], min_position=script.position)
    )
    assert batch.stale
    assert await service.metric("harken_profile_stale_answers_total") == 2
    code, reason = await _failure(
        service.stub.GetProfile(_request(script.position, 0.05, strict=True))
    )
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "STALE")
    # What is reached is never stale, whatever the budget.
    assert not (await service.stub.GetProfile(_request(reached, 0, strict=True))).stale


async def test_a_position_beyond_a_fork_is_lost(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Never fresh, though the new epoch has long passed its sequence."""
    feedback.publish(script.events([Happening("ann", "a")]))
    await service.get("ann", script.position)
    script.epoch = 2
    feedback.epoch = 2
    feedback.forks = {1: 1}
    feedback.publish(script.events([Happening("ann", "b") for _ in range(9)]))
    feedback.break_streams()
    await service.get("ann", script.position)
    kept, lost = Position(0, 1, 1).encode(), Position(0, 1, 5).encode()
    assert not (await service.stub.GetProfile(_request(kept, 0))).stale
    code, reason = await _failure(service.stub.GetProfile(_request(lost, 0)))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_LOST")
    code, reason = await _failure(
        service.stub.BatchGetProfiles(
            pb.BatchGetProfilesRequest(subjects=[user("ann")], min_position=lost)
        )
    )
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_LOST")


async def test_a_position_that_cannot_be_judged_yet_is_not_called_fresh(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    """After a restart, before the feed told of its forks."""
    first = await start_service()
    script.epoch = feedback.epoch = 2
    feedback.publish(script.events([Happening("ann", "a") for _ in range(9)]))
    await first.get("ann", script.position)
    await feedback.stop()
    second = await start_service()
    lost = Position(0, 1, 5).encode()
    code, reason = await _failure(second.stub.GetProfile(_request(lost, 0)))
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_READY")
    # A position of the epoch that we are in needs no judging.
    assert not (await second.stub.GetProfile(_request(script.position, 0))).stale


async def test_a_deadline_is_never_overrun(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 8: stale is said in time, though gRPC rounds time-outs up by as much as 3%."""
    feedback.publish(script.events([Happening("ann", "a")]))
    await service.get("ann", script.position)
    script.events([Happening("ann", "b")])
    request = _request(script.position, 10)
    for seconds in (0.5, 3, 2.91):
        assert (await service.stub.GetProfile(request, timeout=seconds)).stale
