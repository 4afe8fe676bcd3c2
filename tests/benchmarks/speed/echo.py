"""The floor of a call: a bare grpc.aio server that answers the same bytes whatever it is asked.

    python echo.py         then a line: the answer, as hexadecimal digits

Prints a line of JSON with target and process id; ends with its input.
"""

import asyncio
import json
import os
import sys
from typing import Any

import grpc
import uvloop


class _Echo(grpc.GenericRpcHandler):
    """Answers every method."""

    def __init__(self, answer: bytes) -> None:
        async def say(_request: bytes, _context: Any) -> bytes:
            return answer

        self._handler: Any = grpc.unary_unary_rpc_method_handler(say)

    def service(self, _details: grpc.HandlerCallDetails) -> Any:
        """Return what takes a call."""
        return self._handler


async def main() -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    answer = bytes.fromhex(await loop.run_in_executor(None, sys.stdin.readline))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Echo(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"target": f"127.0.0.1:{port}", "pid": os.getpid()}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await server.stop(0.5)


if __name__ == "__main__":
    uvloop.run(main())
