"""What the log in memory hands out at once."""

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry

from services.feedback.feed_server.log_hub import PAGE_ENTRIES, LogHub
from services.feedback.log.log_store import LogRow

ENTRIES = 2 * PAGE_ENTRIES + 7


async def _page_sizes(limit: int | None) -> list[int]:
    nothing: Any = None
    hub = LogHub(nothing, nothing, "", CollectorRegistry())
    hub.offer(0, 0, [LogRow(1 + at, "t", at, b"entry") for at in range(ENTRIES)])
    sizes, reached = [], 0
    while page := hub.after(reached) if limit is None else hub.after(reached, limit):
        assert page[0].sequence == reached + 1
        sizes.append(len(page))
        reached = page[-1].sequence
    return sizes


def test_step_of_learner_may_be_longer_than_page_of_subscriber() -> None:
    """Of less than a full step the learner thinks that it was all there is, and rests."""
    assert asyncio.run(_page_sizes(None)) == [PAGE_ENTRIES, PAGE_ENTRIES, 7]
    assert asyncio.run(_page_sizes(1500)) == [1500, ENTRIES - 1500]
    assert asyncio.run(_page_sizes(10_000)) == [ENTRIES]
