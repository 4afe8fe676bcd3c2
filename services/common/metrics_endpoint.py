"""The metrics of a process over HTTP, with no thread for a connection that says nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_MAX_CONNECTIONS = 32
"""At once; a further one takes the place of the oldest that has not said what it wants."""
_MAX_HEAD_BYTES = 16 * 1024
_HEAD_SECONDS = 5.0
"""For a caller to say what it wants, and for it to take the answer."""


@contextlib.asynccontextmanager
async def serve_metrics(listen: str, registry: CollectorRegistry) -> AsyncIterator[str]:
    """Answer every GET on `listen` ("host:port", port 0 for any); give "host:port"."""
    endpoint = _Endpoint(registry)
    host, _, port = listen.rpartition(":")
    server = await asyncio.start_server(
        endpoint.answer, host.strip("[]"), int(port), limit=_MAX_HEAD_BYTES
    )
    try:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        endpoint.close()


class _Endpoint:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._open: dict[asyncio.StreamWriter, bool] = {}
        """Oldest first, and whether it said what it wants."""
        self._making = asyncio.Lock()
        self._last = ("", 0.0, b"")
        """The kind of the last answer, when its making began, and its content."""

    def close(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        if len(self._open) >= _MAX_CONNECTIONS:
            self._close_one()
        self._open[writer] = False
        try:
            # Who is late, says too much or goes away gets no answer.
            with contextlib.suppress(
                TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
            ):
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                if writer in self._open:
                    self._open[writer] = True
                answer = await self._answer(head.decode("latin-1"))
                async with asyncio.timeout(_HEAD_SECONDS):
                    writer.write(answer)
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    def _close_one(self) -> None:
        silent = (writer for writer, asked in self._open.items() if not asked)
        oldest = next(silent, None) or next(iter(self._open))
        del self._open[oldest]
        oldest.transport.abort()

    async def _answer(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        method = first.split(" ", 1)[0]
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"")
        headers = {name.strip().lower(): value for name, _, value in (
            line.partition(":") for line in lines
        )}  # fmt: skip
        try:
            encode, kind = choose_encoder(headers.get("accept", ""))
        except (TypeError, ValueError):
            # It stumbles over versions that are no numbers: such a caller takes what others do.
            encode, kind = choose_encoder("")
        arrived = time.monotonic()
        # One at a time, and once for all who waited meanwhile.
        async with self._making:
            made, began, content = self._last
            if made != kind or began <= arrived:
                began = time.monotonic()
                content = await asyncio.to_thread(encode, self._registry)
                self._last = kind, began, content
        return _response("200 OK", kind, content, method == "HEAD")


def _response(status: str, kind: str, content: bytes, head_only: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if head_only else content)
