"""Seen items of a whole suite: what hides an item where, and that replicas agree about it."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp

from harken.feedback.v1 import event_pb2, feedback_service_pb2, item_pb2
from harken.ranker.v1 import slate_pb2
from services.cli.suite import Suite
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.profile.oracle import expected_seen
from tests.profile.script import Happening

DAY = 86_400
MANY = 6500
BOUND = 5000


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    # Events of 40 days ago, as if we had waited since.
    age = {"HARKEN_FEEDBACK_MAX_AGE_SECONDS": str(1e9)}
    seen = {"HARKEN_RANKER_SURFACE_SEEN": '{"player": {"*": "forever"}}'}
    return module_suite(preset="shopping", rankers=2, environment={"feedback": age, "ranker": seen})


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        filled = await own.upsert(*catalogue())
        for replica in range(2):
            await own.slate("nobody", filled, replica=replica)
        yield own


def ago(name: str, who: str, item: str, kind: str, days: float) -> event_pb2.Event:
    one = event(name, who, item, kind)
    one.event_time.FromMicroseconds(int((time.time() - days * DAY) * 1e6))
    return one


async def test_a_look_does_not_forbid_to_buy(caller: Caller) -> None:
    """The next slate has what was looked at, and not what was bought, for as long as it is said."""
    # Held by one replica before anything happened; the other asks profile.
    await caller.slate("ann", preview=True)
    position = await caller.record(
        ago("a-1", "ann", "space-0", "view", 0),
        ago("a-2", "ann", "space-3", "add_to_cart", 0),
        ago("a-3", "ann", "space-6", "purchase", 1),
        ago("a-4", "ann", "space-9", "purchase", 40),
        ago("a-5", "ann", "space-12", "hide", 400),
    )
    everything = {one.item_id for one in catalogue()}
    touched = {"space-0", "space-3", "space-6", "space-9", "space-12"}
    for replica in range(2):
        wanted = {
            "": {"space-6", "space-12"},
            "home": {"space-6", "space-12"},
            "player": touched,
        }
        for surface, hidden in wanted.items():
            slate = await caller.slate("ann", position, 100, replica, surface=surface, preview=True)
            assert {slot.item_id for slot in slate.slots} == everything - hidden
            assert slate.drops.seen == len(hidden)
        strict = slate_pb2.Filter(seen_by_any_event=True)
        slate = await caller.slate("ann", position, 100, replica, filter=strict, preview=True)
        assert {slot.item_id for slot in slate.slots} == everything - touched
    # What is taken back hides nothing any more, and what was bought before counts again.
    position = await caller.record(ago("a-6", "ann", "space-9", "purchase", 2))
    assert "space-9" not in await caller.items("ann", position, count=100, preview=True)
    request = feedback_service_pb2.RetractEventsRequest(event_ids=["a-3", "a-6"])
    position = (await caller.clients.feedback.RetractEvents(request)).position
    for replica in range(2):
        slate = await caller.slate("ann", position, 100, replica, preview=True)
        assert {slot.item_id for slot in slate.slots} == everything - {"space-12"}


async def test_replicas_agree_about_a_user_who_has_seen_very_much(caller: Caller) -> None:
    """Truth 6: one held the user all along, one only asks now; the newest 5000 are dropped."""
    tenant = "large"
    ids = [f"item-{n:04}" for n in range(MANY + 50)]
    for at in range(0, len(ids), 1000):
        items = [
            item_pb2.Item(item_id=item_id, title=f"thing {item_id}", categories=["all"])
            for item_id in ids[at : at + 1000]
        ]
        position = await caller.upsert(*items, tenant=tenant)
    await caller.slate("max", position, tenant=tenant, preview=True)
    # Out of order: what counts is when it happened, not when it came.
    order = sorted(range(MANY), key=lambda n: n * 7919 % MANY)
    told: list[event_pb2.Event] = []
    for at in range(0, MANY, 500):
        part = order[at : at + 500]
        told += [ago(f"m-{n}", "max", ids[n], "purchase", 20 - n / MANY) for n in part]
        told += [ago(f"v-{n}", "max", ids[n], "view", 3) for n in part[:100]]
        position = await caller.record(*told[-600:], tenant=tenant)
        # So that this replica applies frames to a user whom it holds.
        await caller.slate("max", position, tenant=tenant, preview=True)
    happened = [
        Happening("max", one.item_id, one.type, time_us=one.event_time.ToMicroseconds())
        for one in told
    ]
    pairs = expected_seen(list(enumerate(happened)))
    known = {item for item, _, _, _ in pairs}
    bought = {item for item, kind, _, _ in pairs if kind == "purchase"}
    assert (len(known), len(bought)) == (BOUND, 4439)
    now = Timestamp()
    now.GetCurrentTime()
    for surface, hidden in (("", bought), ("player", known)):
        for categories in ([], ["all"]):
            slates = [
                await caller.slate(
                    "max", position, 1000, replica, tenant=tenant, surface=surface, as_of=now,
                    filter=slate_pb2.Filter(categories=categories),
                )
                for replica in range(2)
            ]  # fmt: skip
            assert slates[0].drops == slates[1].drops
            assert slates[0].drops.seen == len(hidden)
            assert list(slates[0].slots) == list(slates[1].slots)
            assert not hidden & {slot.item_id for slot in slates[0].slots}
