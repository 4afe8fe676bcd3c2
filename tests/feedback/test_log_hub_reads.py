"""When the log in memory asks the table: for somebody, and never for what was read already."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.feedback.feed_server.log_hub import LogHub
from services.feedback.log.log_reader import LogHead
from services.feedback.log.log_store import LogRow


def rows(after: int, through: int) -> list[LogRow]:
    return [LogRow(sequence, "t", sequence, b"entry") for sequence in range(after + 1, through + 1)]


class Table:
    """A log in a table; `asked`: after which sequences it was read."""

    def __init__(self) -> None:
        self.through = 3
        self.asked: list[int] = []

    async def head(self) -> LogHead:
        return LogHead(1, self.through, {})

    async def after(self, sequence: int, limit: int) -> list[LogRow]:
        self.asked.append(sequence)
        await asyncio.sleep(0)
        return rows(sequence, self.through)


class Followed:
    """A hub that follows what a table announces."""

    def __init__(self) -> None:
        nothing: Any = None
        self.table = Table()
        reader: Any = self.table
        self.registry = CollectorRegistry()
        self.hub = LogHub(nothing, reader, "", self.registry)

    def append(self, through: int) -> None:
        self.table.through = through
        self.hub._on_notify(None, 0, "", str(through))


@pytest.fixture
async def followed() -> AsyncIterator[Followed]:
    """Yield a hub that has loaded the head, 3."""
    found = Followed()
    await found.hub.load()
    following = asyncio.create_task(found.hub._follow_notifications())
    yield found
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_what_nobody_waits_for_is_read_when_somebody_does(followed: Followed) -> None:
    hub, table = followed.hub, followed.table
    for through in range(4, 30):
        followed.append(through)
    await asyncio.sleep(0.005)
    assert (table.asked, hub.head.sequence, hub.newest) == ([], 3, 29)
    assert followed.registry.get_sample_value("harken_log_head_sequence") == 29
    assert await hub.wait(3, 60.0)
    assert (table.asked, hub.head.sequence) == ([3], 29)
    assert hub.after(3) == rows(3, 29)


async def test_who_waits_is_woken_by_what_is_announced(followed: Followed) -> None:
    waiting = asyncio.create_task(followed.hub.wait(3, 60.0))
    await asyncio.sleep(0)
    followed.append(5)
    assert await waiting
    assert followed.hub.after(3) == rows(3, 5)


async def test_what_the_learner_read_is_not_read_again(followed: Followed) -> None:
    """Truth 5: nothing is skipped, and nothing comes twice."""
    hub = followed.hub
    followed.append(9)
    hub.found(1, 2, rows(2, 7))
    assert hub.after(3) == rows(3, 7)
    # A hole, another epoch, and what is known: none of it is taken.
    hub.found(1, 8, rows(8, 9))
    hub.found(2, 7, rows(7, 9))
    hub.found(1, 2, rows(2, 7))
    hub.offer(1, 5, rows(5, 7))
    assert (hub.head.sequence, hub.newest) == (7, 9)
    assert await hub.wait(7, 60.0)
    assert followed.table.asked == [7]
    assert hub.after(3) == rows(3, 9)


async def test_nothing_is_known_of_a_log_that_was_restored(followed: Followed) -> None:
    followed.append(9)
    followed.table.through = 2
    await followed.hub._check_head()
    assert (followed.hub.head.sequence, followed.hub.newest) == (2, 2)
