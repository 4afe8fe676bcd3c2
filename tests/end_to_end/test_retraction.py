"""RetractEvents on real processes: as if the events had never been, exactly once, and at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio

from harken.feedback.v1 import event_pb2, feedback_service_pb2, retraction_pb2
from services.cli.exports.event_export import export_events
from services.cli.suite import Suite
from services.common.position import decode_position
from services.dataset.history.event_file import read_events
from services.dataset.log_export import read_log
from services.dataset.table.table import Source, open_table
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.profile.oracle import stated_behaviour

RETRACTED = retraction_pb2.RETRACTION_OUTCOME_RETRACTED
ALREADY = retraction_pb2.RETRACTION_OUTCOME_ALREADY_RETRACTED
UNKNOWN = retraction_pb2.RETRACTION_OUTCOME_UNKNOWN_EVENT


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=1)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        filled = await own.upsert(*catalogue())
        await own.slate("nobody", filled, preview=True)
        yield own


async def retract(caller: Caller, *event_ids: str) -> feedback_service_pb2.RetractEventsResponse:
    request = feedback_service_pb2.RetractEventsRequest(event_ids=event_ids)
    return await caller.clients.feedback.RetractEvents(request, wait_for_ready=True, timeout=30)


async def exported(caller: Caller, **fields: Any) -> list[feedback_service_pb2.ExportedEvent]:
    request = feedback_service_pb2.ExportEventsRequest(**fields)
    return [
        one async for page in caller.clients.feedback.ExportEvents(request) for one in page.events
    ]


def told(who: str, names: Sequence[str]) -> list[event_pb2.Event]:
    """The same events for everybody: repeated items, a hidden one, a counted one."""
    rows = {
        "a": ("space-0", "play"),
        "b": ("romance-1", "play"),
        "c": ("space-0", "like"),
        "d": ("romance-1", "hide"),
        "e": ("crime-2", "play"),
        "f": ("space-3", "view"),
    }
    made = []
    for number, name in enumerate(rows):
        if name in names:
            item, kind = rows[name]
            one = event(f"{who}-{name}", who, item, kind)
            one.event_time.GetCurrentTime()
            one.event_time.FromSeconds(one.event_time.seconds // 600 * 600 - 3600 + number)
            made.append(one)
    return made


@pytest.mark.parametrize("gone", ["a", "c", "d", "ef", "abcdef", "f"])
async def test_state_is_that_of_a_log_without_the_events(caller: Caller, gone: str) -> None:
    """Retraction is exact for state, seen items and counters; truth 8 holds for its position."""
    who, twin = f"u-{gone}", f"twin-{gone}"
    for one in told(who, "abcdef"):
        last = await caller.record(one)
    await caller.slate(who, last, preview=True)
    answer = await retract(caller, *(f"{who}-{name}" for name in gone))
    assert {result.outcome for result in answer.results} == {RETRACTED}
    # At once, without waiting for anything else: the ranker held the user.
    left = [name for name in "abcdef" if name not in gone]
    seen = {one.item_id for one in told(who, left)}
    slate = await caller.slate(who, answer.position, count=60, preview=True)
    assert not slate.stale
    assert not slate.degradations
    assert {slot.item_id for slot in slate.slots}.isdisjoint(seen)
    assert len(slate.slots) == 60 - len(seen)
    assert slate.unknown_subject == (not left)
    if not left:
        return
    # The oracle: a twin who never had the events.
    for one in told(twin, left):
        last = await caller.record(one)
    profile = (await caller.profile(who, answer.position)).profile
    oracle = (await caller.profile(twin, last)).profile
    assert stated_behaviour(profile) == stated_behaviour(oracle)


async def test_each_outcome_and_a_retracted_id_stays_taken(caller: Caller) -> None:
    first, second = event("o-1", "ola", "space-0"), event("o-2", "ola", "space-3")
    await caller.record(first, second)
    answer = await retract(caller, "o-1", "nobody's", "o-1", "", "x" * 500)
    assert [result.outcome for result in answer.results] == [
        RETRACTED, UNKNOWN, ALREADY, UNKNOWN, UNKNOWN,
    ]  # fmt: skip
    again = await retract(caller, "o-1")
    assert [result.outcome for result in again.results] == [ALREADY]
    assert again.position == answer.position == answer.results[0].position
    request = feedback_service_pb2.RecordEventsRequest(events=[first])
    sent_again = await caller.clients.feedback.RecordEvents(request)
    assert sent_again.results[0].outcome == event_pb2.EVENT_OUTCOME_DUPLICATE
    profile = (await caller.profile("ola", answer.position)).profile
    assert list(profile.seen_item_ids) == ["space-3"]
    names = [one.event_id for one in await exported(caller)]
    assert "o-1" not in names
    assert names.count("o-2") == 1


async def test_export_pages_are_the_log_without_retracted_events(caller: Caller) -> None:
    await caller.record(*(event(f"x-{n}", "xia", f"space-{3 * n}", value=40) for n in range(5)))
    await retract(caller, "x-2")
    whole = [one for one in await exported(caller) if one.event_id.startswith("x-")]
    assert [one.event_id for one in whole] == ["x-0", "x-1", "x-3", "x-4"]
    assert whole[0].subject.user_id == "xia"
    assert (whole[0].item_id, whole[0].type, whole[0].value) == ("space-0", "play", 40)
    assert sorted(one.sequence for one in whole) == [one.sequence for one in whole]
    request = feedback_service_pb2.ExportEventsRequest(page_size=2)
    pages = [page async for page in caller.clients.feedback.ExportEvents(request)]
    assert all(len(page.events) <= 2 for page in pages)
    middle = pages[len(pages) // 2]
    before = [one for page in pages[: len(pages) // 2 + 1] for one in page.events]
    after = await exported(caller, after_position=middle.position)
    assert before + after == await exported(caller)
    assert await exported(caller, until_position=middle.position) == before


async def test_takes_effect_once_whoever_is_killed(caller: Caller, running: Suite) -> None:
    """Truth 2: retried across kill -9 of every process, counters move once."""
    events = [event(f"k-{n}", "kay", f"space-{3 * (n % 20)}") for n in range(40)]
    await caller.record(*events)
    gone = [f"k-{n}" for n in range(0, 40, 2)]
    position = b""
    for round_, name in enumerate((*running.processes, *running.processes)):
        part = gone[: 4 * (round_ + 1)]
        asked = asyncio.create_task(_persistent(caller, part))
        await asyncio.sleep(0.003 * round_)
        process = running.processes[name]
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(process.start)
        position = (await asked).position
    answer = await _persistent(caller, gone)
    position = max(position, answer.position, key=decode_position)
    profile = (await caller.profile("kay", position)).profile
    assert profile.counters.events == 20
    assert dict(profile.counters.events_by_type) == {"play": 20}
    assert [result.outcome for result in (await retract(caller, *gone)).results] == [ALREADY] * 20
    slate = await caller.slate("kay", position, count=60, preview=True)
    assert len(slate.slots) == 60 - len(set(profile.seen_item_ids))


async def _persistent(
    caller: Caller, event_ids: Sequence[str]
) -> feedback_service_pb2.RetractEventsResponse:
    async with asyncio.timeout(60):
        while True:
            try:
                return await retract(caller, *event_ids)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)


async def test_the_log_reads_back_as_a_history(
    caller: Caller, running: Suite, tmp_path: Path
) -> None:
    """What trainer and evaluation get is what was recorded and stands, in order of event time.

    Also by way of the file that `harken export` writes.
    """
    for number, name in enumerate(("h-late", "h-early", "h-gone")):
        one = event(name, "hal", f"space-{3 * number}", value=10.0 * number)
        one.event_time.GetCurrentTime()
        one.event_time.FromSeconds(one.event_time.seconds - 100 * (number + 1))
        await caller.record(one)
    await retract(caller, "h-gone")
    history = await asyncio.to_thread(read_log, running.endpoints.feedback)
    events = history.events
    own = [n for n in range(len(events)) if events.user_ids[events.users[n]] == "hal"]
    assert [events.item_ids[events.items[n]] for n in own] == ["space-3", "space-0"]
    assert [events.types[events.kinds[n]] for n in own] == ["play", "play"]
    assert [float(events.values[n]) for n in own] == [10.0, 0.0]
    assert (events.times_us[1:] >= events.times_us[:-1]).all()
    whole = await exported(caller)
    assert (len(events), history.through_sequence) == (len(whole), whole[-1].sequence)
    file = tmp_path / "events.csv.gz"
    written = await asyncio.to_thread(export_events, running.endpoints.feedback, "default", file)
    assert (written.events, written.through_sequence) == (len(whole), whole[-1].sequence)
    with open_table(Source((str(file),))) as table:
        again = read_events(table)
    assert not again.rejected
    np.testing.assert_array_equal(again.times_us, events.times_us)
    np.testing.assert_array_equal(again.values, events.values)
    for codes, names in (("users", "user_ids"), ("items", "item_ids"), ("kinds", "types")):
        assert [getattr(again, names)[code] for code in getattr(again, codes)] == [
            getattr(events, names)[code] for code in getattr(events, codes)
        ]
