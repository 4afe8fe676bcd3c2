"""Certificates, authorities and keys are replaced while calls go on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from harken.internal.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.common.access.api_keys import revoked, write_keys
from services.common.access.certificates import Pem, read_pem
from services.common.access.watched_files import WatchedFiles
from services.common.channel_identity import ChannelIdentity
from services.common.channels import open_channel
from services.common.reloadable import Reloadable
from tests.access.authority import Authority
from tests.access.matrix import all_keys_known
from tests.access.served import Served
from tests.waiting import until

_CALLERS = 4


@dataclass
class Outcome:
    """Calls that ended well, and how the others ended."""

    ok: int = 0
    failed: list[str] = field(default_factory=list)


async def _calling(stub: Any, outcome: Outcome) -> None:
    request = ranker_service_pb2.SimilarItemsRequest(tenant="a")
    while True:
        try:
            await stub.SimilarItems(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            outcome.failed.append(f"{error.code().name}: {error.details()}")
        else:
            outcome.ok += 1


@contextlib.asynccontextmanager
async def load(channel: grpc.aio.Channel) -> AsyncIterator[Outcome]:
    """Call without a pause, some callers at once, until the block ends."""
    outcome = Outcome()
    stub = ranker_service_pb2_grpc.RankerServiceStub(channel)
    tasks = [asyncio.create_task(_calling(stub, outcome)) for _ in range(_CALLERS)]
    try:
        yield outcome
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def more(outcome: Outcome, calls: int = 50) -> None:
    """Wait until so many more calls have ended."""
    wanted = outcome.ok + len(outcome.failed) + calls
    await until(lambda: outcome.ok + len(outcome.failed) >= wanted, "further calls")


async def rotate_certificates(served: Served, folder: Path, rounds: int) -> Outcome:
    """Replace both ends' certificates, and the authority that signs them, under calls.

    As it must be done: both trust the new authority first, then the certificates are replaced, then
    the old authority goes.
    """
    own, now = served.authority, served.folder
    own.leaf("spiffe://harken/backend/a").write(folder)
    (folder / "ca.crt").write_bytes(own.pem)
    files = [folder / name for name in ("ca.crt", "tls.crt", "tls.key")]
    watched = WatchedFiles(files, read_pem)
    following = asyncio.create_task(watched.run())
    identity = ChannelIdentity(watched.live)
    try:
        async with (
            open_channel(served.certificates, identity=identity) as channel,
            load(channel) as outcome,
        ):
            for number in range(rounds):
                newer = Authority(f"authority {number}")
                _trust((now, folder), own.pem + newer.pem)
                await _both_know(served, watched, folder)
                await more(outcome)
                newer.leaf(serves=True).write(now)
                newer.leaf("spiffe://harken/backend/a").write(folder)
                await _both_know(served, watched, folder)
                await more(outcome)
                _trust((now, folder), newer.pem)
                await _both_know(served, watched, folder)
                await more(outcome)
                own = newer
        served.authority = own
        return outcome
    finally:
        following.cancel()


def _trust(folders: Sequence[Path], authorities: bytes) -> None:
    for folder in folders:
        partial = folder / "ca.partial"
        partial.write_bytes(authorities)
        partial.replace(folder / "ca.crt")


async def _both_know(served: Served, watched: WatchedFiles[Pem], folder: Path) -> None:
    """Wait until both ends have read their files."""
    names = ("ca.crt", "tls.crt", "tls.key")
    server = read_pem([(served.folder / name).read_bytes() for name in names])
    client = read_pem([(folder / name).read_bytes() for name in names])
    await until(lambda: served.access.pem.value == server, "the server")
    await until(lambda: watched.live.value == client, "the client")


async def rotate_keys(served: Served, rounds: int) -> Outcome:
    """Replace an API key again and again: a new one, then callers use it, then the old one goes."""
    total = Outcome()
    key = served.key("backend/a")
    await all_keys_known(served)
    pem = Reloadable(Pem(served.authority.pem))
    for _ in range(rounds):
        newer = served.key("backend/a")
        await all_keys_known(served)
        for shown in (key, newer):
            identity = ChannelIdentity(pem, shown)
            async with (
                open_channel(served.tokens, identity=identity) as channel,
                load(channel) as outcome,
            ):
                await more(outcome)
                if shown == newer:
                    served.keys[:] = revoked(served.keys, key.split("_")[1], 1.0)
                    write_keys(served.folder / "keys.json", served.keys)
                    await all_keys_known(served)
                    await more(outcome)
            total.ok += outcome.ok
            total.failed += outcome.failed
        key = newer
    return total


@contextlib.asynccontextmanager
async def following(channel: grpc.aio.Channel) -> AsyncIterator[Any]:
    """Lend a stream that stays open."""
    stub: Any = feed_service_pb2_grpc.FeedServiceStub(channel)
    call = stub.Subscribe()
    start = feed_service_pb2.SubscribeStart(subscriber="ranker-1")
    await call.write(feed_service_pb2.SubscribeRequest(start=start))
    yield call
    call.cancel()
