"""The gRPC server of a process: health, reflection, metrics, drain."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from services.common.access.process_access import ProcessAccess
from services.common.answer_size import MAX_ANSWER_BYTES
from services.common.audit.audit_sink import AuditSink
from services.common.audit.key_changes import note_key_changes
from services.common.call_limits import CallLimits
from services.common.call_queues import QueuedServer
from services.common.channels import ACCEPTING
from services.common.listen_check import check_listen
from services.common.logs import logger
from services.common.metrics_endpoint import serve_metrics
from services.common.process_metrics import add_process_metrics
from services.common.reloadable import Reloadable
from services.common.request_limits import SMALL_MESSAGE_BYTES
from services.common.rpc_interceptor import RpcInterceptor
from services.common.rpc_metrics import RpcMetrics

MAX_METADATA_BYTES = 16 * 1024
"""Of all headers of a call: a token is the largest."""
MAX_CONNECTION_STREAMS = 1000
DRAIN_SECONDS = 5.0
_REFUSE_SECONDS = 0.03
"""Less than a caller pauses before it tries again; then its connection is closed."""
_LAST_SECONDS = 0.5
"""Of DRAIN_SECONDS, for answering what is still open that we shut down."""
_PENDING, _MOST_PENDING = 500, 800
"""Calls in a queue (see `call_queues`) that may wait inside gRPC, which hands over one per round of
the loop, before it refuses some and then all of them with CANCELLED. What waits there is out of our
sight: the more there are, the older are those that come. With 2,500, calls with deadlines of .5 s
at twice of what can be answered were nearly all too late; with fewer, a burst of clients would be
cancelled."""
_OPTIONS: tuple[tuple[str, int], ...] = (
    # Two processes on one port would share calls by chance; refuse to start instead.
    ("grpc.so_reuseport", 0),
    ("grpc.max_send_message_length", MAX_ANSWER_BYTES),
    # Our own clients ping idle streams every 10 s; by default a server refuses that.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Without this, pings between calls are refused all the same ("too_many_pings").
    ("grpc.keepalive_permit_without_calls", 1),
    # Headers that are larger are refused, before anything looks at them. Without the first gRPC
    # refuses some from half of that on, by chance.
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    # Of one connection; callers with more open another, and gRPC's would be without a bound.
    ("grpc.max_concurrent_streams", MAX_CONNECTION_STREAMS),
    # Who connects and then says nothing; by default they may for two minutes.
    ("grpc.server_handshake_timeout_ms", 10_000),
    # Connections whose other end is gone without a word, with streams on them.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # What gRPC refuses by itself it answers with CANCELLED, which few clients try again: we shed
    # first, as long as calls do not come faster than even that can be done.
    ("grpc.server.max_pending_requests", _PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _MOST_PENDING),
)
LIVENESS = "liveness"
"""Name in gRPC health that is SERVING while the process runs, ready or not."""
_log = logger("server")


class Health:
    """Readiness, per service and for the whole process (the empty name)."""

    def __init__(self, services: Iterable[str]) -> None:
        self.servicer = HealthServicer()
        self._names = ("", *services)
        self._ready: bool | None = None
        self._accepting = False

    async def set_alive(self) -> None:
        """Say that the process runs, whatever it waits for: what a liveness probe asks."""
        await self.servicer.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)

    async def set_ready(self, ready: bool) -> None:
        """Publish readiness; repeating the same value costs nothing."""
        if ready == self._ready:
            return
        self._ready = ready
        states = health_pb2.HealthCheckResponse
        status = states.SERVING if ready else states.NOT_SERVING
        for name in self._names:
            await self.servicer.set(name, status)
        if not self._accepting:
            self._accepting = ready
            await self.servicer.set(ACCEPTING, status)


class Server:
    """A gRPC server and the metrics endpoint beside it."""

    def __init__(
        self,
        registry: CollectorRegistry,
        services: Iterable[str],
        limits: Reloadable[CallLimits],
        max_connection_age_seconds: float,
        max_request_bytes: int = SMALL_MESSAGE_BYTES,
        access: ProcessAccess | None = None,
        audit: AuditSink | None = None,
    ) -> None:
        """Serve RPCs of the named services within `limits`, with requests of at most so many bytes,
        to those that `access` lets in; without it to everybody, and without TLS. Administrative
        calls go to `audit`.

        Connections older than `max_connection_age_seconds` take no new calls: their clients look
        the name up and connect again, so that new replicas get traffic. Calls and streams that are
        open go on where they are.
        """
        names = tuple(services)
        self._registry = registry
        add_process_metrics(registry)
        self._access = access
        self._audit = audit
        gate = None if access is None else access.gate
        self._boundary = RpcInterceptor(RpcMetrics(registry), limits, gate, audit)
        self._drained = False
        own = (
            ("grpc.max_connection_age_ms", int(max_connection_age_seconds * 1000)),
            ("grpc.max_receive_message_length", max_request_bytes),
        )
        self.grpc = QueuedServer(
            grpc.aio.server(interceptors=[self._boundary], options=(*_OPTIONS, *own))
        )
        self.health = Health(names)
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, self.grpc)
        reflection.enable_server_reflection(
            (*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
             reflection.SERVICE_NAME),
            self.grpc,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def listening(
        self, listen: str, metrics_listen: str, address_file: Path | None
    ) -> AsyncIterator[str]:
        """Serve on `listen` ("host:port", port 0 for any) until the block ends, then drain.

        `address_file`, when given, receives {"grpc": "host:port", "metrics": "host:port"}, and
        "tokens" and "health" where there are such ports.

        Raises:
            CannotListenError: an address is taken.

        """
        ports = {"grpc": listen, "metrics": metrics_listen}
        if self._access is not None:
            ports |= self._access.ports
        for wanted in ports.values():
            await asyncio.to_thread(check_listen, wanted)
        await self.health.set_alive()
        await self.health.set_ready(False)
        bound = self._add_ports(listen)
        async with contextlib.AsyncExitStack() as stack:
            bound["metrics"] = await stack.enter_async_context(
                serve_metrics(metrics_listen, self._registry)
            )
            if "health" in ports:
                bound["health"] = await stack.enter_async_context(
                    _plain_health(self.health.servicer, ports["health"])
                )
            if self._audit is not None and self._access is not None and self._access.keys:
                noting = asyncio.create_task(note_key_changes(self._access.keys, self._audit))
                stack.callback(noting.cancel)
            await self.grpc.start()
            if address_file is not None:
                await asyncio.to_thread(_write_addresses, address_file, bound)
            address = bound["grpc"]
            if self._access is None:
                _log.warning("no TLS: whoever reaches this may do everything", address=address)
            _log.info("listening", address=address, metrics=bound["metrics"])
            try:
                yield address
            finally:
                await self.drain()
                _log.info("stopped", address=address)

    def _add_ports(self, listen: str) -> dict[str, str]:
        access = self._access
        if access is None:
            return {"grpc": _bound(listen, self.grpc.add_insecure_port(listen))}
        port = self.grpc.add_secure_port(listen, access.server_credentials(with_client=True))
        bound = {"grpc": _bound(listen, port)}
        if tokens := access.ports.get("tokens"):
            port = self.grpc.add_secure_port(tokens, access.server_credentials(with_client=False))
            bound["tokens"] = _bound(tokens, port)
        return bound

    async def drain(self) -> None:
        """Take no more calls, finish those that were taken, within DRAIN_SECONDS.

        Streams without an end, and what takes longer, end with UNAVAILABLE.
        """
        if self._drained:
            return
        self._drained = True
        _log.info("draining")
        await self.health.set_ready(False)
        await self.health.servicer.enter_graceful_shutdown()
        # gRPC answers CANCELLED to what has arrived when it stops, and few retry on that. So first
        # those who call now are told, and pause.
        self._boundary.refuse()
        await asyncio.sleep(_REFUSE_SECONDS)
        stopping = asyncio.create_task(self.grpc.stop(DRAIN_SECONDS))
        # Before streams end, so that their callers come back to another process.
        await asyncio.sleep(0)
        self._boundary.calls.end(only_endless=True)
        await asyncio.wait([stopping], timeout=DRAIN_SECONDS - _LAST_SECONDS)
        self._boundary.calls.end(only_endless=False)
        await stopping


def _bound(wanted: str, port: int) -> str:
    return f"{wanted.rpartition(':')[0]}:{port}"


@contextlib.asynccontextmanager
async def _plain_health(servicer: HealthServicer, listen: str) -> AsyncIterator[str]:
    """Serve health and nothing else, without TLS."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port(listen)
    await server.start()
    try:
        yield _bound(listen, port)
    finally:
        await server.stop(0)


def _write_addresses(path: Path, bound: Mapping[str, str]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(dict(bound)))
    partial.replace(path)


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_until(stop: asyncio.Event, server: Server, *jobs: Any) -> None:
    """Run coroutines until `stop` is set or one of them ends; an exception of one is raised.

    After `stop` they go on until `server` is drained: calls in flight may need them.
    """
    tasks = [asyncio.ensure_future(job) for job in jobs]
    waiter = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        await server.drain()
        for task in tasks:
            if task.done() and not task.cancelled() and (fault := task.exception()):
                _log.error("a job failed during the drain", kind=type(fault).__name__)
    finally:
        for task in (waiter, *tasks):
            task.cancel()
        await asyncio.gather(waiter, *tasks, return_exceptions=True)
