"""The gRPC server of a process, which sheds calls before gRPC's Python makes tasks for them.

gRPC's Python starts three tasks and two batches for a call before anybody may say no. So calls are
asked whether they are shed as soon as the core hands them over, and the answer is sent from there:
half of the cost. It needs names that gRPC does not promise; where they are missing, calls are shed
by the interceptor alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc._cython import cygrpc
from grpc.aio._server import Server as PythonServer

from services.common.logs import logger

_log = logger("call_acceptor")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a call that is shed is told."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]
    count: Callable[[], None]
    """Is called for each."""


Shed = Callable[[str], Refusal | None]
"""Whether a call of a method ("/package.Service/Method") is shed now."""


class _Sending:
    """Sends a status; no task, which would cost as much again."""

    __slots__ = ("_work",)

    def __init__(self, work: Any) -> None:
        self._work = work

    def go_on(self, _done: object = None) -> None:
        try:
            waits_for = self._work.send(None)
        except (StopIteration, cygrpc.ExecuteBatchError):
            # It is sent, or its caller has gone.
            return
        except Exception as error:
            # Beyond us lies gRPC's loop, which would stop the server.
            _log.error("a call that was shed got no status", exc_info=error)
            return
        # As a task does it: the future knows that it was waited for.
        waits_for._asyncio_future_blocking = False
        waits_for.add_done_callback(self.go_on)


class _Acceptor(cygrpc.AioServer):  # type: ignore[misc] # It has no types.
    """gRPC's own, but for how the next call of a method is found."""

    shed: Shed

    def _make_request_call_future(self, method: bytes | None) -> Any:
        if method is None:
            return super()._make_request_call_future(method)
        return asyncio.get_running_loop().create_task(self._next(method))

    async def _next(self, method: bytes) -> Any:
        """Return the next call of a method that is not shed."""
        name = method.decode()
        while True:
            call = await self._request_registered_call(method)
            try:
                refusal = self.shed(name)
            except Exception as error:
                # As above; the interceptor asks again, and fails this call alone.
                _log.error("whether a call is shed is not known", exc_info=error)
                return call
            if refusal is None:
                return call
            refusal.count()
            self._send(call, refusal)

    def _send(self, call: Any, refusal: Refusal) -> None:
        code: Any = refusal.code.value[0]
        begin = cygrpc.SendInitialMetadataOperation((), 0)
        loop = asyncio.get_running_loop()
        status = cygrpc._send_error_status_from_server(
            call, code, refusal.details, refusal.trailing_metadata, begin, loop
        )
        _Sending(status).go_on()


_NEEDED = ("_send_error_status_from_server", "SendInitialMetadataOperation", "ExecuteBatchError")
_NEEDED_OF_SERVER = ("_make_request_call_future", "_request_registered_call")


def new_server(
    interceptor: grpc.aio.ServerInterceptor, options: Sequence[tuple[str, int]], shed: Shed
) -> grpc.aio.Server:
    """Return a server that asks `shed` about each call of a registered method."""
    missing = [name for name in _NEEDED if not hasattr(cygrpc, name)]
    missing += [name for name in _NEEDED_OF_SERVER if not hasattr(cygrpc.AioServer, name)]
    if missing:
        _log.warning("calls are shed the slow way", fault=f"gRPC has no {', '.join(missing)}")
        return grpc.aio.server(interceptors=[interceptor], options=options)
    server: Any = PythonServer.__new__(PythonServer)
    server._loop = cygrpc.get_working_loop()
    server._server = _Acceptor(server._loop, None, (), (interceptor,), tuple(options), None)
    server._server.shed = shed
    made: grpc.aio.Server = server
    return made
