"""A real ranker process, for tests."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harken.common.v1 import subject_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import ranker_service_pb2_grpc
from services.common.position import decode_position
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SERVICE = "harken.ranker.v1.RankerService"


def user(name: str) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=name)


@dataclass
class Ranker:
    """A running ranker, what it listens to, and how to call it."""

    upstream: ScriptedUpstream
    stub: "ranker_service_pb2_grpc.RankerServiceAsyncStub"
    health_stub: Any
    metrics_address: str

    async def state(self) -> pb.GetServingStateResponse:
        return await self.stub.GetServingState(pb.GetServingStateRequest())

    async def is_ready(self) -> bool:
        answer = await self.health_stub.Check(health_pb2.HealthCheckRequest(service=SERVICE))
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def applied(self, version: int) -> None:
        async def reached() -> bool:
            return (await self.state()).version >= version

        await until(reached, f"version {version} on the ranker")

    async def heard(self, sequence: int) -> None:
        async def reached() -> bool:
            return decode_position((await self.state()).position).sequence >= sequence

        await until(reached, f"entry {sequence} on the ranker")

    async def recommend(self, name: str, **fields: Any) -> pb.RecommendResponse:
        request = pb.RecommendRequest(subject=user(name), **fields)
        return await self.stub.Recommend(request, timeout=10)

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; `name` may end in a label selection."""
        host, _, port = self.metrics_address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        values = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(name)]
        return sum(float(value) for _, value in values)


@contextlib.asynccontextmanager
async def running_ranker(
    upstream: ScriptedUpstream, folder: Path, **settings: str
) -> AsyncIterator[Ranker]:
    """Run `python -m services.ranker` until the block ends; it must stop cleanly on SIGTERM."""
    addresses = folder / "addresses.json"
    environment = {
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "protos/gen"))),
        "HARKEN_RANKER_LISTEN": "127.0.0.1:0",
        "HARKEN_RANKER_METRICS_LISTEN": "127.0.0.1:0",
        "HARKEN_RANKER_ADDRESS_FILE": str(addresses),
        "HARKEN_RANKER_FEEDBACK_TARGET": upstream.feedback_target,
        "HARKEN_RANKER_PROFILE_TARGET": upstream.profile_target,
        "HARKEN_RANKER_REPLICA": "t1",
        # Any event hides its item, where a test says nothing else.
        "HARKEN_RANKER_PRESET": "media",
    }
    environment |= {f"HARKEN_RANKER_{key.upper()}": value for key, value in settings.items()}
    with (folder / "ranker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.ranker", env=os.environ | environment, cwd=ROOT,
            stderr=log,
        )  # fmt: skip
    try:
        await until(lambda: addresses.exists() or process.returncode is not None, "the ranker")
        bound = json.loads(addresses.read_text())
        async with grpc.aio.insecure_channel(bound["grpc"]) as channel:
            stub: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)
            yield Ranker(upstream, stub, health_pb2_grpc.HealthStub(channel), bound["metrics"])
    finally:
        if process.returncode is None:
            process.terminate()
        assert await process.wait() == 0, (folder / "ranker.log").read_text()
