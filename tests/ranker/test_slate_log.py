"""Slates that feedback sheds are sent again, as late as it says."""

import asyncio
import itertools
import time

import grpc
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry

from harken.internal.slates.v1 import slate_service_pb2, slate_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.channels import open_channel
from services.common.errors import OverloadedError
from services.common.reloadable import Reloadable
from services.common.status import status_of
from services.ranker.slate_log import ServedSlate, SlateLog, SlateLogBounds, SlateLogMetrics
from tests.ranker.ranker_process import user
from tests.scripted_server import scripted_server, unscripted
from tests.waiting import until

TOLD_SECONDS = 3.5
"""More than the pause that the log makes by itself."""


class Shedding(slate_service_pb2_grpc.SlateServiceServicer):
    """Sheds the first call."""

    FindSlate = unscripted

    def __init__(self) -> None:
        self.times: list[float] = []
        self.taken: list[str] = []
        self.slates: list[slate_service_pb2.ServedSlate] = []

    async def RecordSlates(  # noqa: N802
        self, request: slate_service_pb2.RecordSlatesRequest, context: grpc.aio.ServicerContext
    ) -> slate_service_pb2.RecordSlatesResponse:
        self.times.append(asyncio.get_running_loop().time())
        if len(self.times) == 1:
            status = status_of(OverloadedError("busy", TOLD_SECONDS))
            await context.abort_with_status(rpc_status.to_status(status))
        self.taken += [slate.slate_id for slate in request.slates]
        self.slates += request.slates
        results = [
            slate_service_pb2.SlateResult(
                ordinal=n, outcome=slate_service_pb2.SLATE_OUTCOME_ACCEPTED
            )
            for n in range(len(request.slates))
        ]
        return slate_service_pb2.RecordSlatesResponse(results=results)


async def test_slates_that_were_shed_are_sent_as_late_as_told() -> None:
    feedback = Shedding()
    server = scripted_server()
    slate_service_pb2_grpc.add_SlateServiceServicer_to_server(feedback, server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    items = slate_service_pb2.ServedSlate(item_ids=["a" * 100, "b"])
    slate = ServedSlate(
        "default",
        user("7"),
        "home",
        pb.RecommendResponse(slate_id="s1", position=b"p", generation_id="g", policy="greedy"),
        items.SerializeToString(),
        int(time.time() * 1e6),
    )
    too_large = slate._replace(items=bytes(3 * 1024 * 1024))
    async with open_channel(target) as channel:
        registry = CollectorRegistry()
        log = SlateLog(channel, SlateLogMetrics(registry), Reloadable(SlateLogBounds(1.0, 10)))
        log.offer(too_large)
        dropped = registry.get_sample_value(
            "harken_ranker_slates_dropped_total", {"why": "too_large"}
        )
        assert dropped == 1
        sending = asyncio.create_task(log.run())
        log.offer(slate)
        await until(lambda: feedback.taken == ["s1"], "the slate", 20)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    await server.stop(None)
    [pause] = [later - earlier for earlier, later in itertools.pairwise(feedback.times)]
    [logged] = feedback.slates
    assert logged.serve_time.ToMicroseconds() == slate.served_at_us
    logged.ClearField("serve_time")
    assert logged == slate_service_pb2.ServedSlate(
        slate_id="s1",
        subject=user("7"),
        surface="home",
        served_position=b"p",
        generation_id="g",
        policy="greedy",
        item_ids=["a" * 100, "b"],
    )
    assert pause >= TOLD_SECONDS * 0.99


async def test_a_batch_waits_while_the_queue_is_half_full_and_feedback_takes_slates() -> None:
    """The other half is for slates that somebody waits for."""
    feedback = Shedding()
    server = scripted_server()
    slate_service_pb2_grpc.add_SlateServiceServicer_to_server(feedback, server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    response = pb.RecommendResponse(slate_id="s1", generation_id="g")
    slate = ServedSlate("default", user("7"), "", response, b"", int(time.time() * 1e6))
    async with open_channel(target) as channel:
        bounds = Reloadable(SlateLogBounds(1.0, 4))
        log = SlateLog(channel, SlateLogMetrics(CollectorRegistry()), bounds)
        for _ in range(3):
            await log.room()
            log.offer(slate)
        waiting = asyncio.create_task(log.room())
        sending = asyncio.create_task(log.run())
        # Nobody is there: that is no reason to wait.
        await asyncio.wait_for(waiting, 20)
        await server.start()
        await until(lambda: len(feedback.taken) == 3, "the slates", 20)
        await asyncio.wait_for(log.room(), 20)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    await server.stop(None)
