"""FeedService: the two lanes of the feed out."""

from collections.abc import AsyncIterator, Collection

import grpc

from harken.internal.feed.v1 import feed_service_pb2 as pb
from harken.internal.feed.v1 import feed_service_pb2_grpc, frame_pb2
from services.common.request_limits import MAX_SECTIONS
from services.common.validation import Checks
from services.feedback.feed.ack_book import AckBook
from services.feedback.feed.entries_server import EntriesServer
from services.feedback.feed.feed_server import FeedServer
from services.feedback.feed.sections import wanted_sections
from services.feedback.feed.subscriber import Subscriber


class FeedServicer(feed_service_pb2_grpc.FeedServiceServicer):
    """Streams the feed."""

    def __init__(
        self,
        entries: EntriesServer,
        feed: FeedServer,
        acks: AckBook,
        durable_subscribers: Collection[str],
    ) -> None:
        """Keep frames only for the named durable subscribers."""
        self._entries = entries
        self._feed = feed
        self._acks = acks
        self._durable_subscribers = durable_subscribers

    async def FollowEntries(  # noqa: N802
        self, request: pb.FollowEntriesRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.FollowEntriesResponse]:
        """See feed_service.proto."""
        checks = Checks()
        checks.id("subscriber", request.subscriber)
        if request.shard != 0:
            checks.fail("shard", "there is only shard 0")
        checks.done()
        async for response in self._entries.stream(request):
            yield response

    async def Subscribe(  # noqa: N802
        self,
        requests: AsyncIterator[pb.SubscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """See feed_service.proto."""
        first = await anext(aiter(requests), pb.SubscribeRequest())
        subscriber = self._check_start(first)
        acks = self._acks.track(subscriber, requests)
        try:
            async for response in self._feed.stream(subscriber, first.start, acks):
                yield response
        finally:
            await acks.close()

    def _check_start(self, first: pb.SubscribeRequest) -> Subscriber:
        checks = Checks()
        start = first.start
        if not first.HasField("start"):
            checks.fail("start", "must be the first message")
        else:
            checks.id("start.subscriber", start.subscriber)
            if start.shard != 0:
                checks.fail("start.shard", "there is only shard 0")
            if checks.size("start.sections", len(start.sections), 0, MAX_SECTIONS):
                for index, section in enumerate(start.sections):
                    if section not in frame_pb2.Section.values() or not section:
                        checks.fail(f"start.sections[{index}]", f"{section} is not a section")
            if start.durable and start.subscriber not in self._durable_subscribers:
                checks.fail("start.durable", f"{start.subscriber!r} is not a durable subscriber")
            if start.history and not (start.durable and start.HasField("resume")):
                checks.fail("start.history", "goes with durable and resume only")
        checks.done()
        return Subscriber(start.subscriber, wanted_sections(start.sections), start.durable)
