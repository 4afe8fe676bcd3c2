"""The boundary of every RPC: sheds overload, maps faults to statuses, counts and times.

Servicers raise; nothing but this file sets a status.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common.errors import HarkenError, OverloadedError
from services.common.logs import logger
from services.common.status import internal_status, status_of

_LATENCY_BUCKETS = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
_log = logger("rpc")


class RpcMetrics:
    """Rate, errors and duration of every RPC."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.handled = Counter(
            "harken_rpc_handled", "RPCs by method and status.", ["method", "code"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "harken_rpc_seconds", "Duration of unary RPCs.", ["method"],
            buckets=_LATENCY_BUCKETS, registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge("harken_rpc_in_flight", "Unary RPCs now.", registry=registry)
        self.shed = Counter("harken_rpc_shed", "RPCs shed by the limit.", registry=registry)


def _is_limited(method: str) -> bool:
    """Return whether a method may be shed: probes and looks at our state never are."""
    return method.startswith("/harken.") and not method.endswith("/GetServingState")


class RpcBoundary(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(self, metrics: RpcMetrics, max_in_flight: int) -> None:
        """Shed our unary RPCs beyond `max_in_flight` at once; streams are not counted."""
        self._metrics = metrics
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._wrapped: dict[str, grpc.RpcMethodHandler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Return the wrapped handler of a method; each is wrapped once."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrap(method, handler)
            self._wrapped[method] = wrapped
        return wrapped

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        name = method.rsplit("/", 1)[-1]
        coders = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            wrap = self._single(name, handler.unary_unary, limited=_is_limited(method))
            return grpc.unary_unary_rpc_method_handler(wrap, **coders)
        if handler.stream_unary:
            wrap = self._single(name, handler.stream_unary, limited=False)
            return grpc.stream_unary_rpc_method_handler(wrap, **coders)
        if handler.unary_stream:
            stream = self._stream(name, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(stream, **coders)
        stream = self._stream(name, handler.stream_stream)
        return grpc.stream_stream_rpc_method_handler(stream, **coders)

    def _single(self, name: str, call: Callable[..., Any], limited: bool) -> Callable[..., Any]:
        seconds = self._metrics.seconds.labels(name)
        succeeded = self._metrics.handled.labels(name, "OK")

        async def handle(request: Any, context: grpc.aio.ServicerContext) -> Any:
            if limited and self._in_flight >= self._max_in_flight:
                self._metrics.shed.inc()
                await self._fail(name, context, OverloadedError("too many calls at once"))
            self._in_flight += limited
            started = time.perf_counter()
            try:
                answer = await call(request, context)
            except (asyncio.CancelledError, Exception) as error:
                await self._fail(name, context, error)
            finally:
                self._in_flight -= limited
                seconds.observe(time.perf_counter() - started)
            succeeded.inc()
            return answer

        self._metrics.in_flight.set_function(lambda: self._in_flight)
        return handle

    def _stream(self, name: str, call: Callable[..., AsyncIterator[Any]]) -> Callable[..., Any]:
        if asyncio.iscoroutinefunction(call):
            # It writes its answers through the context, as the health service does.
            return self._single(name, call, limited=False)
        succeeded = self._metrics.handled.labels(name, "OK")

        async def handle(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            try:
                async for answer in call(request, context):
                    yield answer
            except (asyncio.CancelledError, Exception) as error:
                await self._fail(name, context, error)
            succeeded.inc()

        return handle

    async def _fail(
        self, name: str, context: grpc.aio.ServicerContext, error: BaseException
    ) -> NoReturn:
        if isinstance(error, asyncio.CancelledError):
            self._metrics.handled.labels(name, "CANCELLED").inc()
            raise error
        if isinstance(error, HarkenError):
            status = status_of(error)
        elif isinstance(error, grpc.aio.AbortError):
            raise error
        else:
            error_id = uuid.uuid4().hex[:12]
            _log.error("rpc failed", rpc=name, error_id=error_id, exc_info=error)
            status = internal_status(error_id)
        await self._abort(name, context, status)

    async def _abort(
        self, name: str, context: grpc.aio.ServicerContext, status: status_pb2.Status
    ) -> NoReturn:
        wire = rpc_status.to_status(status)
        self._metrics.handled.labels(name, wire.code.name).inc()
        await context.abort(wire.code, wire.details, wire.trailing_metadata)
        raise AssertionError("abort always raises")
