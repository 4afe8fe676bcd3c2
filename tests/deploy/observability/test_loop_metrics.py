"""The stages of the loop, as real processes measure them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.cli.suite import Suite
from tests.conftest import StartSuite
from tests.deploy.observability.scrape import Scrape, scrape
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.waiting import until

EVENTS = 120
SLATES = 20
LATE = 0.1
"""Seconds: a busy process notes a stage of its own late, and the next process may be quicker."""
STAGE = "harken_loop_stage_seconds"


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=2, split_feedback=True)


@pytest_asyncio.fixture(scope="module")
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        await own.upsert(*catalogue())
        position = b""
        for n in range(EVENTS // 4):
            position = await own.record(
                *(event(f"e-{n}-{k}", f"u{n % 7}", f"space-{3 * k}") for k in range(4))
            )
        # The same again, and one that nobody can learn from: neither is an event of the loop.
        await own.record(event("e-0-0", "u0", "space-0"))
        for replica in range(2):
            for n in range(SLATES):
                await own.slate(f"u{n % 7}", position, replica=replica)
        await own.profile("u1", position)
        yield own


def _mean(found: Scrape, stage: str) -> float:
    return found.total(f"{STAGE}_sum", stage=stage) / found.total(f"{STAGE}_count", stage=stage)


async def test_every_stage_counts_every_event_and_comes_after_the_one_before(
    running: Suite, caller: Caller
) -> None:
    async def all_visible() -> bool:
        now = await scrape(running)
        return all(
            now[name].total(f"{STAGE}_count", stage="visible") >= EVENTS
            and now[name].total("harken_entries_lag") == 0
            and now[name].total("harken_feed_lag_versions") == 0
            for name in ("ranker-1", "ranker-2", "profile")
        )

    await until(all_visible, "all events visible everywhere")
    found = await scrape(running)
    counts = {
        (name, labels["stage"]): value
        for name, one in found.items()
        for labels, value in one.samples(f"{STAGE}_count")
    }
    assert counts.pop(("learner", "pushed")) in (0, EVENTS)
    assert counts == {
        ("ingest", "accepted"): EVENTS,
        ("ingest", "pushed"): EVENTS,
        ("learner", "learned"): EVENTS,
        ("learner", "accepted"): 0,
        ("ranker-1", "visible"): EVENTS,
        ("ranker-2", "visible"): EVENTS,
        ("profile", "visible"): EVENTS,
    }
    accepted = _mean(found["ingest"], "accepted")
    learned = _mean(found["learner"], "learned")
    pushed = _mean(found["ingest"], "pushed")
    assert 0 < accepted <= learned + LATE
    # Two lanes: what is pushed does not wait for being learned.
    assert accepted <= pushed + LATE
    for name in ("ranker-1", "ranker-2", "profile"):
        assert pushed <= _mean(found[name], "visible") + LATE
        assert found[name].total("harken_entries_connected") == 1
        assert found[name].total("harken_feed_lag_seconds") < 5
        assert found[name].total("harken_feed_connected") == 1


async def test_rpcs_are_counted_and_timed(running: Suite, caller: Caller) -> None:
    found = await scrape(running)
    ranker = found["ranker-1"]
    assert ranker.total("harken_rpc_handled_total", method="Recommend", code="OK") == SLATES
    assert ranker.total("harken_rpc_seconds_count", method="Recommend") == SLATES
    assert ranker.total("harken_rpc_seconds_sum", method="Recommend") > 0
    ingest = found["ingest"]
    # Two rankers and profile.
    assert ingest.total("harken_rpc_streams_open", method="Subscribe") == 3
    assert ingest.total("harken_rpc_stream_messages_total", method="Subscribe") > 0
    assert ingest.total("harken_events_total", outcome="ACCEPTED") == EVENTS
    assert ingest.total("harken_events_total", outcome="DUPLICATE") == 1


async def test_a_replica_says_what_it_holds(running: Suite, caller: Caller) -> None:
    found = await scrape(running)
    state = await caller.state()
    tenant = state.tenants[0]
    ranker = found["ranker-1"]
    (labels, one), *_ = ranker.samples("harken_ranker_generation_info")
    assert (labels, one) == (
        {"tenant": "default", "generation": tenant.generation_id, "other": ""}, 1,
    )  # fmt: skip
    assert ranker.total("harken_ranker_items", tenant="default") == tenant.items == 60
    assert ranker.total("harken_ranker_index_rows", tenant="default") == 60
    assert ranker.total("harken_ranker_cached_users", tenant="default") == tenant.cached_users
    assert ranker.total("harken_ranker_ready") == 1
    assert ranker.total("harken_ranker_generation_loads_total", outcome="loaded") >= 1
    for name in ("ingest", "learner", "profile"):
        assert found[name].total("harken_database_up") == 1
        assert found[name].total("harken_database_connections_open") >= 1
    assert found["learner"].total("harken_learner_leads") == 1
    for one_process in found.values():
        assert one_process.total("process_resident_memory_bytes") > 10e6
        assert one_process.total("harken_build_info") == 1
