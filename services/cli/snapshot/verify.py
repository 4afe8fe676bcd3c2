"""Reads the newest snapshot and the frames after it, and compares them with what rankers serve."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from harken.internal.feed.v1 import feed_service_pb2, feed_service_pb2_grpc, frame_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import CALL_SECONDS
from services.cli.snapshot.feed_fold import FeedFaultError, FeedFold
from services.common.channel_identity import ChannelIdentity
from services.common.channels import open_channel

_SILENCE_SECONDS = 10.0
_TRIES = 20
_POLL_SECONDS = 0.1

State = ranker_service_pb2.GetServingStateResponse


@dataclass(slots=True)
class Report:
    """What was found. Empty `faults`: all is well."""

    epoch: int = 0
    snapshot_version: int = 0
    snapshot_sequence: int = 0
    chunks: int = 0
    snapshot_bytes: int = 0
    frames: int = 0
    frame_bytes: int = 0
    version: int = 0
    seconds: float = 0.0
    tenants: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """Generation, items with a vector, digest in hexadecimal, at the version last compared."""
    compared: int = 0
    faults: list[str] = field(default_factory=list)


async def verify(
    feedback: str,
    rankers: Sequence[tuple[str, Any]],
    identity: ChannelIdentity | None = None,
) -> Report:
    """Check the newest snapshot; `rankers` are targets and stubs, which are compared with.

    Never raises for what it finds: that is in the report.
    """
    report = Report()
    fold = FeedFold()
    began = time.monotonic()
    try:
        async with _stream(feedback, identity) as messages:
            await _read_snapshot(messages, fold, report)
            for target, stub in rankers:
                await _compare(messages, fold, report, target, stub)
    except FeedFaultError as fault:
        report.faults.append(str(fault))
    except (DecodeError, UnicodeDecodeError) as error:
        report.faults.append(f"a message of the feed cannot be read: {error}")
    except TimeoutError:
        report.faults.append(f"the feed was silent for {_SILENCE_SECONDS:.0f} s")
    except grpc.aio.AioRpcError as error:
        report.faults.append(f"the feed broke: {error.code().name}: {error.details()}")
    report.version = fold.version
    report.seconds = time.monotonic() - began
    return report


@contextlib.asynccontextmanager
async def _stream(
    target: str, identity: ChannelIdentity | None
) -> AsyncIterator[AsyncIterator[Any]]:
    async with open_channel(target, identity=identity) as channel:
        stub: Any = feed_service_pb2_grpc.FeedServiceStub(channel)
        call = stub.Subscribe()
        start = feed_service_pb2.SubscribeStart(
            subscriber="snapshot-verify", snapshot=feed_service_pb2.FromSnapshot()
        )
        await call.write(feed_service_pb2.SubscribeRequest(start=start))
        try:
            yield _messages(call)
        finally:
            call.cancel()


async def _messages(call: Any) -> AsyncIterator[Any]:
    while True:
        async with asyncio.timeout(_SILENCE_SECONDS):
            message = await call.read()
        if message is grpc.aio.EOF:
            raise FeedFaultError("the stream ended")
        yield message


async def _read_snapshot(messages: AsyncIterator[Any], fold: FeedFold, report: Report) -> None:
    point: tuple[int, int, int] | None = None
    async for message in messages:
        if not message.HasField("snapshot_chunk"):
            continue
        chunk = message.snapshot_chunk
        content: frame_pb2.Frame = chunk.content
        if chunk.index != report.chunks:
            raise FeedFaultError(f"chunk {chunk.index} comes as number {report.chunks}")
        own = (content.epoch, content.version, content.through_sequence)
        if point is not None and own != point:
            raise FeedFaultError(f"chunk {chunk.index} is of version {own[1]}, not {point[1]}")
        point = own
        fold.take(content, follows=False)
        report.chunks += 1
        report.snapshot_bytes += content.ByteSize()
        if chunk.last:
            break
    report.epoch, report.snapshot_version = fold.epoch, fold.version
    report.snapshot_sequence = fold.sequence


async def _compare(
    messages: AsyncIterator[Any], fold: FeedFold, report: Report, target: str, stub: Any
) -> None:
    """Fold up to a version that a ranker serves, and compare.

    It may be ahead of us, or behind; and where frames are merged one of us may pass the other by.
    """
    for _ in range(_TRIES):
        try:
            state: State = await stub.GetServingState(
                ranker_service_pb2.GetServingStateRequest(), timeout=CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            report.faults.append(f"ranker {target} does not answer: {error.code().name}")
            return
        if fold.version < state.version:
            await _fold_to(messages, fold, report, state.version)
        if fold.version == state.version:
            break
        await asyncio.sleep(_POLL_SECONDS)
    else:
        report.faults.append(
            f"ranker {target} stays at version {state.version}, the feed is at {fold.version}"
        )
        return
    if fold.epoch > state.epoch:
        report.faults.append(f"ranker {target} is in epoch {state.epoch}, not in {fold.epoch}")
    _compare_tenants(state, fold, report, target)
    report.compared += 1


async def _fold_to(
    messages: AsyncIterator[Any], fold: FeedFold, report: Report, version: int
) -> None:
    """Fold frames until they are at a version or beyond it."""
    async for message in messages:
        if message.HasField("frame"):
            fold.take(message.frame, follows=True)
            report.frames += 1
            report.frame_bytes += message.frame.ByteSize()
            if fold.version >= version:
                return
        elif message.HasField("heartbeat") and message.heartbeat.head_version < version:
            raise FeedFaultError(
                f"a ranker serves version {version}, beyond the feed's "
                f"{message.heartbeat.head_version}"
            )


def _compare_tenants(state: State, fold: FeedFold, report: Report, target: str) -> None:
    served = {one.tenant: one for one in state.tenants}
    for tenant in sorted(served.keys() | fold.tenants.keys()):
        if tenant not in served or tenant not in fold.tenants:
            where = "the feed" if tenant in fold.tenants else f"ranker {target}"
            report.faults.append(f"tenant {tenant} is only in {where}")
            continue
        own, live = fold.tenants[tenant], served[tenant]
        digest = own.digest()
        report.tenants[tenant] = (own.active, live.vectors, digest.hex())
        if own.active != live.generation_id:
            report.faults.append(
                f"tenant {tenant}: ranker {target} serves generation {live.generation_id}, the "
                f"snapshot leads to {own.active}"
            )
        elif digest != live.digest:
            report.faults.append(
                f"tenant {tenant}, version {state.version}: ranker {target} has digest "
                f"{live.digest.hex()[:12]}, the snapshot leads to {digest.hex()[:12]}"
            )
