"""Slates as a product team shapes them: configured by RPC, over the wire, on two replicas."""

import asyncio
import math
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from harken.feedback.v1 import (
    exported_slate_pb2,
    feedback_service_pb2,
    item_pb2,
    surface_pb2,
    surface_service_pb2,
)
from harken.feedback.v1.surface_service_pb2_grpc import SurfaceServiceStub
from harken.ranker.v1 import ranker_service_pb2, replayed_slate_pb2, slate_pb2
from services.cli.suite import Suite
from services.common.channels import open_channel
from tests.cli.harken_process import harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, event, user
from tests.ranker.domain.selection.logged import propensities_of
from tests.waiting import until

ITEMS = 60


def shelf() -> list[item_pb2.Item]:
    """Return items of three sellers and four categories, priced by their number."""
    return [
        item_pb2.Item(
            item_id=f"i{number}",
            title=f"Thing {number}",
            categories=[f"c{number % 4}"],
            tags=["sponsored"] if number % 10 == 3 else [],
            numbers={"price": float(number)},
            owner=f"seller-{number % 3}",
        )
        for number in range(ITEMS)
    ]


class Team:
    """A product team: configures surfaces, and looks at slates."""

    def __init__(self, caller: Caller, surfaces: Any) -> None:
        self.caller = caller
        self.surfaces = surfaces

    async def put(self, name: str, **config: Any) -> bytes:
        surface = surface_pb2.Surface(name=name)
        json_format.ParseDict(config, surface.config)
        request = surface_service_pb2.PutSurfaceRequest(surface=surface)
        return bytes((await self.surfaces.PutSurface(request)).position)

    async def slate(
        self, surface: str, learned: bytes = b"", replica: int = 0, **fields: Any
    ) -> ranker_service_pb2.RecommendResponse:
        return await self.caller.slate(
            fields.pop("who", "ann"), learned, replica=replica, surface=surface,
            preview=fields.pop("preview", True), **fields,
        )  # fmt: skip


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="shopping", rankers=2)


@pytest_asyncio.fixture
async def team(running: Suite) -> AsyncIterator[Team]:
    async with caller_of(running) as caller, open_channel(running.endpoints.feedback) as channel:
        learned = await caller.upsert(*shelf())
        for who in ("ann", "bob"):
            await caller.record(*(event(f"{who}-{n}", who, f"i{n}", "view") for n in (1, 5, 9, 13)))
        for replica in range(2):
            await caller.slate("ann", learned, replica=replica)
        yield Team(caller, SurfaceServiceStub(channel))


def items(slate: ranker_service_pb2.RecommendResponse) -> list[str]:
    return [slot.item_id for slot in slate.slots]


def number(item_id: str) -> int:
    return int(item_id[1:])


def rules_of(slot: slate_pb2.Slot) -> set[str]:
    return {applied.rule for applied in slot.applied_rules}


async def test_gates_pins_caps_and_minimums_hold_on_every_replica(team: Team) -> None:
    """Truth 9, and what the team asked for; each slot says which rule did what."""
    learned = await team.put(
        "home",
        gates=[{"name": "cheap", "keep": "item.numbers.price < 40.0"}],
        rules=[
            {"name": "top", "pin": {"itemId": "i30", "slot": 2}},
            {"name": "gone", "pin": {"itemId": "i50", "slot": 1}},
            {"name": "sellers", "cap": {"attribute": "owner", "most": 4}},
            {"name": "ads", "atLeast": {"items": "'sponsored' in item.tags", "count": 2}},
            {"name": "no-c3", "atMost": {"items": "'c3' in item.categories", "count": 0}},
        ],
    )
    for replica in range(2):
        slate = await team.slate("home", learned, replica)
        found = items(slate)
        assert len(found) == len(set(found)) == 10
        assert found[1] == "i30"
        assert "top" in rules_of(slate.slots[1])
        assert all(number(one) < 40 for one in found)
        assert all(number(one) % 4 != 3 for one in found)
        assert max(sum(number(one) % 3 == seller for one in found) for seller in range(3)) <= 4
        assert sum(number(one) % 10 == 3 for one in found) >= 2
        assert slate.drops.gate == 20
        assert slate.surface_revision == 1
        assert [lost.rule for lost in slate.lost_rules] == ["gone"]
        assert all(slot.propensity == 1.0 for slot in slate.slots)
        strict = await team.slate(
            "home", learned, replica, filter=slate_pb2.Filter(expression="item.numbers.price < 3.0")
        )
        # The pin is left out by the request, and nothing else is left.
        assert {number(one) for one in items(strict)} <= {0, 1, 2}


async def test_a_bad_field_refuses_the_whole_and_the_old_one_serves_on(team: Team) -> None:
    learned = await team.put("old", gates=[{"name": "few", "keep": "item.numbers.price < 20.0"}])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await team.put(
            "old",
            gates=[
                {"name": "fine", "keep": "item.numbers.price < 30.0"},
                {"name": "wrong", "keep": "item.numbers.price < 'dear'"},
            ],
        )
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "gates[1].keep" in str(refused.value.details())
    slate = await team.slate("old", learned, count=30)
    assert len(slate.slots) == 20
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await team.slate("old", filter=slate_pb2.Filter(expression="item.price <"))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "filter.expression" in str(refused.value.details())


async def logged_decision(team: Team, slate_id: str) -> exported_slate_pb2.ExportedDecision:
    """Return how a slate was decided, once it is logged."""
    request = feedback_service_pb2.ExportSlatesRequest()
    async with asyncio.timeout(60):
        while True:
            async for answer in team.caller.clients.feedback.ExportSlates(request):
                for one in answer.slates:
                    if one.slate_id == slate_id:
                        return one.decision


async def test_chance_is_replayable_by_seed_and_says_its_propensities(team: Team) -> None:
    """Truth 11: the same seed the same slate, and some other seed another one."""
    learned = await team.put("explore", exploration={"plackettLuceTemperature": 2.0})
    slate = await team.slate("explore", learned, seed=7)
    again = await team.slate("explore", learned, seed=7)
    assert slate.seed == again.seed == 7
    assert slate.policy == "plackett-luce-1"
    assert items(slate) == items(again)
    assert [slot.propensity for slot in slate.slots] == [slot.propensity for slot in again.slots]
    assert all(0 < slot.propensity < 1 for slot in slate.slots)
    assert len({tuple(items(await team.slate("explore", learned, seed=s))) for s in range(9)}) > 1


async def test_a_slate_of_chance_is_logged_as_it_was_decided(team: Team) -> None:
    """Truth 11: whoever has the export computes the propensities again."""
    learned = await team.put(
        "logged",
        exploration={"plackettLuceTemperature": 1.5},
        rules=[{"name": "one-c1", "atMost": {"items": "'c1' in item.categories", "count": 1}}],
    )
    slate = await team.slate("logged", learned, preview=False, seed=11)
    decision = await logged_decision(team, slate.slate_id)
    candidates = list(decision.candidate_ids)
    for place, slot in enumerate(slate.slots):
        barred = decision.barred[place]
        odds = {
            item: math.exp(decision.utilities[n] / 1.5)
            for n, item in enumerate(candidates)
            if not barred[n // 8] >> n % 8 & 1
        }
        chance = odds[slot.item_id] / sum(odds.values())
        assert chance == pytest.approx(slot.propensity, rel=1e-6)


async def test_what_is_drawn_of_the_order_is_logged_with_the_draws(team: Team) -> None:
    """Truth 11: by plain Python, of what the export says alone."""
    learned = await team.put("sure", exploration={"thompsonScale": 20.0})
    for number in range(20):
        learned = await team.caller.record(
            event(f"sure-{number}", f"u{number % 5}", f"i{number % 7}", "view")
        )
    slate = await team.slate("sure", learned, preview=False, seed=5)
    assert slate.policy == "thompson-1"
    again = await team.slate("sure", learned, seed=5)
    assert items(slate) == items(again)
    decision = await logged_decision(team, slate.slate_id)
    assert len(decision.drawn) == 32
    candidates = list(decision.candidate_ids)
    found = propensities_of(
        list(decision.utilities), None, 0.0, list(decision.barred), None, ("thompson", 0.0), 0.0,
        [candidates.index(slot.item_id) for slot in slate.slots],
        [struct.unpack(f"<{len(candidates)}e", draw) for draw in decision.drawn],
    )  # fmt: skip
    assert [slot.propensity for slot in slate.slots] == pytest.approx(found, rel=1e-6)
    assert min(found) < 1
    request = ranker_service_pb2.ExplainSlateRequest(slate_id=slate.slate_id)
    replayed = await team.caller.clients.ranker.ExplainSlate(request)
    assert replayed.outcome == replayed_slate_pb2.REPLAY_OUTCOME_SAME


async def test_pages_never_repeat_whatever_happens_between(team: Team) -> None:
    learned = await team.put("pages", exploration={"epsilon": 0.5})
    seen: list[str] = []
    token = ""
    for page in range(7):
        slate = await team.slate("pages", learned, page_token=token)
        seen += items(slate)
        token = slate.next_page_token
        await team.caller.record(event(f"between-{page}", "ann", f"i{40 + page}", "view"))
        if not token:
            break
    assert len(seen) == len(set(seen)) == ITEMS
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await team.slate("pages", page_token="bm9uc2Vuc2U=")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_who_is_not_to_be_profiled_gets_what_nobody_gets(team: Team) -> None:
    async def both() -> bool:
        """Slates of one moment: what was learned in between would change the order."""
        nobody = await team.slate("", who="somebody-new")
        ann = await team.slate("", non_personal=True)
        if nobody.learned_position != ann.learned_position:
            return False
        assert items(ann) == items(nobody)
        assert items(ann) != items(await team.slate(""))
        return True

    await until(both, "slates of one moment", 30)


async def test_context_and_the_callers_own_count_for_this_answer(team: Team) -> None:
    learned = await team.put(
        "context",
        sources=[{"source": "similar", "quota": 30}, {"source": "trending", "quota": 30},
                 {"source": "new", "quota": 30}],
        rules=[{"name": "german", "when": "context.country == 'de'",
                "boost": {"items": "item.numbers.price >= 55.0", "factor": 1000}}],
    )  # fmt: skip
    german = ranker_service_pb2.Context(values={"country": "de"})
    slate = await team.slate("context", learned, context=german)
    assert all(number(one) >= 55 for one in items(slate)[:5])
    assert "german" in rules_of(slate.slots[0])
    plain = await team.slate("context", learned)
    assert not any(rules_of(slot) for slot in plain.slots)
    names = {source.source for slot in plain.slots for source in slot.sources}
    assert names & {"similar", "trending", "new"}
    given = [ranker_service_pb2.GivenCandidate(item_id="i58", prior=20.0)]
    assert items(await team.slate("context", learned, candidates=given))[0] == "i58"
    own = await team.slate("context", learned, own_items_of="seller-1", count=60)
    assert all(number(one) % 3 != 1 for one in items(own))
    assert own.drops.own == 20
    looked_at = ranker_service_pb2.Context(query_item_id="i20")
    assert "i20" not in items(await team.slate("context", learned, context=looked_at, count=60))


async def test_rank_goes_by_the_weights_and_gates_of_the_surface(team: Team) -> None:
    """As the slate of the surface orders, where nothing but scores decides."""
    learned = await team.put("ranked", gates=[{"name": "dear", "keep": "item.numbers.price > 9.0"}])
    slate = await team.slate("ranked", learned, count=20)
    request = ranker_service_pb2.RankRequest(
        subject=user("ann"), item_ids=sorted(items(slate)), surface="ranked", count=20
    )
    ranked = await team.caller.clients.rankers[0].Rank(request)
    assert [slot.item_id for slot in ranked.slots] == items(slate)
    assert [slot.score for slot in ranked.slots] == [slot.score for slot in slate.slots]


async def test_the_command_line_says_what_rules_and_chance_did(
    team: Team, running: Suite, tmp_path: Path
) -> None:
    learned = await team.put(
        "shown",
        rules=[{"name": "hero", "pin": {"itemId": "i30", "slot": 1}},
               {"name": "gone", "pin": {"itemId": "nothing", "slot": 2}}],
        exploration={"epsilon": 0.2},
    )  # fmt: skip
    await team.slate("shown", learned)
    done = await harken(
        "recommend", "ann", "--surface", "shown", "--filter", "item.numbers.price > 20.0",
        "--context", "country=de", "--seed", "3", "--explain", "--count", "5",
        folder=tmp_path, endpoints=running.endpoints,
    )  # fmt: skip
    assert done.code == 0, done.errors
    for said in ("hero: pinned", "lost: gone", "chance", "without rules", "21 by --filter"):
        assert said in done.output, done.output
    wrong = await harken(
        "recommend", "ann", "--filter", "item.nothing > 1", folder=tmp_path,
        endpoints=running.endpoints,
    )  # fmt: skip
    assert wrong.code != 0
    assert "filter.expression" in wrong.errors + wrong.output


async def test_explanations_add_up(team: Team) -> None:
    slate = await team.slate("", explain=True)
    for place, slot in enumerate(slate.slots, 1):
        assert slot.explanation.place_without_rules == place
        assert slot.explanation.item_id_without_rules == slot.item_id
        assert slot.explanation.contributions


async def test_what_was_shown_lately_is_left_out(team: Team) -> None:
    learned = await team.put("fresh", notInLastSlates=2)
    shown = [items(await team.slate("fresh", learned, preview=False, who="bob")) for _ in range(3)]
    assert not set(shown[0]) & set(shown[1])
    assert not set(shown[2]) & (set(shown[0]) | set(shown[1]))
