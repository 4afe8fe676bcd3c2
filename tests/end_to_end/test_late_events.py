"""An event that arrives days late takes the place of its time, not the last one (truth 3)."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from harken.feedback.v1 import event_pb2
from services.cli.suite import Suite
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event

DAY = 86_400.0


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=2)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        filled = await own.upsert(*catalogue())
        for replica in range(2):
            await own.slate("nobody", filled, replica=replica)
        yield own


def ago(name: str, who: str, item: str, seconds: float) -> event_pb2.Event:
    one = event(name, who, item)
    one.event_time.FromMicroseconds(int((time.time() - seconds) * 1e6))
    return one


async def test_what_was_done_last_leads_whatever_comes_late(caller: Caller) -> None:
    path = ["space-0", "romance-1", "crime-2"]
    for n in range(20):
        position = await caller.record(
            *(ago(f"w{n}-{item}", f"w{n}", item, 3 * DAY - 60 * k) for k, item in enumerate(path))
        )
    # One replica holds the user all along; the other asks profile in the end.
    await caller.slate("phone", position, preview=True)
    position = await caller.record(ago("p-1", "phone", "space-0", 10))
    first = await caller.slate("phone", position, preview=True)
    position = await caller.record(ago("p-2", "phone", "crime-2", 5 * DAY))
    known = (await caller.profile("phone", position)).profile
    assert [one.item_id for one in known.state.recent] == ["space-0", "crime-2"]
    for replica in range(2):
        later = await caller.slate("phone", position, replica=replica, preview=True)
        assert later.slots[0].item_id == first.slots[0].item_id == "romance-1"
        assert later.slots[0].reason.because_item_id == "space-0"
