"""Metrics are served whoever else is connected, without a thread for each (truth 13)."""

import asyncio
import threading

from prometheus_client import CollectorRegistry, Counter, Metric

from services.common.metrics_endpoint import serve_metrics


async def _get(port: int, request: bytes = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_idle_connections_take_no_threads_and_are_bounded() -> None:
    registry = CollectorRegistry()
    Counter("seen", "Seen.", registry=registry).inc()
    async with serve_metrics("127.0.0.1:0", registry) as address:
        port = int(address.rpartition(":")[2])
        first = await _get(port)
        threads = threading.active_count()
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        second = await _get(port)
        assert threading.active_count() == threads
        idle += [await asyncio.open_connection("127.0.0.1", port) for _ in range(80)]
        # Of these the server keeps the newest, as many as it may; the others it closes at once.
        ended = await asyncio.gather(*(_ended(reader) for reader, _ in idle[:60]))
        assert all(ended)
        third = await _get(port)
        for _, writer in idle:
            writer.close()
    for answer in (first, second, third):
        head, _, content = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert f"Content-Length: {len(content)}".encode() in head
        assert b"seen_total 1.0" in content


async def test_what_is_no_request_for_metrics_gets_none() -> None:
    async with serve_metrics("127.0.0.1:0", CollectorRegistry()) as address:
        port = int(address.rpartition(":")[2])
        assert (await _get(port, b"POST / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
        assert await _get(port, b"x" * 20_000) == b""


async def test_odd_wishes_are_answered_and_none_stays() -> None:
    """More of them than connections at once: one that was left behind would take a place."""
    async with serve_metrics("127.0.0.1:0", CollectorRegistry()) as address:
        port = int(address.rpartition(":")[2])
        for wish in (b"application/openmetrics-text;version=abc", b";q=;=", b"\xff\0"):
            for _ in range(40):
                answer = await _get(port, b"GET / HTTP/1.1\r\nAccept: " + wish + b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_who_takes_no_answer_keeps_nobody_from_one() -> None:
    registry = CollectorRegistry()
    counter = Counter("seen", "Seen.", ["by"], registry=registry)
    for number in range(10_000):
        counter.labels("x" * 100 + str(number)).inc()
    async with serve_metrics("127.0.0.1:0", registry) as address:
        port = int(address.rpartition(":")[2])
        asked = []
        for _ in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            asked.append(writer)
        assert (await _get(port)).startswith(b"HTTP/1.1 200 OK")
        for writer in asked:
            writer.close()


async def test_whatever_a_caller_accepts_it_gets_metrics() -> None:
    """As often as it asks: a connection that ended takes no place, however it ended."""
    async with serve_metrics("127.0.0.1:0", CollectorRegistry()) as address:
        port = int(address.rpartition(":")[2])
        odd = b"GET / HTTP/1.1\r\nAccept: text/plain; version=x\r\n\r\n"
        answers = [await _get(port, odd) for _ in range(40)]
        assert all(answer.startswith(b"HTTP/1.1 200 OK") for answer in answers)


class _Broken:
    def collect(self) -> list[Metric]:
        raise RuntimeError("as the test says")


async def test_metrics_that_cannot_be_made_take_no_place() -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(context.get("exception"))
    )
    registry = CollectorRegistry(auto_describe=False)
    async with serve_metrics("127.0.0.1:0", registry) as address:
        port = int(address.rpartition(":")[2])
        broken = _Broken()
        registry.register(broken)
        assert [await _get(port) for _ in range(40)] == [b""] * 40
        registry.unregister(broken)
        assert (await _get(port)).startswith(b"HTTP/1.1 200 OK")
    assert len(failures) == 40
    assert all(isinstance(one, RuntimeError) for one in failures)


async def _ended(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(4):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True
