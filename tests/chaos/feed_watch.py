"""Compares what comes by the parameters lane, here and in rankers, with frames as committed."""

import asyncio
import random

import grpc

from harken.internal.feed.v1 import feed_service_pb2, frame_pb2
from tests.chaos.frames_table import FramesTable
from tests.chaos.report import DIGESTS, ORDER, Report
from tests.end_to_end.clients import Caller, FoldOfFeed

_POLL_SECONDS = 0.3
_SILENCE_SECONDS = 10.0
_MOST_FRAMES = 5
_MOST_AWAY_SECONDS = 1.5
_ORACLE = "own fold of the feed"
_BROKEN = (grpc.aio.AioRpcError, TimeoutError, asyncio.InvalidStateError)


class FeedWatch:
    """Follows the feed in strides, so that it often lacks several frames, which come as one."""

    def __init__(
        self, caller: Caller, rankers: int, table: FramesTable, seed: int, report: Report
    ) -> None:
        self._caller = caller
        self._rankers = rankers
        self._table = table
        self._report = report
        self._chance = random.Random(f"feed-{seed}")
        self._fold = FoldOfFeed()
        self._at: feed_service_pb2.ResumePoint | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Fold and compare until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            following = [
                tasks.create_task(self._table.run()), tasks.create_task(self._follow_for_ever())
            ]  # fmt: skip
            for replica in range(self._rankers):
                tasks.create_task(self._compare(replica, stop))
            await stop.wait()
            # The comparisons under way may still need what comes.
            await asyncio.sleep(_POLL_SECONDS)
            for task in following:
                task.cancel()

    async def _follow_for_ever(self) -> None:
        while True:
            try:
                await self._follow(self._chance.randint(1, _MOST_FRAMES))
            except grpc.aio.AioRpcError as error:
                self._note_break(error)
            except _BROKEN:
                pass
            await asyncio.sleep(self._chance.random() * _MOST_AWAY_SECONDS)

    def _note_break(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            # Truth 5: nothing is restored here.
            self._report.complain(ORDER, _ORACLE, f"{error.details()}")
        if error.code() in (
            grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.FAILED_PRECONDITION
        ):  # fmt: skip
            self._at = None

    async def _follow(self, frames: int) -> None:
        """Fold so many messages, after a snapshot if there is nothing yet."""
        start = feed_service_pb2.SubscribeStart(subscriber="watch")
        if self._at is None:
            start.snapshot.SetInParent()
            self._fold = FoldOfFeed()
        else:
            start.resume.CopyFrom(self._at)
        call = self._caller.subscribe()
        await call.write(feed_service_pb2.SubscribeRequest(start=start))
        try:
            while frames:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    message = await call.read()
                if message is grpc.aio.EOF:
                    return
                if message.HasField("snapshot_chunk"):
                    chunk = message.snapshot_chunk
                    self._fold.take(chunk.content)
                    if not chunk.last:
                        continue
                    await self._reached(chunk.content)
                elif message.HasField("frame"):
                    await self._take(message.frame)
                else:
                    continue
                frames -= 1
        finally:
            call.cancel()

    async def _take(self, frame: frame_pb2.Frame) -> None:
        if self._at is not None and frame.after_version != self._at.version:
            self._report.complain(ORDER, _ORACLE, f"{frame.after_version} after {self._at.version}")
        self._report.frames_merged += frame.version - frame.after_version > 1
        self._fold.take(frame)
        await self._reached(frame)

    async def _reached(self, frame: frame_pb2.Frame) -> None:
        """Truth 4: however frames came, merged or not, they lead to what single ones lead to."""
        self._at = feed_service_pb2.ResumePoint(epoch=frame.epoch, version=frame.version)
        if self._fold.active in self._fold.vectors:
            await self._judge(frame.version, self._fold.digest(), "what came")

    async def _compare(self, replica: int, stop: asyncio.Event) -> None:
        """Truth 6: what a replica says it serves at a version is what frames say of it."""
        while not stop.is_set():
            await asyncio.sleep(_POLL_SECONDS)
            try:
                one = await self._caller.state(replica)
            except grpc.aio.AioRpcError:
                continue
            if one.tenants and one.tenants[0].generation_id:
                await self._judge(one.version, one.tenants[0].digest, f"ranker {replica + 1}")

    async def _judge(self, version: int, digest: bytes, whose: str) -> None:
        own = await self._table.digest_at(version)
        if own is None:
            return
        self._report.digests_compared += 1
        if own != digest:
            self._report.complain(DIGESTS, _ORACLE, f"{whose}, version {version}")
