"""The first slate after a start lacks nothing."""

import asyncio

from tests.conftest import StartSuite
from tests.end_to_end.clients import caller_of, catalogue, event

STARTS = 3


async def test_the_first_slate_after_a_restart_drops_seen_items(suite: StartSuite) -> None:
    """Truths 9 and 14: as soon as ready is said, whoever starts first."""
    running = await asyncio.to_thread(suite, preset="media")
    items = catalogue()
    seen = [item.item_id for item in items[:40]]
    people = [f"p{n}" for n in range(STARTS)]
    async with caller_of(running) as caller:
        await caller.upsert(*items)
        events = [event(f"{who}-{item}", who, item) for who in people for item in seen]
        last = await caller.record(*events)
        await caller.slate(people[0], last)
    for who in people:
        await asyncio.to_thread(running.stop)
        await asyncio.to_thread(running.start_all)
        async with caller_of(running) as caller:
            slate = await caller.slate(who)
        assert not slate.degradations
        assert not {slot.item_id for slot in slate.slots} & set(seen)
        assert slate.drops.seen == len(seen)
        assert len(slate.slots) == 10
