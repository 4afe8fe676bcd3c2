"""The profile service under test: in this process, or as a process of its own."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from harken.profile.v1 import profile_service_pb2 as pb
from harken.profile.v1 import profile_service_pb2_grpc
from services.common.reloadable import Reloadable
from services.profile.config import ProfileConfig
from services.profile.process import serve
from tests.profile.script import user
from tests.waiting import until

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0


class Client:
    """Calls of a running service."""

    def __init__(self, address_file: Path) -> None:
        addresses = json.loads(address_file.read_text())
        self._metrics = addresses["metrics"]
        self.target: str = addresses["grpc"]
        self.channel = grpc.aio.insecure_channel(self.target)
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.channel)
        self.stub: profile_service_pb2_grpc.ProfileServiceAsyncStub = stub

    async def wait_until_ready(self, ready: bool = True) -> None:
        """Return when the service calls itself ready, or not."""
        wanted = (
            health_pb2.HealthCheckResponse.SERVING
            if ready
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        health: Any = health_pb2_grpc.HealthStub(self.channel)
        watch = health.Watch(
            health_pb2.HealthCheckRequest(service="harken.profile.v1.ProfileService"),
            timeout=START_SECONDS,
            wait_for_ready=True,
        )
        async for answer in watch:
            if answer.status == wanted:
                break
        watch.cancel()

    async def get(
        self,
        name: str,
        position: bytes = b"",
        tenant: str = "",
        seen: bool = True,
        by_type: bool = False,
    ) -> pb.GetProfileResponse:
        """Return the profile of a user as of a position, strictly."""
        request = pb.GetProfileRequest(
            tenant=tenant,
            subject=user(name),
            min_position=position,
            strict=True,
            include_seen=seen,
            seen_by_type=by_type,
        )
        request.wait_budget.FromSeconds(10)
        return await self.stub.GetProfile(request, timeout=20)

    async def get_stale(self, name: str, position: bytes, seconds: float) -> pb.GetProfileResponse:
        """Return the profile of a user, `seconds` later when the position is not reached."""
        request = pb.GetProfileRequest(subject=user(name), min_position=position)
        request.wait_budget.FromMicroseconds(int(seconds * 1e6))
        return await self.stub.GetProfile(request, timeout=20)

    async def metric(self, name: str) -> float:
        """Return the value of a metric without labels."""
        text = await asyncio.to_thread(self._fetch_metrics)
        for line in text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise AssertionError(f"there is no metric {name}")

    async def wait_for_metric(self, name: str, value: float) -> None:
        """Return when a metric has a value."""

        async def matches() -> bool:
            return await self.metric(name) == value

        await until(matches, f"{name} to be {value}")

    def _fetch_metrics(self) -> str:
        with urllib.request.urlopen(f"http://{self._metrics}/metrics") as answer:
            return str(answer.read().decode())

    async def close(self) -> None:
        await self.channel.close()


class LocalService(Client):
    """The service inside this process, wired as `python -m services.profile` wires it."""

    def __init__(self, address_file: Path, stop: asyncio.Event, job: asyncio.Task[None]) -> None:
        super().__init__(address_file)
        self._stop = stop
        self._job = job

    @classmethod
    async def start(
        cls, folder: Path, dsn: str, feedback_target: str, gather_seconds: float = 0.05
    ) -> Self:
        address_file = folder / "addresses.json"
        address_file.unlink(missing_ok=True)
        config = ProfileConfig(
            dsn=dsn,
            listen="127.0.0.1:0",
            metrics_listen="127.0.0.1:0",
            address_file=address_file,
            feedback_target=feedback_target,
            gather_seconds=gather_seconds,
            learned_gather_seconds=0,
            ready_max_lag_entries=0,
        )
        stop = asyncio.Event()
        job = asyncio.create_task(serve(Reloadable(config), CollectorRegistry(), stop))
        await until(lambda: address_file.exists() or job.done(), "the service to listen")
        if job.done():
            job.result()
        return cls(address_file, stop, job)

    async def stop(self) -> None:
        await self.close()
        self._stop.set()
        await self._job


class ServiceProcess(Client):
    """The service as a process of its own."""

    def __init__(self, address_file: Path, process: asyncio.subprocess.Process) -> None:
        super().__init__(address_file)
        self.process = process

    @classmethod
    async def start(cls, folder: Path, dsn: str, feedback_target: str) -> Self:
        address_file = folder / "addresses.json"
        address_file.unlink(missing_ok=True)
        process = await run_profile(
            HARKEN_PROFILE_DSN=dsn,
            HARKEN_PROFILE_LISTEN="127.0.0.1:0",
            HARKEN_PROFILE_METRICS_LISTEN="127.0.0.1:0",
            HARKEN_PROFILE_ADDRESS_FILE=str(address_file),
            HARKEN_PROFILE_FEEDBACK_TARGET=feedback_target,
            HARKEN_PROFILE_LOG_LEVEL="error",
        )
        await until(address_file.exists, "the process to listen", START_SECONDS)
        return cls(address_file, process)

    async def kill(self) -> None:
        """SIGKILL."""
        await self.close()
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; return the exit code."""
        await self.close()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


async def run_profile(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Start `python -m services.profile` with nothing of our own environment that configures it."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HARKEN_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.profile", *arguments,
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos/gen'}", **environment},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
