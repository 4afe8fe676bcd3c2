"""Calls at a steady rate and streams, so cheap that the server has the machine to itself.

A client library costs about as much a call as our servers do. This writes HTTP/2 frames itself and
reads of an answer only whether it came: some microseconds a call. Callers stop waiting at their
deadline, as libraries do.
"""

import heapq
import random
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_CANCEL = 8
_LARGE = (1 << 31) - 1 - 65_535
_FIRST_WINDOW = 65_535
_LARGEST = 16_384
"""Bytes of a frame."""
_RETRY_AFTER = 1.0
"""Seconds that RetryInfo of our refusals asks for, and by how much of it clients vary them."""
_JITTER = 0.25
_CANCELLED = b"grpc-status\x011"
"""In the headers of an answer: gRPC itself refused, as it held back too many."""


@dataclass(slots=True)
class Outcome:
    """How calls ended, and seconds that those took which were answered.

    Those that were cancelled by the server are not in `refused`.
    """

    sent: int = 0
    ok: int = 0
    refused: int = 0
    cancelled: int = 0
    late: int = 0
    seconds: list[float] = field(default_factory=list)
    moments: list[tuple[float, bool]] = field(default_factory=list)
    """For every call that ended: when it was first due, and whether it was answered."""
    answered_at: list[float] = field(default_factory=list)
    began: float = 0.0

    def answers_a_second(self, start: float, end: float) -> float:
        """Return how many were answered a second, between two times since the beginning."""
        within = sum(start <= at - self.began < end for at in self.answered_at)
        return within / (end - start)


@dataclass(slots=True)
class _Open:
    due: float
    expires: float
    answered: bool = False


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(name: str, value: str) -> bytes:
    """Return a header that goes into no table."""
    made = b"\x00"
    for one in (name.encode(), value.encode()):
        if len(one) > 126:
            raise ValueError("longer than a byte says")
        made += bytes((len(one),)) + one
    return made


def _connected(address: str) -> socket.socket:
    """Return a connection on which a server may send as much as it likes."""
    host, _, port = address.rpartition(":")
    connected = socket.create_connection((host, int(port)))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    settings = struct.pack(">HI", 4, _LARGE) + struct.pack(">HI", 1, 0)
    connected.sendall(
        _PREFACE + _frame(_SETTINGS, 0, 0, settings)
        + _frame(_WINDOW, 0, 0, struct.pack(">I", _LARGE))
    )  # fmt: skip
    connected.setblocking(False)
    return connected


def _headers_of(address: str, method: str) -> bytes:
    return b"".join(
        (
            b"\x83\x86",  # :method POST, :scheme http
            _text(":path", method),
            _text(":authority", address),
            _text("te", "trailers"),
            _text("content-type", "application/grpc"),
        )
    )


def _body_of(message: bytes) -> bytes:
    return b"\x00" + struct.pack(">I", len(message)) + message


class CheapStream:
    """A stream of a method on a connection of its own; what comes is thrown away unseen."""

    def __init__(self, address: str, method: str, request: bytes, *, ends: bool) -> None:
        """`ends`: the request is all that we send; then the stream is begun again when it ended."""
        self.socket = _connected(address)
        self._headers = _headers_of(address, method)
        self._request = request
        self._ends = ends
        self._stream = -1
        self._input = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._stream += 2
        self.socket.send(
            _frame(_HEADERS, _END_HEADERS, self._stream, self._headers)
            + _frame(_DATA, _END_STREAM * self._ends, self._stream, _body_of(self._request))
        )

    def read(self) -> None:
        """Take what has come."""
        self._input += self.socket.recv(1 << 18)
        start, ended = 0, False
        while len(self._input) - start >= 9:
            length = int.from_bytes(self._input[start : start + 3], "big")
            if len(self._input) - start < 9 + length:
                break
            kind, flags = self._input[start + 3], self._input[start + 4]
            if kind == _PING and not flags & _ACK:
                payload = bytes(self._input[start + 9 : start + 17])
                self.socket.send(_frame(_PING, _ACK, 0, payload))
            elif kind == _SETTINGS and not flags & _ACK:
                self.socket.send(_frame(_SETTINGS, _ACK, 0, b""))
            ended = ended or kind == _RST or (kind == _HEADERS and bool(flags & _END_STREAM))
            start += 9 + length
        del self._input[:start]
        if ended and self._ends:
            self._begin()


def read_for_ever(streams: Sequence[CheapStream]) -> None:
    """Read streams until the process ends."""
    chosen = selectors.DefaultSelector()
    for stream in streams:
        chosen.register(stream.socket, selectors.EVENT_READ, stream)
    while True:
        for key, _ in chosen.select():
            key.data.read()


class CheapCalls:
    """Calls of one method on one connection."""

    def __init__(self, address: str, method: str, deadline_seconds: float) -> None:
        self._deadline = deadline_seconds
        self._socket = _connected(address)
        self._headers = _headers_of(address, method) + _text(
            "grpc-timeout", f"{int(deadline_seconds * 1000)}m"
        )
        self._stream = -1
        self._window = _FIRST_WINDOW
        self._open: dict[int, _Open] = {}
        self._by_deadline: deque[int] = deque()
        self._again: list[tuple[float, float, float]] = []
        self._output = bytearray()
        self._input = bytearray()
        self.outcome = Outcome()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def run(
        self,
        rate: float,
        seconds: float,
        request: Callable[[], bytes],
        *,
        retries: bool = False,
        waits: bool = True,
    ) -> Outcome:
        """Begin `rate` calls a second, whatever becomes of earlier ones; wait until all ended,
        unless `waits` is false: then they go on in the next run, and count there.

        `retries`: who is refused calls again when told to, within the deadline.
        """
        self.outcome = Outcome()
        chosen = selectors.DefaultSelector()
        chosen.register(self._socket, selectors.EVENT_READ)
        began = self.outcome.began = time.perf_counter()
        count, total = 0, int(rate * seconds)
        while count < total or (waits and (self._open or self._again)):
            now = time.perf_counter()
            due = min(total, int((now - began) * rate) + 1)
            while count < due and self._window > 0:
                self._begin(began + count / rate, now, now + self._deadline, request())
                count += 1
            while self._again and self._again[0][0] <= now and self._window > 0:
                _, first_due, expires = heapq.heappop(self._again)
                self._begin(first_due, now, expires, request())
            self._expire(now)
            self._write()
            next_due = began + count / rate if count < total else now + 0.01
            pause = 0.001 if self._output else min(0.01, max(0.0, next_due - time.perf_counter()))
            if chosen.select(pause):
                self._read(retries)
        chosen.close()
        return self.outcome

    def _begin(self, due: float, now: float, expires: float, message: bytes) -> None:
        self._stream += 2
        self.outcome.sent += 1
        body = _body_of(message)
        self._window -= len(body)
        self._output += _frame(_HEADERS, _END_HEADERS, self._stream, self._headers)
        for start in range(0, len(body), _LARGEST):
            flags = _END_STREAM if start + _LARGEST >= len(body) else 0
            self._output += _frame(_DATA, flags, self._stream, body[start : start + _LARGEST])
        self._open[self._stream] = _Open(due, expires)
        self._by_deadline.append(self._stream)

    def _expire(self, now: float) -> None:
        while self._by_deadline:
            stream = self._by_deadline[0]
            call = self._open.get(stream)
            if call is not None and call.expires > now:
                return
            self._by_deadline.popleft()
            if call is not None:
                del self._open[stream]
                self._output += _frame(_RST, 0, stream, struct.pack(">I", _CANCEL))
                self.outcome.late += 1
                self.outcome.moments.append((call.due, False))

    def _write(self) -> None:
        if self._output:
            try:
                sent = self._socket.send(self._output)
            except BlockingIOError:
                return
            del self._output[:sent]

    def _read(self, retries: bool) -> None:
        received = self._socket.recv(1 << 18)
        if not received:
            raise ConnectionError("the server closed the connection")
        self._input += received
        view, start = self._input, 0
        now = time.perf_counter()
        while len(view) - start >= 9:
            length = int.from_bytes(view[start : start + 3], "big")
            if len(view) - start < 9 + length:
                break
            kind, flags = view[start + 3], view[start + 4]
            stream = int.from_bytes(view[start + 5 : start + 9], "big") & 0x7FFFFFFF
            if kind in (_DATA, _HEADERS, _RST):
                cancelled = kind == _HEADERS and _CANCELLED in view[start + 9 : start + 9 + length]
                self._answer(kind, flags, stream, now, retries, cancelled)
            elif kind == _WINDOW and stream == 0:
                self._window += int.from_bytes(view[start + 9 : start + 13], "big")
            elif kind == _PING and not flags & _ACK:
                self._output += _frame(_PING, _ACK, 0, bytes(view[start + 9 : start + 17]))
            elif kind == _SETTINGS and not flags & _ACK:
                self._output += _frame(_SETTINGS, _ACK, 0, b"")
            start += 9 + length
        del self._input[:start]

    def _answer(
        self, kind: int, flags: int, stream: int, now: float, retries: bool, cancelled: bool
    ) -> None:
        call = self._open.get(stream)
        if call is None:
            return
        if kind == _DATA:
            call.answered = True
        if not (kind == _RST or flags & _END_STREAM):
            return
        del self._open[stream]
        if call.answered:
            self.outcome.ok += 1
            self.outcome.seconds.append(now - call.due)
            self.outcome.answered_at.append(now)
        elif retries and now + _RETRY_AFTER < call.expires:
            again = now + _RETRY_AFTER * random.uniform(1, 1 + _JITTER)
            heapq.heappush(self._again, (again, call.due, call.expires))
            return
        elif cancelled:
            self.outcome.cancelled += 1
        else:
            self.outcome.refused += 1
        self.outcome.moments.append((call.due, call.answered))
