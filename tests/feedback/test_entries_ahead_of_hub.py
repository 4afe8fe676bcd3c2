"""Who read further in the table than the hub has come waits for it; nobody else is held up."""

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry

from harken.internal.feed.v1 import feed_service_pb2 as pb
from services.common.vault.vault import NoVault
from services.feedback.feed_server.entries_server import EntriesServer, EntriesStreamMetrics
from services.feedback.feed_server.log_hub import PAGE_ENTRIES, LogHub
from services.feedback.log.log_reader import LogHead
from services.feedback.log.log_store import LogRow

FEW_LOOKS = 5


class Table:
    """A log that has come to some sequence; reading it takes a round of the loop."""

    def __init__(self) -> None:
        self.sequence = 3
        self.meanwhile: Any = None

    async def head(self) -> LogHead:
        found = LogHead(1, self.sequence, {})
        await asyncio.sleep(0)
        if self.meanwhile is not None:
            self.meanwhile()
        return found


async def loaded() -> tuple[Table, LogHub]:
    table: Any = Table()
    nothing: Any = None
    hub = LogHub(nothing, table, "", CollectorRegistry())
    await hub.load()
    return table, hub


async def test_a_subscriber_ahead_of_the_hub_waits_until_it_moves() -> None:
    table, hub = await loaded()
    reader: Any = table
    table.sequence = 5
    looks = 0
    look = hub.after

    def after(sequence: int, limit: int = PAGE_ENTRIES) -> Any:
        nonlocal looks
        looks += 1
        # Without a pause between two looks no timeout would ever end this.
        assert looks < FEW_LOOKS, "looks again and again"
        return look(sequence, limit)

    hub.after = after  # type: ignore[method-assign]
    metrics: Any = EntriesStreamMetrics(CollectorRegistry(), Any)  # type: ignore[arg-type]
    request = pb.FollowEntriesRequest()
    request.resume.epoch, request.resume.sequence = 1, 5
    stream = EntriesServer(hub, reader, metrics, NoVault()).stream(request)
    assert (await anext(stream)).HasField("welcome")
    heard = await anext(stream)
    # Nothing new for a second: the head is what the subscriber has, not what the hub has.
    assert heard.heartbeat.head_sequence == 5


async def test_what_is_handed_over_while_the_table_is_asked_is_no_loss() -> None:
    """Truth 3: the hub never goes back behind what it served."""
    table, hub = await loaded()
    table.meanwhile = lambda: hub.offer(1, 3, [LogRow(4, "default", 0, b"")])
    await hub._check_head()
    assert hub.head.sequence == 4
