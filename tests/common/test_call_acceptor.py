"""Calls are shed before gRPC's Python makes anything of them (truth 13)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from services.common import call_acceptor
from services.common.call_acceptor import new_server
from services.common.call_limits import CallLimits
from services.common.live import Live
from services.common.retry_info import retry_seconds_of
from services.common.rpc_boundary import RpcBoundary, RpcMetrics
from services.common.turns import Turns
from tests.faults import fault_of, reason_of

SERVICE = "harken.test.Test"
METHOD = f"/{SERVICE}/Echo"
CALLS = 200


class Counted(grpc.aio.ServerInterceptor):
    """The boundary, and how many calls came to it."""

    def __init__(self, boundary: RpcBoundary) -> None:
        self._boundary = boundary
        self.calls = 0

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self.calls += 1
        return await self._boundary.intercept_service(continuation, handler_call_details)


class Echo:
    """A server behind the acceptor whose limit of calls can be set to none at all."""

    def __init__(self) -> None:
        self.limits = Live(CallLimits(1000, 60.0))
        self.registry = CollectorRegistry()
        self.boundary = RpcBoundary(RpcMetrics(self.registry), self.limits)
        self.interceptor = Counted(self.boundary)
        self.call: Any = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async def echo(request: bytes, _context: Any) -> bytes:
            return request

        server = new_server(self.interceptor, (), self.boundary.shed)
        handlers: Any = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
        server.add_registered_method_handlers(SERVICE, handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            self.call = channel.unary_unary(METHOD)
            yield
        await server.stop(1.0)

    def shed_calls(self) -> float:
        return self.registry.get_sample_value("harken_rpc_shed_total", {"method": "Echo"}) or 0.0


def shed_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the queue says that it is full."""
    monkeypatch.setattr(Turns, "refusal", lambda turns, _kind: turns._late())


async def test_shed_calls_get_status_and_details_and_never_reach_the_interceptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It fails when gRPC no longer has what this needs: then they are shed the slow way."""
    served = Echo()
    async with served.serving():
        assert await served.call(b"one", timeout=10) == b"one"
        with monkeypatch.context() as patched:
            shed_all(patched)
            faults = await asyncio.gather(
                *(fault_of(served.call(b"two", timeout=10)) for _ in range(CALLS))
            )
        assert {fault.code() for fault in faults} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert {reason_of(fault) for fault in faults} == {"OVERLOADED"}
        assert {retry_seconds_of(fault) for fault in faults} == {30.0}
        assert served.interceptor.calls == 1
        assert served.shed_calls() == CALLS
        # It is over when the load is.
        assert await served.call(b"three", timeout=10) == b"three"


async def test_callers_that_hang_up_before_they_are_told_harm_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = Echo()
    async with served.serving():
        await served.call(b"one", timeout=10)
        with monkeypatch.context() as patched:
            shed_all(patched)
            calls = [served.call(b"two", timeout=10) for _ in range(CALLS)]
            await fault_of(calls[0])
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert await served.call(b"three", timeout=10) == b"three"


async def test_where_grpc_lacks_what_it_needs_calls_are_shed_the_slow_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_acceptor, "_NEEDED", ("gone_from_grpc",))
    served = Echo()
    async with served.serving():
        await served.call(b"one", timeout=10)
        with monkeypatch.context() as patched:
            shed_all(patched)
            fault = await fault_of(served.call(b"two", timeout=10))
        assert fault.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_seconds_of(fault) == 30.0
        assert served.interceptor.calls == 2
