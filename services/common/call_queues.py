"""A gRPC server with a queue of its own for those RPCs that are called often.

For each RPC that it knows by name grpc.aio keeps a call waiting, and looks at all of these whenever
one comes. With two dozen of them that took a fifth of what a small call takes. What is not known by
name comes through one queue that is common to all of it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import grpc

from services.common.call_class import CallClass, class_of

_OFTEN = (CallClass.SLATES, CallClass.EVENTS)
_PROBE = "Check"
"""Of the health service: other calls must not be in its way."""


class QueuedServer(grpc.aio.Server):
    """Does what the server that it is given does."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: "Mapping[str, grpc.RpcMethodHandler[Any, Any]]"
    ) -> None:
        """Add handlers of RPCs by name: of those that are called often, and of probes."""
        own = {
            name: handler
            for name, handler in method_handlers.items()
            if class_of(name) in _OFTEN or name == _PROBE
        }
        self._server.add_registered_method_handlers(service_name, own)

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]
    ) -> None:
        """Add handlers of whole services."""
        self._server.add_generic_rpc_handlers(tuple(generic_rpc_handlers))

    def add_insecure_port(self, address: str) -> int:
        """Listen on an address."""
        return self._server.add_insecure_port(address)

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Listen on an address, by TLS."""
        return self._server.add_secure_port(address, server_credentials)

    async def start(self) -> None:
        """Start to serve."""
        await self._server.start()

    async def stop(self, grace: float | None) -> None:
        """Take no more calls; those that are open have so many seconds."""
        await self._server.stop(grace)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Wait until it has stopped."""
        return await self._server.wait_for_termination(timeout)
