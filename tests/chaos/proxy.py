"""Our own TCP proxy: connections through it are cut, slowed, stalled and half-closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import Enum


class Link(Enum):
    """How the proxy treats what goes through it."""

    OPEN = "open"
    CUT = "cut"
    SLOW = "slow"
    STALLED = "stalled"
    HALF_CLOSED = "half-closed"


_SLOW_BYTES = 512
_SLOW_SECONDS = 0.02


class Proxy:
    """Passes connections on to one address."""

    def __init__(self, listen: str, target: str) -> None:
        self._listen = listen
        self._target = target
        self._link = Link.OPEN
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._answering: set[asyncio.StreamWriter] = set()

    def become(self, link: Link) -> None:
        """Treat what goes through from now on like this."""
        self._link = link
        if link is Link.STALLED:
            self._open.clear()
        else:
            self._open.set()
        if link is Link.CUT:
            for writer in self._writers:
                writer.transport.abort()
        elif link is Link.HALF_CLOSED:
            for writer in self._answering:
                if not writer.is_closing() and writer.can_write_eof():
                    writer.write_eof()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve meanwhile."""
        async with asyncio.TaskGroup() as tasks:

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._serve(reader, writer))

            host, _, port = self._listen.rpartition(":")
            server = await asyncio.start_server(connected, host, int(port))
            try:
                yield
            finally:
                server.close()
                self.become(Link.CUT)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._link is Link.CUT:
            writer.transport.abort()
            return
        host, _, port = self._target.rpartition(":")
        try:
            there_reader, there = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there}
        self._answering.add(writer)
        try:
            await asyncio.gather(self._copy(reader, there), self._copy(there_reader, writer))
        finally:
            self._writers -= {writer, there}
            self._answering.discard(writer)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            while block := await reader.read(65536):
                await self._open.wait()
                step = _SLOW_BYTES if self._link is Link.SLOW else len(block)
                for start in range(0, len(block), step):
                    # Writing to what was cut meanwhile raises nothing: it only logs.
                    if writer.is_closing():
                        return
                    writer.write(block[start : start + step])
                    await writer.drain()
                    if step == _SLOW_BYTES:
                        await asyncio.sleep(_SLOW_SECONDS)
        writer.close()
