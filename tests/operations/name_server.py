"""A DNS server that knows one name, whose addresses change: as a headless Service has them.

It answers what a stub resolver asks (RFC 1035, one question per message): A records for the name,
nothing for other types.
"""

import asyncio
import contextlib
import ipaddress
import struct
from collections.abc import AsyncIterator
from typing import cast

_HEADER = struct.Struct(">HHHHHH")
_RECORD = struct.Struct(">HHHIH4s")
_TYPE_A, _CLASS_IN = 1, 1
_ANSWER_FLAGS = 0x8580
_NAME_OF_QUESTION = 0xC00C
_TTL_SECONDS = 1


class NameServer(asyncio.DatagramProtocol):
    """Answers every name with `addresses` (IPv4)."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to send."""
        # What asyncio gives here is a DatagramTransport in all but name.
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        assert self._transport is not None
        number = _HEADER.unpack_from(data)[0]
        end = data.index(b"\0", _HEADER.size) + 1
        kind = int.from_bytes(data[end : end + 2], "big")
        found = self.addresses if kind == _TYPE_A else []
        answer = _HEADER.pack(number, _ANSWER_FLAGS, 1, len(found), 0, 0)
        answer += data[_HEADER.size : end + 4]
        for address in found:
            packed = ipaddress.IPv4Address(address).packed
            answer += _RECORD.pack(
                _NAME_OF_QUESTION, _TYPE_A, _CLASS_IN, _TTL_SECONDS, len(packed), packed
            )
        self._transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """Serve on a free port of the loopback until the block ends."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
