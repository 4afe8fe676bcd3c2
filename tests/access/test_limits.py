"""What one caller may take of a server: headers, streams, pings, calls (truth 13)."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from harken.feedback.v1 import feedback_service_pb2, feedback_service_pb2_grpc
from harken.internal.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.common.call_limits import CallLimits
from services.common.channel_identity import ChannelIdentity
from services.common.reloadable import Reloadable
from services.common.server import MAX_CONNECTION_STREAMS, MAX_METADATA_BYTES, Server
from tests.access.served import Served, serving
from tests.faults import fault_of, reason_of

# RFC 9113.
SETTINGS, PING, GOAWAY = 4, 6, 7
MOST_STREAMS, MOST_HEADERS = 3, 6
ENHANCE_YOUR_CALM = 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + bytes(4) + payload


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readexactly(9)
            length = int.from_bytes(head[:3], "big")
            yield head[3], await reader.readexactly(length)


@contextlib.asynccontextmanager
async def plain_server(folder: Path) -> AsyncIterator[str]:
    limits = Reloadable(CallLimits(10, 60.0))
    server = Server(CollectorRegistry(), [], limits, 60.0)
    file = folder / "addresses.json"
    async with server.listening("127.0.0.1:0", "127.0.0.1:0", file) as address:
        yield address


async def test_a_connection_is_told_how_many_streams_and_headers_it_may_have(
    tmp_path: Path,
) -> None:
    async with plain_server(tmp_path) as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE + frame(SETTINGS))
        kind, payload = await anext(frames(reader))
        writer.close()
    assert kind == SETTINGS
    told = dict(struct.unpack_from(">HI", payload, at) for at in range(0, len(payload), 6))
    assert told[MOST_STREAMS] == MAX_CONNECTION_STREAMS
    assert told[MOST_HEADERS] == MAX_METADATA_BYTES


async def test_who_pings_all_the_time_is_hung_up_on(tmp_path: Path) -> None:
    async with plain_server(tmp_path) as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE + frame(SETTINGS))
        goodbye: list[bytes] = []
        coming = frames(reader)
        async with asyncio.timeout(10):
            # One after the other: what is sent to a connection that was closed resets it, and the
            # goodbye is lost.
            for number in range(20):
                writer.write(frame(PING, number.to_bytes(8, "big")))
                kind, payload = await anext(one async for one in coming if one[0] in (PING, GOAWAY))
                if kind == GOAWAY:
                    goodbye.append(payload)
                    break
        writer.close()
    assert int.from_bytes(goodbye[0][4:8], "big") == ENHANCE_YOUR_CALM


@pytest.mark.parametrize(("size", "code"), [(12_000, "OK"), (20_000, "RESOURCE_EXHAUSTED")])
async def test_headers_beyond_a_size_are_refused(tmp_path: Path, size: int, code: str) -> None:
    async with serving(tmp_path) as served, by(served, "backend/default") as channel:
        stub: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)
        call = stub.SimilarItems(
            ranker_service_pb2.SimilarItemsRequest(), metadata=(("x-more", "x" * size),)
        )
        with contextlib.suppress(grpc.aio.AioRpcError):
            await call
        assert (await call.code()).name == code


@contextlib.asynccontextmanager
async def by(served: Served, uri: str) -> AsyncIterator[Any]:
    identity = served.authority.identity(f"spiffe://harken/{uri}")
    options = (("grpc.use_local_subchannel_pool", 1),)
    target, credentials = served.certificates, identity.credentials()
    async with grpc.aio.secure_channel(target, credentials, options=options) as made:
        yield made


async def test_one_caller_has_so_many_streams_and_others_have_theirs(tmp_path: Path) -> None:
    """Of one address, as those behind an edge are."""
    limits = CallLimits(1000, 60.0, caller_streams=3)
    async with (
        serving(tmp_path, limits) as served,
        by(served, "backend/a") as first,
        by(served, "backend/b") as second,
        by(served, "service/ranker") as ranker,
    ):

        async def opened(channel: Any, tenant: str) -> Any:
            stub: Any = feedback_service_pb2_grpc.FeedbackServiceStub(channel)
            call = stub.ImportEvents(timeout=20)
            await call.write(feedback_service_pb2.ImportEventsRequest(tenant=tenant))
            return call

        async def ends(call: Any) -> None:
            await call.done_writing()
            await call.read()
            assert await call.read() is grpc.aio.EOF

        # Of one connection they come in order.
        held = [await opened(first, "a") for _ in range(3)]
        error = await fault_of((await opened(first, "a")).read())
        assert (error.code().name, reason_of(error)) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        await ends(await opened(second, "b"))
        # Our own services may have as many replicas as they like.
        feed: Any = feed_service_pb2_grpc.FeedServiceStub(ranker)
        request = feed_service_pb2.FollowEntriesRequest(subscriber="ranker")
        for _ in range(5):
            await feed.FollowEntries(request).read()
        # What ended is not counted any more.
        for one in held:
            await ends(one)
        await ends(await opened(first, "a"))


async def test_end_users_have_a_rate_of_their_own(tmp_path: Path) -> None:
    async with serving(tmp_path, user_calls_per_second=5.0) as served:
        statuses: dict[str, list[str]] = {}
        for who, token in (
            ("ann", served.issuer.token()), ("bob", served.issuer.token(sub="bob")),
            ("shop", served.issuer.token(harken_kind="backend")),
        ):  # fmt: skip
            identity = ChannelIdentity(served.authority.identity("spiffe://x/").pem, token)
            credentials = identity.credentials()
            async with grpc.aio.secure_channel(served.tokens, credentials) as channel:
                stub: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)
                request = ranker_service_pb2.SimilarItemsRequest(tenant="a")
                calls = [stub.SimilarItems(request) for _ in range(30 if who != "bob" else 3)]
                await asyncio.gather(*calls, return_exceptions=True)
                statuses[who] = [(await one.code()).name for one in calls]
        assert 5 <= statuses["ann"].count("RESOURCE_EXHAUSTED") <= 25
        assert set(statuses["bob"]) == {"OK"}, "one user does not slow the others"
        assert set(statuses["shop"]) == {"OK"}
