"""An own fold of the feed, with a digest at every version, which rankers are compared with live."""

import asyncio
import time

import grpc

from harken.internal.feed.v1 import feed_service_pb2
from tests.chaos.report import DIGESTS, ORDER, Report
from tests.end_to_end.clients import Caller, FoldOfFeed

_POLL_SECONDS = 0.3
_SILENCE_SECONDS = 10.0
_CATCH_UP_SECONDS = 5.0
_BROKEN = (grpc.aio.AioRpcError, TimeoutError, asyncio.InvalidStateError)


class FeedWatch:
    """Follows the feed beside the replicas, through the crashes of those who serve it."""

    def __init__(self, caller: Caller, rankers: int, report: Report) -> None:
        self._caller = caller
        self._rankers = rankers
        self._report = report
        self._digests: dict[int, bytes] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Fold and compare until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow_for_ever())
            for replica in range(self._rankers):
                tasks.create_task(self._compare(replica, stop))
            await stop.wait()
            # The comparisons under way may still need what comes.
            await asyncio.sleep(_POLL_SECONDS)
            following.cancel()

    async def _follow_for_ever(self) -> None:
        while True:
            try:
                await self._follow()
            except _BROKEN:
                await asyncio.sleep(_POLL_SECONDS)

    async def _follow(self) -> None:
        fold = FoldOfFeed()
        call = self._caller.subscribe()
        start = feed_service_pb2.SubscribeStart(
            subscriber="watch", snapshot=feed_service_pb2.FromSnapshot()
        )
        await call.write(feed_service_pb2.SubscribeRequest(start=start))
        version: int | None = None
        try:
            while True:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    message = await call.read()
                if message is grpc.aio.EOF:
                    return
                if message.HasField("snapshot_chunk"):
                    fold.take(message.snapshot_chunk.content)
                    if message.snapshot_chunk.last:
                        version = message.snapshot_chunk.content.version
                        self._know(version, fold)
                elif message.HasField("frame"):
                    frame = message.frame
                    if version is not None and frame.after_version != version:
                        self._report.complain(
                            ORDER, "own fold of the feed", f"{frame.after_version} after {version}"
                        )
                    fold.take(frame)
                    version = frame.version
                    self._know(frame.version, fold)
        finally:
            call.cancel()

    def _know(self, version: int, fold: FoldOfFeed) -> None:
        """Truth 4: however often a version is folded, it has one digest."""
        if fold.active not in fold.vectors:
            return
        digest = fold.digest()
        if self._digests.setdefault(version, digest) != digest:
            self._report.complain(DIGESTS, "own fold of the feed", f"version {version} changed")

    async def _compare(self, replica: int, stop: asyncio.Event) -> None:
        """Truth 6: what a replica says it serves at a version is what the feed says of it."""
        while not stop.is_set():
            await asyncio.sleep(_POLL_SECONDS)
            try:
                one = await self._caller.state(replica)
            except grpc.aio.AioRpcError:
                continue
            if not one.tenants or not one.tenants[0].generation_id:
                continue
            own = await self._digest_at(one.version)
            if own is None:
                continue
            self._report.digests_compared += 1
            if own != one.tenants[0].digest:
                self._report.complain(
                    DIGESTS, "own fold of the feed", f"ranker {replica + 1}, version {one.version}"
                )

    async def _digest_at(self, version: int) -> bytes | None:
        """Return the digest at a version; None when it is not folded in time."""
        until = time.monotonic() + _CATCH_UP_SECONDS
        while version not in self._digests and time.monotonic() < until:  # noqa: ASYNC110 - polled
            await asyncio.sleep(_POLL_SECONDS / 10)
        return self._digests.get(version)
