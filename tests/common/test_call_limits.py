"""Calls that would wait too long are shed early, with a time to come back (truth 13)."""

import asyncio
import collections
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from services.common.admission_queue import AdmissionQueue
from services.common.call_limits import CallLimits
from services.common.reloadable import Reloadable
from services.common.rpc_interceptor import RpcInterceptor
from services.common.rpc_metrics import RpcMetrics
from services.common.server import Server
from tests.waiting import until

WORK_SECONDS = 0.01
QUEUE_SECONDS = 0.3
CALLS = 300
BURST = 500
METHOD = "/harken.test.Test/Work"


class Busy:
    """A server whose calls each keep the event loop busy for a while, as making a slate does."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.began: list[bytes] = []

    async def work(self, request: bytes, _context: Any) -> bytes:
        """Compute, and nothing else."""
        self.began.append(request)
        end = time.perf_counter() + WORK_SECONDS
        while time.perf_counter() < end:
            pass
        return b""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        handlers: Any = {"Work": grpc.unary_unary_rpc_method_handler(self.work)}
        limits = CallLimits(in_flight=10 * CALLS, queue_seconds=QUEUE_SECONDS)
        boundary = RpcInterceptor(RpcMetrics(self.registry), Reloadable(limits))
        server = grpc.aio.server(interceptors=[boundary])
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("harken.test.Test", handlers),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        yield f"127.0.0.1:{port}"
        await server.stop(0)

    @contextlib.asynccontextmanager
    async def behind_a_whole_server(self) -> AsyncIterator[str]:
        """Serve as our processes do, with the limits that gRPC itself has there."""
        limits = Reloadable(CallLimits(in_flight=1000, queue_seconds=QUEUE_SECONDS))
        server = Server(self.registry, ["harken.test.Test"], limits, 60.0)
        handlers: Any = {"Work": grpc.unary_unary_rpc_method_handler(self.work)}
        server.grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("harken.test.Test", handlers),)
        )
        server.grpc.add_registered_method_handlers("harken.test.Test", handlers)
        async with server.listening("127.0.0.1:0", "127.0.0.1:0", None) as address:
            yield address


async def together(address: str, calls: int) -> collections.Counter[str]:
    """Make calls at once, from another process, as ours is kept busy; count how they ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.common.many_calls", address, METHOD, str(calls),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    return collections.Counter(output.decode().splitlines())


async def test_calls_that_wait_too_long_are_shed_with_a_time_to_retry() -> None:
    busy = Busy()
    async with busy.serving() as address:
        found = await together(address, CALLS)
        shed = found.pop(f"RESOURCE_EXHAUSTED {QUEUE_SECONDS / 2}")
        served = found.pop("OK")
        assert not found
        assert shed + served == CALLS
        assert len(busy.began) == served
        # All came at once, so who is served has waited for those served before. Some of that is out
        # of our sight, and a busy machine takes its time to send them all: it is not just what is
        # allowed.
        assert served * WORK_SECONDS <= 6 * QUEUE_SECONDS
        assert served >= 2
        assert busy.registry.get_sample_value("harken_rpc_shed_total", {"method": "Work"}) == shed
        # It is over when the load is.
        assert await together(address, 2) == {"OK": 2}


async def test_a_burst_of_500_calls_is_answered_by_us_not_cancelled_by_grpc() -> None:
    """What gRPC refuses by itself is CANCELLED, which generic clients do not try again."""
    busy = Busy()
    async with busy.behind_a_whole_server() as address:
        found = await together(address, BURST)
    assert found.total() == BURST
    assert {outcome.split()[0] for outcome in found} == {"OK", "RESOURCE_EXHAUSTED"}


async def test_few_calls_are_no_standing_queue_however_slow_the_machine_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, gone = time.monotonic, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: real() + gone)
    turns = AdmissionQueue(Reloadable(CallLimits(1000, queue_seconds=60.0, standing_seconds=0.1)))
    found = []
    many = [asyncio.create_task(turns.take()) for _ in range(100)]
    few, rest = many[:40], many[40:]
    await asyncio.sleep(0)
    gone = 10.0
    found.append(turns.standing)
    for one in rest:
        one.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    found.append(turns.standing)
    assert found == [True, False]
    await asyncio.gather(*few)


async def test_turns_are_taken_one_by_one_in_order() -> None:
    turns = AdmissionQueue(Reloadable(CallLimits(100, 60.0)))
    began: list[int] = []
    never = asyncio.Event()

    async def call(number: int) -> None:
        await turns.take()
        began.append(number)
        await never.wait()

    calls = [asyncio.create_task(call(number)) for number in range(6)]
    # One round of the loop: all have asked for their turn.
    await asyncio.sleep(0)
    assert began == [0]
    assert turns.longest_wait() > 0
    # Who goes away while waiting gives up the turn; who has begun does not hold up the others.
    calls[2].cancel()
    await until(lambda: len(began) == 5, "the others to begin")
    assert began == [0, 1, 3, 4, 5]
    await until(lambda: turns.longest_wait() == 0, "nobody to wait")
    for one in calls:
        one.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
