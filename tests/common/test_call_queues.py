"""RPCs that are called often have a queue of their own in gRPC, and all are served (truth 13)."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from services.common.call_queues import QueuedServer


class Names(grpc.aio.Server):
    """Takes note of the RPCs that are known by name."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self.named: list[str] = []
        self._server = server

    def add_registered_method_handlers(self, service_name: str, method_handlers: Any) -> None:
        self.named += method_handlers
        self._server.add_registered_method_handlers(service_name, method_handlers)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Any) -> None:
        self._server.add_generic_rpc_handlers(generic_rpc_handlers)

    def add_insecure_port(self, address: str) -> int:
        return self._server.add_insecure_port(address)

    def add_secure_port(self, address: str, server_credentials: Any) -> int:
        return self._server.add_secure_port(address, server_credentials)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace: float | None) -> None:
        await self._server.stop(grace)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        return await self._server.wait_for_termination(timeout)


async def test_what_is_called_often_has_its_own_queue_and_all_are_served() -> None:
    async def echo(request: bytes, _context: Any) -> bytes:
        return request

    async def stream(request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield request

    unary: Any = grpc.unary_unary_rpc_method_handler(echo)
    handlers: dict[str, Any] = dict.fromkeys(("RecordEvents", "GetItems", "Check"), unary)
    handlers["Subscribe"] = grpc.unary_stream_rpc_method_handler(stream)
    names = Names(grpc.aio.server())
    server = QueuedServer(names)
    # As generated code does.
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("harken.test.Test", handlers),)
    )
    server.add_registered_method_handlers("harken.test.Test", handlers)
    assert sorted(names.named) == ["Check", "RecordEvents"]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name in ("RecordEvents", "GetItems", "Check"):
            call: Any = channel.unary_unary(f"/harken.test.Test/{name}")
            assert await call(b"x", timeout=30) == b"x"
        stream_call: Any = channel.unary_stream("/harken.test.Test/Subscribe")
        assert [answer async for answer in stream_call(b"y", timeout=30)] == [b"y"]
    await server.stop(0)
