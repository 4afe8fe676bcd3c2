"""Gives the embedded PostgreSQL, which listens on a Unix socket, a port; with TLS if wanted."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@contextlib.asynccontextmanager
async def over_tcp(
    dsn: str, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Lend a DSN of an address of this machine.

    With `tls` nothing is let through but connections that ask for TLS, as with `hostssl` lines in
    pg_hba.conf; the DSN then does not say how to check the certificate. Without it the DSN has
    sslmode=disable, and who asks for TLS is told that there is none.
    """
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    path = f"{query['host'][0]}/.s.PGSQL.5432"

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(len(_SSL_REQUEST))
            if first == _SSL_REQUEST:
                writer.write(b"N" if tls is None else b"S")
                first = b""
            if tls is not None:
                assert not first, "not encrypted"
                await writer.start_tls(tls)
        except (OSError, AssertionError, asyncio.IncompleteReadError):
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_unix_connection(path)
        there_writer.write(first)
        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))

    async with asyncio.TaskGroup() as tasks:

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.create_task(serve(reader, writer))

        server = await asyncio.start_server(connected, host, 0)
        port = server.sockets[0].getsockname()[1]
        try:
            there = f"postgresql://{query['user'][0]}@{host}:{port}{parts.path}"
            yield there if tls is not None else f"{there}?sslmode=disable"
        finally:
            server.close()
