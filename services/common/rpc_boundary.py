"""The boundary of every RPC: sheds overload, maps faults to statuses, counts and times.

Servicers raise; nothing but this file sets a status.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from types import MappingProxyType
from typing import Any, NoReturn

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common.call_limits import CallLimits
from services.common.errors import HarkenError, NotReadyError, OverloadedError
from services.common.live import Live
from services.common.logs import logger
from services.common.open_calls import OpenCalls
from services.common.request_reader import Refused, reader_of, unrefused
from services.common.status import internal_status, status_of
from services.common.turns import Turns

_LATENCY_BUCKETS = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
_STREAM_BUCKETS = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 4 * 3600.0)
_log = logger("rpc")


class RpcMetrics:
    """Rate, errors and duration of every RPC."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.handled = Counter(
            "harken_rpc_handled", "RPCs that ended, streams too, by method and status.",
            ["method", "code"], registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "harken_rpc_seconds", "Seconds that unary RPCs took; those shed are not in it.",
            ["method"], buckets=_LATENCY_BUCKETS, registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge(
            "harken_rpc_in_flight", "Unary RPCs being handled that count against the limit.",
            registry=registry,
        )  # fmt: skip
        self.shed = Counter(
            "harken_rpc_shed", "Unary RPCs shed by the limits.", ["method"], registry=registry
        )
        self.queue = Gauge(
            "harken_rpc_queue_seconds", "Seconds that the unary RPC that is next has been waiting.",
            registry=registry,
        )  # fmt: skip
        self.stream_seconds = Histogram(
            "harken_rpc_stream_seconds", "Seconds that streaming RPCs were open, once they ended.",
            ["method"], buckets=_STREAM_BUCKETS, registry=registry,
        )  # fmt: skip
        self.streams = Gauge(
            "harken_rpc_streams_open", "Streaming RPCs that are open.", ["method"],
            registry=registry,
        )  # fmt: skip
        self.messages = Counter(
            "harken_rpc_stream_messages", "Messages sent on streaming RPCs.", ["method"],
            registry=registry,
        )  # fmt: skip


_HANDLERS = MappingProxyType(
    {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
)
"""By whether requests and answers are streams."""


def _like(handler: Any, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler:
    """Return a handler of the same kind as `handler` that behaves otherwise."""
    make: Any = _HANDLERS[bool(handler.request_streaming), bool(handler.response_streaming)]
    made: grpc.RpcMethodHandler = make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made


def _bounded(handler: Any) -> Any:
    """Return a handler whose requests are bounded before they are made.

    It is given `Refused` in the place of a request; one in a stream ends the stream.
    """
    behaviour = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )

    def streamed(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> Any:
        return behaviour(unrefused(requests), context)

    make: Any = _HANDLERS[bool(handler.request_streaming), bool(handler.response_streaming)]
    return make(
        streamed if handler.request_streaming else behaviour,
        # It is FromString, bound to the class of the request; who takes bytes has none.
        request_deserializer=(
            handler.request_deserializer and reader_of(handler.request_deserializer.__self__)
        ),
        response_serializer=handler.response_serializer,
    )


def _is_ours(method: str) -> bool:
    return method.startswith("/harken.")


def _is_limited(method: str) -> bool:
    """Return whether a method may be shed: probes and looks at our state never are."""
    return _is_ours(method) and not method.endswith("/GetServingState")


class RpcBoundary(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(self, metrics: RpcMetrics, limits: Live[CallLimits]) -> None:
        """Shed our unary RPCs beyond `limits`; streams are not counted."""
        self._metrics = metrics
        self._limits = limits
        self._in_flight = 0
        self._turns = Turns()
        metrics.in_flight.set_function(lambda: self._in_flight)
        metrics.queue.set_function(self._turns.longest_wait)
        self.calls = OpenCalls()
        self._refuses = False
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
        if self._refuses and _is_ours(method):
            return self._refusal(method, wrapped)
        return wrapped

    def _overload(self) -> OverloadedError | None:
        """Return why a call is shed, if it is."""
        if self._in_flight >= self._limits.value.in_flight:
            return OverloadedError("too many calls at once")
        return self._too_long(self._turns.longest_wait())

    def _too_long(self, seconds: float) -> OverloadedError | None:
        longest = self._limits.value.queue_seconds
        if seconds <= longest:
            return None
        # Half of the queue may be gone by then; who comes back at once keeps it from ending.
        return OverloadedError(f"calls wait longer than {longest:g} s for their turn", longest / 2)

    def refuse(self) -> None:
        """Answer all further calls of ours with UNAVAILABLE: we are shutting down."""
        self._refuses = True

    def _refusal(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        name = method.rsplit("/", 1)[-1]

        async def refuse(_request: Any, context: grpc.aio.ServicerContext) -> None:
            await self._fail(name, context, NotReadyError("shutting down"))

        return _like(handler, refuse)

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        name = method.rsplit("/", 1)[-1]
        handler = _bounded(handler)
        if handler.unary_unary:
            call, limited = handler.unary_unary, _is_limited(method)
            wrap = self._single(name, call, self._metrics.seconds, limited)
        elif handler.stream_unary:
            call, seconds = handler.stream_unary, self._metrics.stream_seconds
            wrap = self._single(name, call, seconds, limited=False)
        elif handler.unary_stream:
            wrap = self._stream(name, handler.unary_stream, endless=False)
        else:
            wrap = self._stream(name, handler.stream_stream, endless=True)
        return _like(handler, wrap)

    def _single(
        self,
        name: str,
        call: Callable[..., Any],
        durations: Histogram,
        limited: bool,
        endless: bool = False,
    ) -> Callable[..., Any]:
        seconds = durations.labels(name)
        shed = self._metrics.shed.labels(name) if limited else None
        succeeded = self._metrics.handled.labels(name, "OK")

        async def handle(request: Any, context: grpc.aio.ServicerContext) -> Any:
            if isinstance(request, Refused):
                await self._fail(name, context, request.error)
            if shed is not None and (overload := self._overload()):
                shed.inc()
                await self._fail(name, context, overload)
            self._in_flight += limited
            task = self.calls.enter(endless)
            started: float | None = time.perf_counter()
            try:
                if shed is not None and (late := self._too_long(await self._turns.take())):
                    started = None
                    shed.inc()
                    await self._fail(name, context, late)
                answer = await call(request, context)
            except (asyncio.CancelledError, Exception) as error:
                request = None  # See _abort.
                await self._fail(name, context, self.calls.cause(task, error))
            finally:
                self.calls.leave(task)
                self._in_flight -= limited
                if started is not None:
                    seconds.observe(time.perf_counter() - started)
            succeeded.inc()
            return answer

        return handle

    def _stream(
        self, name: str, call: Callable[..., AsyncIterator[Any]], endless: bool
    ) -> Callable[..., Any]:
        if asyncio.iscoroutinefunction(call):
            # It writes its answers through the context, as the health service does.
            durations = self._metrics.stream_seconds
            return self._single(name, call, durations, limited=False, endless=True)
        succeeded = self._metrics.handled.labels(name, "OK")
        seconds = self._metrics.stream_seconds.labels(name)
        streams = self._metrics.streams.labels(name)
        messages = self._metrics.messages.labels(name)

        async def handle(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            if isinstance(request, Refused):
                await self._fail(name, context, request.error)
            started = time.perf_counter()
            streams.inc()
            task = self.calls.enter(endless)
            try:
                async for answer in call(request, context):
                    messages.inc()
                    self.calls.sends(task)
                    yield answer
                    self.calls.goes_on(task)
            except (asyncio.CancelledError, Exception) as error:
                request = None  # See _abort.
                await self._fail(name, context, self.calls.cause(task, error))
            finally:
                self.calls.leave(task)
                streams.dec()
                seconds.observe(time.perf_counter() - started)
            succeeded.inc()

        return handle

    async def _fail(
        self, name: str, context: grpc.aio.ServicerContext, error: BaseException
    ) -> NoReturn:
        if isinstance(error, asyncio.CancelledError):
            left = context.time_remaining()
            late = left is not None and left <= 0
            self._metrics.handled.labels(name, "DEADLINE_EXCEEDED" if late else "CANCELLED").inc()
            raise error
        if isinstance(error, HarkenError):
            status = status_of(error)
        elif isinstance(error, grpc.aio.AbortError):
            raise error
        else:
            error_id = uuid.uuid4().hex[:12]
            _log.error("rpc failed", rpc=name, error_id=error_id, exc_info=error)
            status = internal_status(error_id)
        del error  # See _abort.
        await self._abort(name, context, status)

    async def _abort(
        self, name: str, context: grpc.aio.ServicerContext, status: status_pb2.Status
    ) -> NoReturn:
        wire = rpc_status.to_status(status)
        self._metrics.handled.labels(name, wire.code.name).inc()
        try:
            await context.abort(wire.code, wire.details, wire.trailing_metadata)
        except grpc.aio.AbortError as aborted:
            # gRPC keeps it with the call. It would keep the frames it comes through, and those of
            # what it answers, and they the call and its request: a ring that stays until the
            # garbage collector comes by, whatever megabytes are in it.
            aborted.__traceback__ = aborted.__context__ = None
            raise
        raise AssertionError("abort always raises")
