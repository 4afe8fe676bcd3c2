"""Just enough of HTTP/2 (RFC 9113) and gRPC over it to send calls that were framed beforehand.

A call is HEADERS and DATA, written as they are but for the number of the stream; of the answer only
frame headers are read: where a stream ends, and how many bytes of DATA it had. Header fields are
literals without indexing (RFC 7541, 6.2.2), so no table is kept. What it does not do: flow control
beyond a large window (answers are small), TLS, reading fields of headers (a call that fails has no
DATA: that is how it is told).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
_INITIAL_WINDOW_SIZE = 4
_LARGE = 0x7FFF0000
MARK = "########"
"""Where a message holds the number of its call, of eight digits."""
_HEAD = struct.Struct(">HBBBL")
"""Length in 16 and 8 bits, type, flags, stream."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame in bytes."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def opening() -> bytes:
    """Return what a connection begins with: large windows, for itself and for each stream."""
    settings = struct.pack(">HL", _INITIAL_WINDOW_SIZE, _LARGE)
    window = struct.pack(">L", _LARGE - 65535)
    return PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, window)


def credit(size: int) -> bytes:
    """Return what lets the other side send so many more bytes on the connection."""
    return frame(WINDOW_UPDATE, 0, 0, struct.pack(">L", size))


class Call:
    """A call that can be sent any number of times, each on another stream."""

    def __init__(self, path: str, message: bytes, authority: str, seconds: int = 10) -> None:
        """Call a method with a message; where MARK stands in it, each call has its own number."""
        fields = (
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority),
            ("te", "trailers"), ("content-type", "application/grpc"),
            ("grpc-timeout", f"{seconds}S"), ("user-agent", "harken-bench"),
        )  # fmt: skip
        block = b"".join(_field(name, value) for name, value in fields)
        body = struct.pack(">BL", 0, len(message)) + message
        self._counts = MARK.encode() in body
        # Streams are the last four bytes of a frame's head.
        self._parts = (
            frame(HEADERS, END_HEADERS, 0, block)[:5],
            block + frame(DATA, END_STREAM, 0, body)[:5],
            body,
        )

    def on(self, stream: int, place: int = 0) -> bytes:
        """Return its frames on a stream, an odd number; `place`: its number among all calls."""
        number = stream.to_bytes(4, "big")
        head, middle, body = self._parts
        if self._counts:
            body = body.replace(MARK.encode(), b"%08d" % place, 1)
        return b"".join((head, number, middle, number, body))


def _field(name: str, value: str) -> bytes:
    """Return a literal field without indexing, by a name that is not in a table."""
    return b"\0" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) > 126:
        raise ValueError("a field of more than 126 bytes needs a longer count")
    return bytes([len(data)]) + data


class Reader:
    """Cuts what comes into frames."""

    def __init__(self) -> None:
        self._left = b""

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Return the frames that are whole by now."""
        data = self._left + data
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            last = at + _HEAD.size + (high << 8 | low)
            if last > end:
                break
            yield Frame(kind, flags, stream & 0x7FFFFFFF, data[at + _HEAD.size : last])
            at = last
        self._left = data[at:]
