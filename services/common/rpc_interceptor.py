"""The boundary of every RPC: lets in who may, sheds overload, maps faults to statuses, counts.

Servicers raise; nothing but this file sets a status.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from services.common.access.caller import CALLER
from services.common.access.gate import OPEN, Entry, Gate
from services.common.admission_queue import AdmissionQueue, Flow, Pace
from services.common.audit.audit_sink import AuditSink
from services.common.audit.audited_rpc import REFUSALS, AuditedRpc, audited_rpc
from services.common.audit.refusal_rate import RefusalRate
from services.common.call_class import CallClass, class_of
from services.common.call_limits import CallLimits
from services.common.call_slot import CURRENT, CallSlot, Waiters
from services.common.errors import HarkenError, NotReadyError, OverloadedError, RateLimitedError
from services.common.logs import logger
from services.common.open_calls import OpenCalls
from services.common.plain_metrics import Count, Distributions
from services.common.reloadable import Reloadable
from services.common.request_reader import Refused
from services.common.request_stream import QUIET_SECONDS, RequestStream
from services.common.rpc_handlers import bounded, like, opener, or_bytes
from services.common.rpc_metrics import RpcMetrics
from services.common.status import internal_status, status_of
from services.common.work_limit import WorkLimit

_BYTES_OF_A_TURN = 2000
"""Of a request, that cost about as much as the call itself."""
_MOST_SHEDS = 256
"""Refusals kept ready."""
_STREAM_RETRY_SECONDS = 1.0
_ENDLESS = ("FollowEntries",)
"""Streams of answers that end when the caller wants, besides those of questions and answers."""
_MOST_TENANT = 127
_HEAR_OUT_SECONDS = 3.0
"""For what a caller still sends when its call is refused; less than a server has to drain."""
_MOST_HEARD_OUT = 16
"""Refused calls at once."""
_log = logger("rpc")


def _is_ours(method: str) -> bool:
    return method.startswith("/harken.")


def _is_limited(method: str) -> bool:
    """Return whether a method may be shed: probes and looks at our state never are."""
    return _is_ours(method) and not method.endswith("/GetServingState")


def tenant_of(raw: bytes) -> str:
    """Return the tenant of a request that is not parsed yet; empty when it does not come first.

    It is field 1 of all our requests, and everybody writes fields in order. Only whose turn it is
    depends on it.
    """
    if len(raw) < 2 or raw[0] != 0x0A or raw[1] > _MOST_TENANT:
        return ""
    return raw[2 : 2 + raw[1]].decode(errors="replace")


def peer_of(context: grpc.aio.ServicerContext) -> str:
    """Return the address that a call came from, without the port."""
    return str(context.peer()).rpartition(":")[0]


def _parsed(parse: Callable[[bytes], Any] | None, raw: bytes) -> Any:
    request = raw if parse is None else parse(raw)
    if isinstance(request, Refused):
        raise request.error
    return request


def _caller_name() -> str:
    """Return who calls, of those whose streams are counted; empty for others."""
    caller = CALLER.get()
    return "" if caller is None or caller.kind.is_service else caller.name


def _let_in(
    entry: Entry, request: Any, requests: RequestStream | None, context: grpc.aio.ServicerContext
) -> Any:
    """Return what a handler is given, of a caller who may: each request of a stream is checked."""
    principal = entry.admit(context)
    if requests is None:
        entry.check(principal, request)
        return request
    requests.check = lambda one: entry.check(principal, one)
    return requests


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What a call that is shed is told. `count` is called for each."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]
    count: Callable[[], None]


def _refuser(refusal: _Refusal) -> grpc.RpcMethodHandler:
    """Return what refuses a call. It is a handler of streams, as those are not handed the request,
    which thus is not read.
    """

    async def refuse(_requests: Any, context: grpc.aio.ServicerContext) -> None:
        refusal.count()
        context.set_code(refusal.code)
        context.set_details(refusal.details)
        context.set_trailing_metadata(refusal.trailing_metadata)

    make: Any = grpc.stream_stream_rpc_method_handler
    made: grpc.RpcMethodHandler = make(refuse)
    return made


class RpcInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(
        self,
        metrics: RpcMetrics,
        limits: Reloadable[CallLimits],
        gate: Gate | None = None,
        audit: AuditSink | None = None,
    ) -> None:
        """Shed our unary RPCs beyond `limits`; streams are not counted. Without a gate anybody may
        call. `audit` is where administrative calls are written down.
        """
        self._metrics = metrics
        self._gate = gate
        self._audit = audit
        self._refusals = RefusalRate()
        self._audited: dict[str, AuditedRpc] = {}
        self._limits = limits
        self._in_flight = 0
        self._working = 0
        self._work_limit = WorkLimit()
        self._turns = AdmissionQueue(limits, self._room)
        self.waiters = Waiters(lambda: limits.value.waiters)
        self._streams: Counter[tuple[str, str]] = Counter()
        metrics.in_flight.set_function(lambda: self._in_flight)
        metrics.queue.set_function(self._turns.longest_wait)
        metrics.waiters.set_function(lambda: self.waiters.count)
        metrics.work_limit.set_function(lambda: self._most_working())
        self.calls = OpenCalls()
        self._refuses = False
        self._heard_out = 0
        self._wrapped: dict[str, grpc.RpcMethodHandler] = {}
        self._limited: dict[str, CallClass] = {}
        self._sheds: dict[tuple[str, str, float], _Refusal] = {}

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
        return _refuser(refusal) if (refusal := self._shed(method)) else wrapped

    def _most_working(self) -> int:
        return self._work_limit.value(self._limits.value.in_flight)

    def _room(self) -> int:
        return self._most_working() - self._working

    def _overload(self, kind: CallClass) -> OverloadedError | None:
        """Return why a call is shed before anything of it is read, if it is."""
        if self._in_flight >= max(1, int(self._limits.value.in_flight * kind.share)):
            return OverloadedError("too many calls at once")
        return self._turns.refusal(kind)

    def _shed(self, method: str) -> _Refusal | None:
        """Return what a call is told that is shed before anything of it is read, if it is."""
        kind = self._limited.get(method)
        if kind is None or self._refuses or not (overload := self._overload(kind)):
            return None
        key = (method, str(overload), overload.retry_after_seconds)
        made = self._sheds.get(key)
        if made is None:
            if len(self._sheds) >= _MOST_SHEDS:
                self._sheds.clear()
            made = self._sheds[key] = self._made_refusal(method.rsplit("/", 1)[-1], overload)
        return made

    def _made_refusal(self, name: str, error: OverloadedError) -> _Refusal:
        wire = rpc_status.to_status(status_of(error))
        handled = self._metrics.handled.labels(name, wire.code.name)
        shed = self._metrics.shed.labels(name)

        def count() -> None:
            shed.inc()
            handled.inc()

        return _Refusal(wire.code, wire.details, wire.trailing_metadata, count)

    def refuse(self) -> None:
        """Answer all further calls of ours with UNAVAILABLE: we are shutting down."""
        self._refuses = True

    def _refusal(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        name = method.rsplit("/", 1)[-1]
        opened = opener(handler)

        async def refuse(request: Any, context: grpc.aio.ServicerContext) -> None:
            await self._fail(name, context, NotReadyError("shutting down"), opened(request))

        return like(handler, refuse)

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        name = method.rsplit("/", 1)[-1]
        handler = bounded(handler)
        entry = OPEN if self._gate is None else self._gate.entry(method)
        if self._audit and (audited := audited_rpc(self._audit, self._refusals, method)):
            self._audited[name] = audited
            handler = audited.around(handler)
        if handler.unary_unary and _is_limited(method):
            self._limited[method] = class_of(name)
            return self._in_turn(name, handler, entry)
        opened = opener(handler)
        if handler.unary_unary:
            wrap = self._single(name, handler.unary_unary, opened, entry, self._metrics.seconds)
        elif handler.stream_unary:
            seconds = self._metrics.stream_seconds
            wrap = self._single(name, handler.stream_unary, opened, entry, seconds)
        elif handler.unary_stream:
            call, endless = handler.unary_stream, name in _ENDLESS
            wrap = self._stream(name, call, opened, entry, _is_ours(method), endless)
        else:
            call = handler.stream_stream
            wrap = self._stream(name, call, opened, entry, _is_ours(method), endless=True)
        return like(handler, wrap)

    def _in_turn(self, name: str, handler: Any, entry: Entry) -> grpc.RpcMethodHandler:
        """Wrap a unary RPC that may be shed; its request is only parsed when its turn comes."""
        call, parse = handler.unary_unary, handler.request_deserializer
        seconds = self._metrics.seconds.labels(name)
        shed = self._metrics.shed.labels(name)
        succeeded = self._metrics.handled.labels(name, "OK")
        kind, pace, turns = class_of(name), Pace(), self._turns

        async def handle(raw: bytes, context: grpc.aio.ServicerContext) -> Any:
            self._in_flight += 1
            task = self.calls.enter(endless=False)
            began, work_began = time.perf_counter(), 0.0
            tenant = tenant_of(raw)
            slot = CallSlot(self, kind, lambda: (tenant, peer_of(context)))
            try:
                principal = entry.admit(context)
                if not turns.begin():
                    cost = 1 + len(raw) / _BYTES_OF_A_TURN
                    left = context.time_remaining()
                    await turns.wait(kind, slot.flow, cost, left, pace.seconds)
                work_began = time.perf_counter()
                self._working += 1
                CURRENT.set(slot)
                request = _parsed(parse, raw)
                entry.check(principal, request)
                answer = await call(request, context)
            except (asyncio.CancelledError, Exception) as error:
                raw, request = b"", None  # See _abort.
                if not work_began and isinstance(error, OverloadedError):
                    shed.inc()
                    if not isinstance(error, RateLimitedError):
                        pace.forget()
                await self._fail(name, context, self.calls.cause(task, error), tenant=tenant)
            finally:
                self.calls.leave(task)
                self._in_flight -= 1
                if work_began:
                    now = time.perf_counter()
                    seconds.observe(now - began)
                    self._working -= 1
                    turns.go_on()
            worked = now - work_began - slot.rested
            pace.note(worked)
            self._work_limit.note(worked, self._working + 1, self._limits.value.in_flight)
            succeeded.inc()
            return answer

        make: Any = grpc.unary_unary_rpc_method_handler
        made: grpc.RpcMethodHandler = make(
            handle, response_serializer=or_bytes(handler.response_serializer)
        )
        return made

    def stop_working(self) -> None:
        """Give the place of a call to others."""
        self._in_flight -= 1
        self._working -= 1
        self._turns.go_on()

    async def work_on(self, kind: CallClass, flow: Flow) -> None:
        """Wait for the turn of a call that had stopped."""
        await self._turns.take(kind, flow)

    def works_again(self) -> None:
        """Take a place again, whether the turn came or the call is given up."""
        self._in_flight += 1
        self._working += 1

    def _single(
        self,
        name: str,
        call: Callable[..., Any],
        opened: Callable[[Any], RequestStream | None],
        entry: Entry,
        durations: Distributions,
        endless: bool = False,
    ) -> Callable[..., Any]:
        seconds = durations.labels(name)
        succeeded = self._metrics.handled.labels(name, "OK")

        async def handle(request: Any, context: grpc.aio.ServicerContext) -> Any:
            if isinstance(request, Refused):
                await self._fail(name, context, request.error)
            requests = opened(request)
            task = self.calls.enter(endless)
            started = time.perf_counter()
            try:
                answer = await call(_let_in(entry, request, requests, context), context)
            except (asyncio.CancelledError, Exception) as error:
                request = None  # See _abort.
                await self._fail(name, context, self.calls.cause(task, error), requests)
            finally:
                self.calls.leave(task)
                if requests is not None:
                    requests.close()
                seconds.observe(time.perf_counter() - started)
            succeeded.inc()
            return answer

        return handle

    def _stream(
        self,
        name: str,
        call: Callable[..., AsyncIterator[Any]],
        opened: Callable[[Any], RequestStream | None],
        entry: Entry,
        limited: bool,
        endless: bool,
    ) -> Callable[..., Any]:
        if asyncio.iscoroutinefunction(call):
            # It writes its answers through the context, as the health service does.
            durations = self._metrics.stream_seconds
            return self._single(name, call, opened, entry, durations, endless=True)
        succeeded = self._metrics.handled.labels(name, "OK")
        seconds = self._metrics.stream_seconds.labels(name)
        streams = self._metrics.streams.labels(name)
        messages = self._metrics.messages.labels(name)
        shed = self._metrics.shed.labels(name)

        async def handle(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            if isinstance(request, Refused):
                await self._fail(name, context, request.error)
            requests = opened(request)
            peer = peer_of(context) if limited else ""
            if limited and (many := self._too_many_streams(name, peer)):
                shed.inc()
                await self._fail(name, context, many, requests)
            self._streams[name, ""] += 1
            self._streams[name, peer] += 1
            started = time.perf_counter()
            streams.inc()
            task = self.calls.enter(endless)
            caller = ""
            try:
                given = _let_in(entry, request, requests, context)
                if limited and (name_of := _caller_name()):
                    self._streams[name, caller := f"caller {name_of}"] += 1
                    self._check_streams_of(name, caller, shed)
                # In no variable: see _abort.
                async for answer in call(given, context):
                    messages.inc()
                    self.calls.sends(task)
                    yield answer
                    self.calls.goes_on(task)
            except (asyncio.CancelledError, Exception) as error:
                given = request = None  # See _abort.
                await self._fail(name, context, self.calls.cause(task, error), requests)
            finally:
                self.calls.leave(task)
                if requests is not None:
                    requests.close()
                self._closed_stream(name, "")
                self._closed_stream(name, peer)
                if caller:
                    self._closed_stream(name, caller)
                streams.dec()
                seconds.observe(time.perf_counter() - started)
            succeeded.inc()

        return handle

    def _too_many_streams(self, name: str, peer: str) -> OverloadedError | None:
        limits = self._limits.value
        if self._streams[name, ""] >= limits.streams:
            return OverloadedError(f"{name}: too many streams are open", _STREAM_RETRY_SECONDS)
        if self._streams[name, peer] >= limits.peer_streams:
            return OverloadedError(
                f"{name}: too many streams are open from this address", _STREAM_RETRY_SECONDS
            )
        return None

    def _check_streams_of(self, name: str, caller: str, shed: Count) -> None:
        if self._streams[name, caller] > self._limits.value.caller_streams:
            shed.inc()
            raise OverloadedError(
                f"{name}: too many streams of this caller are open", _STREAM_RETRY_SECONDS
            )

    def _closed_stream(self, name: str, peer: str) -> None:
        self._streams[name, peer] -= 1
        if not self._streams[name, peer]:
            del self._streams[name, peer]

    async def _fail(
        self,
        name: str,
        context: grpc.aio.ServicerContext,
        error: BaseException,
        requests: RequestStream | None = None,
        tenant: str = "",
    ) -> NoReturn:
        if isinstance(error, asyncio.CancelledError):
            left = context.time_remaining()
            late = left is not None and left <= 0
            self._metrics.handled.labels(name, "DEADLINE_EXCEEDED" if late else "CANCELLED").inc()
            raise error
        if isinstance(error, HarkenError):
            status = status_of(error)
            if isinstance(error, REFUSALS) and (audited := self._audited.get(name)):
                await audited.refused(context, error, tenant)
        elif isinstance(error, grpc.aio.AbortError):
            raise error
        else:
            error_id = uuid.uuid4().hex[:12]
            _log.error("rpc failed", rpc=name, error_id=error_id, exc_info=error)
            status = internal_status(error_id)
        del error  # See _abort.
        if requests is not None:
            await self._hear_out(requests, context)
        await self._abort(name, context, status)

    async def _hear_out(self, requests: RequestStream, context: grpc.aio.ServicerContext) -> None:
        """Let a caller come to the end of what it writes before it is told that it failed.

        A client of grpc.aio whose write fails because the call has ended says INTERNAL, and forgets
        the status that ended it: when to come again, or what is wrong.
        """
        most = QUIET_SECONDS if self._refuses else _HEAR_OUT_SECONDS
        left = context.time_remaining()
        self._heard_out += 1
        try:
            if self._heard_out <= _MOST_HEARD_OUT:
                await requests.hear_out(most if left is None else min(most, left / 2))
        finally:
            self._heard_out -= 1
            requests.close()

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
