"""Experiments over the wire: who is in, what they are shown, what is logged, what is found."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import json_format

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import experiment_service_pb2 as pb
from harken.feedback.v1 import (
    exported_slate_pb2,
    feedback_service_pb2,
    item_pb2,
    surface_pb2,
    surface_service_pb2,
)
from harken.ranker.v1 import ranker_service_pb2, replayed_slate_pb2
from services.cli.suite import Suite
from services.common.database import open_pool
from services.common.position import token_of
from services.feedback.documents.document_store import DocumentStore
from services.feedback.process import SCHEMA
from tests.cli.harken_process import Finished, harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, event
from tests.waiting import until

ITEMS = 40
AT_ONCE = 16
PEOPLE = [f"person-{n}" for n in range(1000)]


class Team:
    """A product team that compares, and its visitors."""

    def __init__(self, caller: Caller, running: Suite, folder: Path) -> None:
        self.caller = caller
        self._running = running
        self._folder = folder

    async def surface(self, name: str, **config: Any) -> bytes:
        surface = surface_pb2.Surface(name=name)
        json_format.ParseDict(config, surface.config)
        surface.config.SetInParent()
        request = surface_service_pb2.PutSurfaceRequest(surface=surface)
        return (await self.caller.clients.surfaces.PutSurface(request)).position

    async def draft(self, name: str, **fields: Any) -> None:
        whole = {
            "layer": name,
            "buckets": 10_000,
            "surfaces": [name],
            "primary": {"name": "clicks", "event_types": ["click"]},
            "window": "1s",
            "planned_users": 1000,
            **fields,
        }
        request = pb.PutExperimentRequest()
        request.experiment.name = name
        json_format.ParseDict(whole, request.experiment.config)
        await self.caller.clients.experiments.PutExperiment(request)

    async def start(self, name: str, share: float = 1.0) -> bytes:
        request = pb.StartExperimentRequest(name=name, share=share)
        return (await self.caller.clients.experiments.StartExperiment(request)).position

    async def slate(
        self, who: str, surface: str, learned: bytes = b"", replica: int = 0, **fields: Any
    ) -> ranker_service_pb2.RecommendResponse:
        return await self.caller.slate(who, learned, replica=replica, surface=surface, count=3,
                                       **fields)  # fmt: skip

    async def variants(
        self, people: list[str], surface: str, learned: bytes = b"", **fields: Any
    ) -> dict[str, str]:
        """Return the variant of those who are in, each by one slate that is not shown."""
        found = await in_parallel(
            [self.slate(who, surface, learned, preview=True, **fields) for who in people]
        )
        return {
            who: slate.experiments[0].variant
            for who, slate in zip(people, found, strict=True)
            if slate.experiments
        }

    async def exported(self, surface: str, count: int) -> list[exported_slate_pb2.ExportedSlate]:
        """Return the slates of a surface once so many are in the log."""
        found: list[exported_slate_pb2.ExportedSlate] = []

        async def there() -> bool:
            request = feedback_service_pb2.ExportSlatesRequest(surface=surface)
            found.clear()
            async for page in self.caller.clients.feedback.ExportSlates(request):
                found.extend(page.slates)
            return len(found) >= count

        await until(there, f"{count} slates in the log", 60)
        return found

    async def harken(self, *arguments: str) -> Finished:
        done = await harken(
            "experiment", *arguments, folder=self._folder, endpoints=self._running.endpoints
        )
        assert "Traceback" not in done.errors
        return done


async def in_parallel(calls: list[Any]) -> list[Any]:
    """Return answers in order, with a few calls at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(call: Any) -> Any:
        async with room:
            return await call

    return await asyncio.gather(*map(one, calls))


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    # Hardly any slate is logged, but those of experiments are.
    environment = {"ranker": {"HARKEN_RANKER_LOGGED_SHARE": "0"}}
    return module_suite(preset="shopping", rankers=2, environment=environment)


@pytest_asyncio.fixture
async def team(running: Suite, tmp_path: Path) -> AsyncIterator[Team]:
    async with caller_of(running) as caller:
        items = [item_pb2.Item(item_id=f"i{n}", title=f"Thing {n}") for n in range(ITEMS)]
        learned = await caller.upsert(*items)
        for replica in range(2):
            await caller.slate("nobody", learned, replica=replica)
        yield Team(caller, running, tmp_path)


def pinned(item_id: str) -> dict[str, Any]:
    return {"rules": [{"name": "top", "pin": {"itemId": item_id, "slot": 1}}]}


def two(**treatment: Any) -> list[dict[str, Any]]:
    return [{"name": "control", "weight": 3}, {"name": "bold", "weight": 1, **treatment}]


async def test_variants_have_their_shares_and_users_stay_where_they_are(
    team: Team, running: Suite
) -> None:
    """On every replica, across a restart and a ramp; others are served as without."""
    await team.surface("bold", **pinned("i7"))
    await team.draft("stay", variants=two(surface="bold"))
    assert await team.variants(PEOPLE[:50], "stay") == {}
    learned = await team.start("stay", 0.3)
    before = await team.variants(PEOPLE, "stay", learned)
    # 1,000 people: five standard deviations of the binomial.
    assert abs(len(before) - 300) < 73
    assert abs(Counter(before.values())["bold"] / len(before) - 0.25) < 0.125
    assert await team.variants(PEOPLE, "stay", learned, replica=1) == before
    batch = ranker_service_pb2.BatchRecommendRequest(
        subjects=[subject_pb2.Subject(user_id=who) for who in PEOPLE],
        request=ranker_service_pb2.RecommendRequest(surface="stay", preview=True),
    )
    answers = team.caller.clients.rankers[0].BatchRecommend(batch)
    slates = [one.slate async for answer in answers for one in answer.results]
    assert before == {
        who: slate.experiments[0].variant
        for who, slate in zip(PEOPLE, slates, strict=True)
        if slate.experiments
    }
    for who in PEOPLE[:100]:
        slate = await team.slate(who, "stay", preview=True)
        own = before.get(who)
        assert (slate.slots[0].item_id == "i7") == (own == "bold")
        assert (slate.surface_revision == 1) == (own == "bold")
        if own is not None:
            [exposure] = slate.experiments
            assert (exposure.experiment, exposure.layer, exposure.revision) == ("stay", "stay", 2)
    # Not on other surfaces, not without consent to profiling, not of sessions.
    who = next(who for who, variant in before.items() if variant == "bold")
    for other in (
        await team.slate(who, "elsewhere", preview=True),
        await team.slate(who, "stay", non_personal=True),
        await team.caller.clients.rankers[0].Recommend(
            ranker_service_pb2.RecommendRequest(
                subject=subject_pb2.Subject(session_id=who), surface="stay", preview=True
            )
        ),
    ):
        assert not other.experiments
        assert other.slots[0].item_id != "i7"

    running.kill("ranker-1")
    await asyncio.to_thread(running.start, "ranker-1")
    request = pb.RampExperimentRequest(name="stay", share=0.6)
    answer = await team.caller.clients.experiments.RampExperiment(request)
    for replica in range(2):
        after = await team.variants(PEOPLE, "stay", answer.position, replica=replica)
        assert before.items() <= after.items()
        assert abs(len(after) - 600) < 78
    stopped = await team.caller.clients.experiments.StopExperiment(
        pb.StopExperimentRequest(name="stay")
    )
    assert await team.variants(PEOPLE[:200], "stay", stopped.position) == {}
    assert (await team.slate(who, "stay", preview=True)).slots[0].item_id != "i7"


async def test_each_slate_that_an_experiment_decided_is_logged_once_with_its_exposure(
    team: Team,
) -> None:
    """Truth 11, too: a policy of a variant is logged like any other, and only what was shown is."""
    await team.draft("logged", variants=[
        {"name": "control", "weight": 1},
        {"name": "curious", "weight": 1, "exploration": {"epsilon": 0.5}},
    ])  # fmt: skip
    learned = await team.start("logged", 0.5)
    people = PEOPLE[:120]
    variants = await team.variants(people, "logged", learned)
    shown = await in_parallel([team.slate(who, "logged") for who in people for _ in range(2)])
    exported = await team.exported("logged", 2 * len(variants))
    expected = {slate.slate_id: slate for slate in shown if slate.experiments}
    # None of those who are not in: the share of slates that is logged is 0.
    assert sorted(slate.slate_id for slate in exported) == sorted(expected)
    for slate in exported:
        [own] = slate.exposures
        assert own.variant == variants[slate.subject.user_id]
        assert (own.experiment, own.layer, own.revision) == ("logged", "logged", 2)
        assert not own.not_served
        curious = own.variant == "curious"
        assert slate.HasField("decision") == curious
        assert slate.policy == ("epsilon-1" if curious else "greedy-1")
        assert (slate.decision.exploration.epsilon == 0.5) == curious
    explain = ranker_service_pb2.ExplainSlateRequest(slate_id=exported[0].slate_id)
    replayed = await team.caller.clients.ranker.ExplainSlate(explain)
    assert list(replayed.experiments) == list(expected[exported[0].slate_id].experiments)
    assert replayed.outcome != replayed_slate_pb2.REPLAY_OUTCOME_DIFFERENT


async def test_a_variant_whose_surface_is_gone_is_served_as_without_and_says_so(
    team: Team, running: Suite, tmp_path: Path
) -> None:
    """Truth 14."""
    await team.surface("fleeting", **pinned("i9"))
    await team.draft("gone", variants=two(surface="fleeting"))
    learned = await team.start("gone")
    variants = await team.variants(PEOPLE[:40], "gone", learned)
    who = next(who for who, variant in variants.items() if variant == "bold")
    assert (await team.slate(who, "gone", preview=True)).slots[0].item_id == "i9"
    # As a release did that let surfaces of running experiments be deleted.
    pool = await open_pool(running.config.feedback_dsn, SCHEMA, 1)
    try:
        _, deleted = await DocumentStore(pool, "surface").delete("default", "fleeting")
    finally:
        await pool.close()
    slate = await team.slate(who, "gone", token_of(deleted))
    assert slate.slots[0].item_id != "i9"
    assert [(one.variant, one.not_served) for one in slate.experiments] == [("bold", True)]
    said = await harken("recommend", who, "--surface", "gone", folder=tmp_path,
                        endpoints=running.endpoints)  # fmt: skip
    assert "experiment: gone: bold; it could not be served" in said.output
    [logged] = await team.exported("gone", 1)
    assert [(one.variant, one.not_served) for one in logged.exposures] == [("bold", True)]


async def test_a_slate_that_a_variant_made_is_explained_as_its(
    team: Team, running: Suite, tmp_path: Path
) -> None:
    """By the revision of the surface that the variant names."""
    await team.surface("told", **pinned("i3"))
    await team.surface("told-bold", **pinned("i9"))
    await team.surface("told-bold", **pinned("i8"))
    await team.draft("told", variants=two(surface="told-bold"))
    learned = await team.start("told")
    variants = await team.variants(PEOPLE[:40], "told", learned)
    slates = {
        variant: await team.slate(next(who for who in variants if variants[who] == variant), "told")
        for variant in ("control", "bold")
    }
    await team.exported("told", 2)

    async def explained(variant: str) -> str:
        done = await harken("explain", slates[variant].slate_id, folder=tmp_path,
                            endpoints=running.endpoints)  # fmt: skip
        assert done.code == 0, done.errors
        return " ".join(done.output.split())

    said = await explained("bold")
    own = "surface told, as variant bold has it: configuration of told-bold, revision 2; policy"
    assert own in said
    assert "experiment told, revision 2, variant bold" in said
    said = await explained("control")
    assert "surface told, revision 1; policy" in said
    assert "experiment told, revision 2, variant control" in said


async def happened(team: Team, surface: str, slates: int, percent: dict[str, int]) -> None:
    """Let so many percent of each variant click once its slate was shown; all click again, and view
    something, beyond the window of a second and at its beginning.
    """
    exported = await team.exported(surface, slates)
    events = []
    rank: Counter[str] = Counter()
    for slate in exported:
        [exposure] = slate.exposures
        who, served = slate.subject.user_id, slate.serve_time.ToMicroseconds()
        rank[exposure.variant] += 1
        if rank[exposure.variant] * percent[exposure.variant] % 100 < percent[exposure.variant]:
            click = event(f"click-{slate.slate_id}", who, slate.items[0].item_id, "click")
            click.event_time.FromMicroseconds(served + 500_000)
            events.append(click)
        for kind, delay_us in (("click", 2_000_000), ("view", 100_000)):
            other = event(f"{kind}-late-{slate.slate_id}", who, "i1", kind)
            other.event_time.FromMicroseconds(served + delay_us)
            events.append(other)
    for at in range(0, len(events), 500):
        await team.caller.record(*events[at : at + 500])
    last = max(slate.serve_time.ToMicroseconds() for slate in exported)
    await until(lambda: time.time() * 1e6 > last + 1_000_000, "windows to be over")


async def test_the_report_finds_a_planted_effect_and_guardrails_hold(
    team: Team, tmp_path: Path
) -> None:
    await team.surface("better", **pinned("i5"))
    await team.draft(
        "effect",
        variants=[{"name": "control", "weight": 1},
                  {"name": "better", "weight": 1, "surface": "better"}],
        guardrails=[{"metric": {"name": "views", "event_types": ["view"], "kind": "KIND_ANY"},
                     "margin": 0.1}],
    )  # fmt: skip
    draft = await team.harken("report", "effect")
    assert draft.code == 1
    assert "is a draft" in draft.errors
    learned = await team.start("effect")
    people = PEOPLE[:500]
    variants = await team.variants(people, "effect", learned)
    await in_parallel([team.slate(who, "effect") for who in people])
    await happened(team, "effect", len(people), {"control": 20, "better": 60})
    done = await team.harken("report", "effect", "--json")
    assert done.code == 0, done.errors
    found = json.loads(done.output)
    counts = Counter(variants.values())
    assert {one["variant"]: one["users"] for one in found["variants"]} == counts
    assert {one["variant"]: one["counted"] for one in found["variants"]} == counts
    assert (found["says_nothing"], found["mixed"]) == (False, 0)
    clicks, views = found["comparisons"]
    assert clicks["control"] == pytest.approx(0.2, abs=0.01)
    assert clicks["difference"] == pytest.approx(0.4, abs=0.02)
    assert clicks["decided"]
    assert 0 < clicks["low"] < 0.4 < clicks["high"]
    assert (views["metric"], views["verdict"]) == ("views", "undecided")
    table = await team.harken("report", "effect")
    assert "better has more clicks than the control" in table.output
    pytest.importorskip("matplotlib")
    plotted = await team.harken("report", "effect", "--plot", "effect.svg")
    assert plotted.code == 0, plotted.errors
    assert "<svg" in (tmp_path / "effect.svg").read_text()


async def test_the_report_says_nothing_when_users_are_missing(team: Team) -> None:
    await team.draft("lossy", variants=[{"name": "a", "weight": 1}, {"name": "b", "weight": 1}])
    learned = await team.start("lossy")
    variants = await team.variants(PEOPLE, "lossy", learned)
    # A page of variant b that breaks for every second user of it before its slate is asked for.
    of_b = [who for who, variant in variants.items() if variant == "b"]
    people = [who for who in PEOPLE if who not in set(of_b[::2])]
    await in_parallel([team.slate(who, "lossy") for who in people])
    await team.exported("lossy", len(people))
    done = await team.harken("report", "lossy")
    assert "Sample-ratio mismatch" in done.output
    assert "says nothing" in done.output
    assert "difference" not in done.output
    found = json.loads((await team.harken("report", "lossy", "--json")).output)
    assert found["says_nothing"]
    assert found["comparisons"] == []
