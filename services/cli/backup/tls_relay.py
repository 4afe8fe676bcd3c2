"""TLS for client programs that were built without it, as those of the extra `local` are.

They talk to a Unix socket in a private folder, and we to the server, encrypted and with the checks
that the DSN asks for. Passwords and SCRAM go through as they are; SCRAM with channel binding needs
programs that have TLS themselves.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from services.cli.console import messages
from services.cli.failures import CommandError

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_PORT = 5432
_BLOCK_BYTES = 1 << 16
_PLAIN = ("disable", "allow")
_CHECKED = ("verify-ca", "verify-full")
_MODES = (*_PLAIN, "prefer", "require", *_CHECKED)
_SETTINGS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


@dataclass(frozen=True, slots=True)
class _Server:
    host: str
    port: int
    mode: str
    context: ssl.SSLContext

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; the handshake of TLS is done."""
        loop = asyncio.get_running_loop()
        raw = await asyncio.to_thread(socket.create_connection, (self.host, self.port))
        try:
            raw.setblocking(False)
            await loop.sock_sendall(raw, _SSL_REQUEST)
            answer = await loop.sock_recv(raw, 1)
            if answer == b"S":
                name = self.host if self.context.check_hostname else ""
                return await asyncio.open_connection(
                    sock=raw, ssl=self.context, server_hostname=name
                )
            if answer == b"N" and self.mode == "prefer":
                return await asyncio.open_connection(sock=raw)
        except BaseException:
            raw.close()
            raise
        raw.close()
        raise ConnectionError("the server has no TLS")


def wants_tls(dsn: str) -> bool:
    """Return whether a DSN may lead to a connection with TLS."""
    host, query = _host(dsn), _query(dsn)
    return bool(host) and not host.startswith("/") and _mode(query) not in _PLAIN


@contextlib.asynccontextmanager
async def tls_relay(dsn: str) -> AsyncIterator[str]:
    """Lend a DSN by which programs without TLS reach the server of `dsn` as that asks for.

    Raises:
        CommandError: the DSN asks for what is not done here.

    """
    server = _server(dsn)
    running: set[asyncio.Task[None]] = set()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.create_task(_relay(server, reader, writer)))

    with tempfile.TemporaryDirectory(prefix="harken-") as folder:
        listener = await asyncio.start_unix_server(accepted, f"{folder}/.s.PGSQL.{_PORT}")
        try:
            yield _dsn_of_socket(dsn, folder)
        finally:
            listener.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def _relay(
    server: _Server, near: asyncio.StreamReader, to_near: asyncio.StreamWriter
) -> None:
    try:
        far, to_far = await server.connect()
    except OSError as error:
        # The program only sees that its connection ends.
        messages().print(f"{server.host}:{server.port}: {error}", markup=False)
        to_near.close()
        return
    await asyncio.gather(_copy(near, to_far), _copy(far, to_near))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(_BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
    except OSError:
        # Either side may end at any time; the other one is told below.
        pass
    finally:
        writer.close()


def _server(dsn: str) -> _Server:
    query = _query(dsn)
    mode = _mode(query)
    if mode not in _MODES:
        raise CommandError(f"sslmode {mode} is not one of {', '.join(_MODES)}")
    unknown = [name for name in query if name.startswith("ssl") and name not in _SETTINGS]
    if unknown:
        raise CommandError(
            f"{unknown[0]} in a DSN needs PostgreSQL's client programs with TLS, "
            "which those of the extra `local` have not"
        )
    try:
        port = urlsplit(dsn).port or int(query.get("port", _PORT))
    except ValueError:
        raise CommandError("the DSN names several servers: give one") from None
    return _Server(_host(dsn), port, mode, _context(mode, query))


def _context(mode: str, query: Mapping[str, str]) -> ssl.SSLContext:
    """Return the checks of a DSN, by the rules of libpq."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    roots = Path(query["sslrootcert"]) if "sslrootcert" in query else _default_roots()
    if mode in _CHECKED or (mode == "require" and roots.exists()):
        context.load_verify_locations(cafile=roots)
    else:
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in query:
        context.load_cert_chain(query["sslcert"], query.get("sslkey"))
    return context


def _default_roots() -> Path:
    try:
        return Path("~/.postgresql/root.crt").expanduser()
    except RuntimeError:
        # The user has no home; the path as it is names no file.
        return Path("~/.postgresql/root.crt")


def _query(dsn: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(dsn).query, keep_blank_values=True))


def _host(dsn: str) -> str:
    return urlsplit(dsn).hostname or _query(dsn).get("host", "")


def _mode(query: Mapping[str, str]) -> str:
    return query.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer"


def _dsn_of_socket(dsn: str, folder: str) -> str:
    parts = urlsplit(dsn)
    user, at, _ = parts.netloc.rpartition("@")
    kept = {name: value for name, value in _query(dsn).items() if name not in _SETTINGS}
    query = {**kept, "host": folder, "port": str(_PORT), "sslmode": "disable"}
    return f"postgresql://{user}{at}{parts.path}?{urlencode(query, quote_via=quote)}"
