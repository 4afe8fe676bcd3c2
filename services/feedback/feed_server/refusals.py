"""What subscribers say of frames that they refuse."""

import asyncio
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry, Counter

from harken.internal.feed.v1 import feed_service_pb2 as pb
from services.common.logs import logger
from services.common.seldom import Seldom

_PAUSE_SECONDS = 0.005
"""Between two messages of one subscriber: 200 a second at most."""
_log = logger("refusals")


class Refusals:
    """Counts and logs what subscribers refuse, of all of them together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._nacks = Counter(
            "harken_feed_nacks", "Frames that subscribers refused.", registry=registry
        )
        self._seldom = Seldom()

    async def listen(self, subscriber: str, requests: AsyncIterator[pb.SubscribeRequest]) -> None:
        """Read what a subscriber says, until it says no more."""
        async for request in requests:
            if request.HasField("nack"):
                self._nacks.inc()
                left_out = self._seldom.due()
                if left_out is not None:
                    _log.error(
                        "frame refused",
                        subscriber=subscriber,
                        version=request.nack.version,
                        reason=request.nack.reason[:1024],
                        left_out=left_out,
                    )
            # gRPC holds back a sender whose messages are not read.
            await asyncio.sleep(_PAUSE_SECONDS)
