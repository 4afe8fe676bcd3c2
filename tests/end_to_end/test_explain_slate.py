"""ExplainSlate: a slate of the log is decided again to the last bit, and says what it lacks."""

import itertools
import math
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from harken.feedback.v1 import item_pb2, surface_pb2, surface_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import replayed_slate_pb2 as replay
from services.cli.suite import Suite
from services.ranker.slate_id import SlateIds
from tests.cli.harken_process import harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, event, user
from tests.faults import fault_of, fields_of, reason_of
from tests.waiting import until

RULES: list[dict[str, Any]] = [
    {"name": "hero", "pin": {"itemId": "i30", "slot": 2}},
    {"name": "cheap", "boost": {"items": "item.numbers.price < 9.0", "factor": 3}},
    {"name": "sellers", "cap": {"attribute": "owner", "most": 4}},
    {"name": "some", "atLeast": {"items": "'c2' in item.categories", "count": 3}},
    {"name": "few", "atMost": {"items": "'c3' in item.categories", "count": 1}},
]
SURFACES: dict[str, dict[str, Any]] = {
    "rules": {"rules": RULES},
    "spread": {"rules": RULES, "diversity": {"strength": 0.4}},
    "mmr": {"diversity": {"strength": 0.3, "method": "METHOD_MMR"}, "exploration": {"epsilon": 1}},
    "chance": {"rules": RULES, "diversity": {"strength": 0.4},
               "exploration": {"plackettLuceTemperature": 0.5, "newItemShare": 0.3}},
    "sorted": {"rules": [*RULES, {"name": "dear", "sort": {"by": "item.numbers.price"}}],
               "exploration": {"epsilon": 0.5}},
    "sources": {"sources": [{"source": "similar", "quota": 30}, {"source": "new", "quota": 30}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="shopping", rankers=1)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as caller:
        await caller.upsert(
            *(
                item_pb2.Item(
                    item_id=f"i{n}", title=f"Thing {n}", categories=[f"c{n % 4}"],
                    numbers={"price": float(n)}, owner=f"seller-{n % 3}",
                )
                for n in range(60)
            )
        )  # fmt: skip
        liked = (event(f"e{n}", "ann", f"i{n}", "purchase") for n in (1, 5, 9, 13))
        learned = await caller.record(*liked)
        for name, config in SURFACES.items():
            surface = surface_pb2.Surface(name=name)
            json_format.ParseDict(config, surface.config)
            put = surface_service_pb2.PutSurfaceRequest(surface=surface)
            learned = (await caller.clients.surfaces.PutSurface(put)).position or learned
        await caller.slate("ann", learned)
        yield caller


async def explained(caller: Caller, slate_id: str) -> replay.ExplainSlateResponse:
    """Return the explanation of a slate, once it is in the log."""
    request = pb.ExplainSlateRequest(slate_id=slate_id)
    found: list[replay.ExplainSlateResponse] = []

    async def logged() -> bool:
        try:
            found.append(await caller.clients.ranker.ExplainSlate(request))
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND
            return False
        return True

    await until(logged, "the slate in the log", 30)
    return found[0]


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_slate_is_decided_again_to_the_last_bit(caller: Caller, surface: str) -> None:
    """Truth 11, and each slot says what Recommend said of it."""
    for seed in range(3):
        slate = await caller.slate("ann", surface=surface, seed=seed, explain=True)
        answer = await explained(caller, slate.slate_id)
        assert answer.outcome == replay.REPLAY_OUTCOME_SAME
        assert (answer.subject, answer.surface) == (user("ann"), surface)
        assert answer.surface_revision == slate.surface_revision > 0
        assert (answer.policy, answer.seed) == (slate.policy, slate.seed)
        assert answer.candidates > 40
        assert replay.ABSENT_PART_RULES not in answer.absent
        for place, (slot, one) in enumerate(zip(slate.slots, answer.slots, strict=True), 1):
            assert one.place == place
            assert one.item_id == one.replayed_item_id == slot.item_id
            assert math.isclose(one.propensity, slot.propensity, rel_tol=1e-7)
            assert one.replayed_propensity == one.propensity
            assert list(one.applied_rules) == list(slot.applied_rules)
            assert {source.source for source in one.sources} == {
                source.source for source in slot.sources
            }
            ranks = {source.source: source.rank for source in slot.sources}
            assert all(ranks[source.source] == source.rank for source in one.sources if source.rank)
            # Contributions and rest are the log odds as trained; nothing was learned by then.
            total = sum(part.contribution for part in one.contributions) + one.rest
            said = slot.explanation
            assert total == pytest.approx(
                sum(part.contribution for part in said.contributions) + said.rest, abs=1e-5
            )
        if surface != "sources":
            assert [one.place_without_rules for one in answer.slots] == [
                slot.explanation.place_without_rules for slot in slate.slots
            ]
            assert [one.item_id_without_rules for one in answer.slots] == [
                slot.explanation.item_id_without_rules for slot in slate.slots
            ]
        by_order = [one.item_id_without_rules for one in answer.slots]
        assert len(set(by_order)) == len(by_order)
        places = {one.item_id: one.place_without_rules for one in answer.slots}
        for place, item in enumerate(by_order, 1):
            assert places.get(item, place) == place


async def test_what_is_not_logged_is_said_to_be_absent(caller: Caller) -> None:
    slate = await caller.slate("ann")
    answer = await explained(caller, slate.slate_id)
    assert answer.outcome == replay.REPLAY_OUTCOME_NOT_LOGGED
    assert set(answer.absent) == {
        replay.ABSENT_PART_CANDIDATES, replay.ABSENT_PART_SOURCE_SCORES, replay.ABSENT_PART_HEAD,
        replay.ABSENT_PART_REASON,
    }  # fmt: skip
    assert [one.item_id for one in answer.slots] == [slot.item_id for slot in slate.slots]
    assert all(one.propensity == 1.0 and not one.replayed_item_id for one in answer.slots)


async def test_a_slate_that_is_not_in_the_log_is_not_found(caller: Caller) -> None:
    preview = await caller.slate("ann", preview=True)
    for slate_id in (preview.slate_id, SlateIds().next(), "00000000-0000-7000-8000-000000000000",
                     "ffffffff-ffff-7fff-bfff-ffffffffffff"):  # fmt: skip
        call = caller.clients.ranker.ExplainSlate(pb.ExplainSlateRequest(slate_id=slate_id))
        error = await fault_of(call)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
        assert slate_id in str(error.details())
    for slate_id in ("", "x", str(uuid.uuid4()), preview.slate_id.upper(), "x" * 65):
        call = caller.clients.ranker.ExplainSlate(pb.ExplainSlateRequest(slate_id=slate_id))
        error = await fault_of(call)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == {"slate_id"}
    call = caller.clients.ranker.ExplainSlate(
        pb.ExplainSlateRequest(tenant="nobody", slate_id=preview.slate_id)
    )
    error = await fault_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_TENANT")


async def test_a_slate_is_found_among_others_of_its_time(caller: Caller) -> None:
    """And one of another tenant is none of ours (truth 15)."""
    slates = [await caller.slate("ann", surface="chance") for _ in range(20)]
    for slate in reversed(slates):
        answer = await explained(caller, slate.slate_id)
        assert [one.item_id for one in answer.slots] == [slot.item_id for slot in slate.slots]
    seeds = {slate.seed for slate in slates}
    assert len(seeds) == 20
    await caller.upsert(item_pb2.Item(item_id="other"), tenant="other")
    request = pb.ExplainSlateRequest(tenant="other", slate_id=slates[0].slate_id)
    assert (await fault_of(caller.clients.ranker.ExplainSlate(request))).code() is (
        grpc.StatusCode.NOT_FOUND
    )


async def test_the_command_line_says_why(caller: Caller, running: Suite, tmp_path: Path) -> None:
    slate = await caller.slate("ann", surface="chance", seed=7)
    await explained(caller, slate.slate_id)

    async def run(*arguments: str) -> Any:
        return await harken("explain", *arguments, folder=tmp_path, endpoints=running.endpoints)

    done = await run(slate.slate_id)
    assert done.code == 0, done.errors
    for said in ("hero: pinned", "the same items", "ann", "plackett-luce-1+new-1", "head"):
        assert said in done.output, done.output
    as_json = await run(slate.slate_id, "--json")
    read = json_format.Parse(as_json.output, replay.ExplainSlateResponse())
    assert read.outcome == replay.REPLAY_OUTCOME_SAME
    assert all(a.place + 1 == b.place for a, b in itertools.pairwise(read.slots))
    refused = await run("nonsense")
    assert refused.code == 1
    assert "slate_id" in refused.errors


async def test_a_slate_of_the_command_line_is_explained_once_it_counts_as_shown(
    caller: Caller, running: Suite, tmp_path: Path
) -> None:
    async def run(*arguments: str) -> Any:
        return await harken(*arguments, folder=tmp_path, endpoints=running.endpoints)

    asked = ("recommend", "ann", "--surface", "chance")
    shown = await run(*asked, "--log", "--json")
    assert shown.code == 0, shown.errors
    slate = json_format.Parse(shown.output, pb.RecommendResponse())
    assert len(slate.slots) == 10
    answer = await explained(caller, slate.slate_id)
    assert [one.item_id for one in answer.slots] == [slot.item_id for slot in slate.slots]
    done = await run("explain", slate.slate_id)
    assert done.code == 0, done.errors
    assert "the same items" in done.output
    said = " ".join((await run(*asked, "--log")).output.split())
    assert re.search(r"slate [0-9a-f-]{36} \(counts as shown\)", said)
    preview = json_format.Parse((await run(*asked, "--json")).output, pb.RecommendResponse())
    # The slate after it is in the log, so this one would be.
    await explained(caller, (await caller.slate("ann", surface="chance")).slate_id)
    gone = await run("explain", preview.slate_id)
    assert (gone.code, "it was never logged" in " ".join(gone.errors.split())) == (1, True)
