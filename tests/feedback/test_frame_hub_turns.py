"""Many subscribers go on one after the other: a frame for all is no standstill (truth 13)."""

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry

from services.feedback.feed_server.frame_hub import FrameHub
from services.feedback.feed_server.frame_store import CommittedFrame

SUBSCRIBERS = 60
MOST_AT_ONCE = 2


def new_hub() -> FrameHub:
    """Return a hub that is handed its frames and reads nothing."""
    nothing: Any = None
    return FrameHub(nothing, nothing, "", CollectorRegistry())


def frame(version: int) -> CommittedFrame:
    return CommittedFrame(1, version, version, b"")


async def test_no_round_of_the_loop_wakes_many() -> None:
    hub = new_hub()
    woken: list[int] = []
    rounds = 0

    async def follow() -> None:
        assert await hub.news.wait(0, 60.0)
        woken.append(rounds)

    following = [asyncio.create_task(follow()) for _ in range(SUBSCRIBERS)]
    await asyncio.sleep(0)
    hub.offer(frame(1))
    # A frame that comes meanwhile takes nobody's turn.
    hub.offer(frame(2))
    while len(woken) < SUBSCRIBERS:
        rounds += 1
        await asyncio.sleep(0)
    await asyncio.gather(*following)
    assert max(woken.count(one) for one in woken) <= MOST_AT_ONCE


async def test_who_comes_back_meanwhile_is_not_woken_for_nothing() -> None:
    hub = new_hub()
    found: list[bool] = []

    async def follow() -> None:
        assert await hub.news.wait(0, 60.0)
        found.append(await hub.news.wait(hub.head.version, 60.0))

    following = [asyncio.create_task(follow()) for _ in range(SUBSCRIBERS)]
    await asyncio.sleep(0)
    hub.offer(frame(1))
    for _ in range(2 * SUBSCRIBERS):
        await asyncio.sleep(0)
    assert not found
    hub.offer(frame(2))
    await asyncio.gather(*following)
    assert found == [True] * SUBSCRIBERS


async def test_who_gets_nothing_is_told_after_a_while() -> None:
    hub = new_hub()
    assert not await hub.news.wait(0, 0.001)
    hub.offer(frame(1))
    assert await hub.news.wait(0, 60.0)
