"""FeedService: the two lanes of the feed out."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import feed_service_pb2_grpc, frame_pb2
from services.common.request_limits import MAX_SECTIONS
from services.common.validation import Checks
from services.feedback.feed_server.entries_server import EntriesServer
from services.feedback.feed_server.feed_server import FeedServer
from services.feedback.feed_server.refusals import Refusals
from services.feedback.feed_server.sections import wanted_sections

_MAX_GATHER_MS = 1000


class FeedServicer(feed_service_pb2_grpc.FeedServiceServicer):
    """Streams the feed."""

    def __init__(
        self,
        entries: EntriesServer,
        feed: FeedServer,
        refusals: Refusals,
    ) -> None:
        self._entries = entries
        self._feed = feed
        self._refusals = refusals

    def FollowEntries(  # noqa: N802
        self, request: pb.FollowEntriesRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.FollowEntriesResponse]:
        """See feed_service.proto."""
        checks = Checks()
        checks.id("subscriber", request.subscriber)
        checks.shard("shard", request.shard)
        checks.number("gather_ms", request.gather_ms, 0, _MAX_GATHER_MS)
        checks.done()
        # As it is: a generator around it would cost each message a step more.
        return self._entries.stream(request)

    async def Subscribe(  # noqa: N802
        self,
        requests: AsyncIterator[pb.SubscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """See feed_service.proto."""
        first = await anext(aiter(requests), pb.SubscribeRequest())
        start = _checked(first)
        listening = asyncio.create_task(self._refusals.listen(start.subscriber, requests))
        try:
            async for response in self._feed.stream(start, wanted_sections(start.sections)):
                if listening.done():
                    listening.result()
                yield response
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def _checked(first: pb.SubscribeRequest) -> pb.SubscribeStart:
    checks = Checks()
    start = first.start
    if not first.HasField("start"):
        checks.fail("start", "must be the first message")
    else:
        checks.id("start.subscriber", start.subscriber)
        checks.shard("start.shard", start.shard)
        checks.number("start.gather_ms", start.gather_ms, 0, _MAX_GATHER_MS)
        if checks.size("start.sections", len(start.sections), 0, MAX_SECTIONS):
            for index, section in enumerate(start.sections):
                if section not in frame_pb2.Section.values() or not section:
                    checks.fail(f"start.sections[{index}]", f"{section} is not a section")
    checks.done()
    return start
