"""Stubs of all services of a suite."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import grpc

from harken.feedback.v1 import (
    catalog_service_pb2_grpc,
    experiment_service_pb2_grpc,
    feedback_service_pb2_grpc,
    generation_service_pb2_grpc,
    surface_service_pb2_grpc,
)
from harken.profile.v1 import profile_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2_grpc
from services.cli.endpoints import Endpoints
from services.common.channels import ACCEPTING, open_channel
from services.common.retry_info import pause_seconds

CALL_SECONDS = 30.0
"""Deadline of ordinary calls."""

PATIENCE_SECONDS = 60.0
"""How long a call may be shed, again and again."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Clients:
    """Async stubs. `ranker` spreads calls over all replicas; `rankers` are the single ones."""

    endpoints: Endpoints
    feedback: feedback_service_pb2_grpc.FeedbackServiceAsyncStub
    catalog: catalog_service_pb2_grpc.CatalogServiceAsyncStub
    generations: generation_service_pb2_grpc.GenerationServiceAsyncStub
    surfaces: surface_service_pb2_grpc.SurfaceServiceAsyncStub
    experiments: experiment_service_pb2_grpc.ExperimentServiceAsyncStub
    profile: profile_service_pb2_grpc.ProfileServiceAsyncStub
    ranker: ranker_service_pb2_grpc.RankerServiceAsyncStub
    rankers: Sequence[ranker_service_pb2_grpc.RankerServiceAsyncStub]


@contextlib.asynccontextmanager
async def connect(endpoints: Endpoints) -> AsyncIterator[Clients]:
    """Open channels to the services; nothing is sent before the first call."""
    async with contextlib.AsyncExitStack() as stack:

        async def channel(target: str, health: str | None = None) -> Any:
            return await stack.enter_async_context(open_channel(target, health, endpoints.identity))

        feedback = await channel(endpoints.feedback)
        rankers = [await channel(target) for target in endpoints.rankers]
        if len(rankers) == 1:
            ranker = rankers[0]
        else:
            ranker = await channel(_balanced(endpoints.rankers), ACCEPTING)
        yield Clients(
            endpoints,
            cast("Any", feedback_service_pb2_grpc.FeedbackServiceStub(feedback)),
            cast("Any", catalog_service_pb2_grpc.CatalogServiceStub(feedback)),
            cast("Any", generation_service_pb2_grpc.GenerationServiceStub(feedback)),
            cast("Any", surface_service_pb2_grpc.SurfaceServiceStub(feedback)),
            cast("Any", experiment_service_pb2_grpc.ExperimentServiceStub(feedback)),
            cast(
                "Any",
                profile_service_pb2_grpc.ProfileServiceStub(await channel(endpoints.profile)),
            ),
            cast("Any", ranker_service_pb2_grpc.RankerServiceStub(ranker)),
            [cast("Any", ranker_service_pb2_grpc.RankerServiceStub(each)) for each in rankers],
        )


def _balanced(targets: Sequence[str]) -> str:
    """Return one target for several addresses; names are left to the resolver, one at a time."""
    numeric = all(target.replace(".", "").replace(":", "").isdigit() for target in targets)
    return f"ipv4:{','.join(targets)}" if numeric else targets[0]


async def patiently(
    call: Callable[[], Awaitable[Answer]], patience_seconds: float = PATIENCE_SECONDS
) -> Answer:
    """Return the answer of a call, made again when it was shed, as late as the server says.

    Raises:
        grpc.aio.AioRpcError: it failed otherwise, or was shed for too long.

    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            pause = pause_seconds(error)
            if pause is None or time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)


def is_retryable(error: grpc.aio.AioRpcError) -> bool:
    """Return whether the same call may work a moment later."""
    return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
