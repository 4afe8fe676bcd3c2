"""Load from a process of its own: calls that were framed before, of answers only the end is read.

    python client.py        then commands from standard input, one JSON object a line

`do` names a function below, the rest are its arguments; each is answered with a line of JSON.
"""

import asyncio
import contextlib
import itertools
import json
import selectors
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from tests.benchmarks.speed.http2 import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    Call,
    Reader,
    credit,
    frame,
    opening,
)

_READ = 1 << 18
_CREDIT_BYTES = 1 << 24
_PATIENCE_SECONDS = 15.0


class Connection:
    """One connection; `done` is told of each stream that ended, and of its bytes of DATA."""

    def __init__(self, target: str, done: Callable[[int, int], None]) -> None:
        host, _, port = target.rpartition(":")
        # Nothing is waited for longer.
        self._socket = socket.create_connection((host, int(port)), _PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(opening())
        self._reader = Reader()
        self._done = done
        self._next = 1
        self._taken = 0
        self._bytes: dict[int, int] = {}

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def send(self, call: Call) -> int:
        """Begin a call; return its stream."""
        stream = self._next
        self._next += 2
        self._bytes[stream] = 0
        self._socket.sendall(call.on(stream, stream // 2))
        return stream

    def read(self) -> None:
        """Take what has come.

        Raises:
            ConnectionError: the other side went away.

        """
        data = self._socket.recv(_READ)
        if not data:
            raise ConnectionError("the server closed the connection")
        for one in self._reader.frames(data):
            if one.kind == DATA:
                self._bytes[one.stream] += len(one.payload)
                self._taken += len(one.payload)
            elif one.kind == SETTINGS and not one.flags & ACK:
                self._socket.sendall(frame(SETTINGS, ACK, 0))
            elif one.kind == PING and not one.flags & ACK:
                self._socket.sendall(frame(PING, ACK, 0, one.payload))
            elif one.kind == GOAWAY:
                raise ConnectionError("the server says goodbye")
            if (one.kind in (DATA, HEADERS) and one.flags & END_STREAM) or one.kind == RST_STREAM:
                self._done(one.stream, self._bytes.pop(one.stream))
        if self._taken > _CREDIT_BYTES:
            self._socket.sendall(credit(self._taken))
            self._taken = 0

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def calls_of(target: str, path: str, messages: Sequence[str]) -> list[Call]:
    """Return the calls, ready to send, of messages as hexadecimal digits."""
    return [Call(path, bytes.fromhex(one), target) for one in messages]


def together(
    target: str, path: str, messages: Sequence[str], callers: int, seconds: float
) -> dict[str, Any]:
    """Keep so many calls open for some seconds; return calls a second, p50 and p99 in seconds, how
    many failed, and the client's share of a processor.
    """
    calls = calls_of(target, path, messages)
    began_at: dict[int, float] = {}
    took: list[float] = []
    failed = sent = 0
    end = 0.0

    def done(stream: int, size: int) -> None:
        nonlocal failed, sent
        now = time.perf_counter()
        if not size:
            failed += 1
        took.append(now - began_at.pop(stream))
        if now < end:
            began_at[connection.send(calls[sent % len(calls)])] = time.perf_counter()
            sent += 1

    connection = Connection(target, done)
    with contextlib.closing(connection):
        cpu, began = time.process_time(), time.perf_counter()
        end = began + seconds
        for _ in range(callers):
            began_at[connection.send(calls[sent % len(calls)])] = time.perf_counter()
            sent += 1
        while began_at:
            connection.read()
        lasted = time.perf_counter() - began
    return {**_figures(took), "failed": failed, "calls": len(took), "rate": len(took) / lasted,
            "client": (time.process_time() - cpu) / lasted}  # fmt: skip


def aio(
    target: str, path: str, messages: Sequence[str], callers: int, seconds: float
) -> dict[str, Any]:
    """Do as `together`, by grpc.aio: what a service in Python calls by, several times as dear."""
    return asyncio.run(
        _aio(target, path, [bytes.fromhex(one) for one in messages], callers, seconds)
    )


async def _aio(
    target: str, path: str, messages: Sequence[bytes], callers: int, seconds: float
) -> dict[str, Any]:
    took: list[float] = []
    failed = 0
    waiting = itertools.cycle(messages)
    async with grpc.aio.insecure_channel(target) as channel:
        call: Any = channel.unary_unary(path)
        # Connecting is no part of it.
        await channel.channel_ready()
        cpu, began = time.process_time(), time.perf_counter()

        async def caller() -> None:
            nonlocal failed
            while (now := time.perf_counter()) < began + seconds:
                try:
                    await call(next(waiting), timeout=_PATIENCE_SECONDS)
                except grpc.aio.AioRpcError:
                    failed += 1
                took.append(time.perf_counter() - now)

        await asyncio.gather(*(caller() for _ in range(callers)))
        lasted = time.perf_counter() - began
    return {**_figures(took), "failed": failed, "calls": len(took), "rate": len(took) / lasted,
            "client": (time.process_time() - cpu) / lasted}  # fmt: skip


def apart(
    target: str, path: str, messages: Sequence[str], count: int, pause: float
) -> dict[str, Any]:
    """Call one after the other, each some seconds after the answer before."""
    calls = calls_of(target, path, messages)
    ended: list[int] = []
    connection = Connection(target, lambda _stream, size: ended.append(size))
    took: list[float] = []
    with contextlib.closing(connection):
        cpu, began = time.process_time(), time.perf_counter()
        for number in range(count):
            time.sleep(pause)
            start = time.perf_counter()
            connection.send(calls[number % len(calls)])
            while len(ended) <= number:
                connection.read()
            took.append(time.perf_counter() - start)
        lasted = time.perf_counter() - began
    return {**_figures(took), "failed": sum(not size for size in ended),
            "client": (time.process_time() - cpu) / lasted}  # fmt: skip


def paced(
    target: str, path: str, messages: Sequence[str], rate: float, seconds: float
) -> dict[str, Any]:
    """Begin `rate` calls a second at fixed times; return when each was due, and its seconds since.

    Times are those of the monotonic clock, which all processes share.
    """
    calls = calls_of(target, path, messages)
    due_of: dict[int, float] = {}
    found: list[tuple[float, float]] = []
    failed = 0

    def done(stream: int, size: int) -> None:
        nonlocal failed
        failed += not size
        due = due_of.pop(stream)
        found.append((due, time.monotonic() - due))

    connection = Connection(target, done)
    with contextlib.closing(connection), selectors.DefaultSelector() as waiting:
        waiting.register(connection, selectors.EVENT_READ)
        begin = time.monotonic() + 0.01
        cpu, sent, count = time.process_time(), 0, int(rate * seconds)
        while sent < count or due_of:
            due = begin + sent / rate
            ahead = due - time.monotonic()
            if sent < count and ahead <= 0:
                due_of[connection.send(calls[sent % len(calls)])] = due
                sent += 1
            elif sent >= count or waiting.select(ahead):
                connection.read()
        lasted = time.monotonic() - begin
    return {**_figures([took for _, took in found]), "failed": failed, "each": found,
            "client": (time.process_time() - cpu) / lasted}  # fmt: skip


def _figures(took: Sequence[float]) -> dict[str, float]:
    ranked = sorted(took)
    return {f"p{percent}": ranked[max(0, -(-len(ranked) * percent // 100) - 1)]
            for percent in (50, 99)}  # fmt: skip


def main() -> None:
    """Do what is asked until nothing more is."""
    does: Mapping[str, Callable[..., Any]] = {
        "together": together,
        "aio": aio,
        "apart": apart,
        "paced": paced,
    }
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"done": does[asked.pop("do")](**asked)}
        except Exception as error:  # whoever asked has to know, whatever it is
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
