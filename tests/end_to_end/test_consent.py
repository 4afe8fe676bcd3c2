"""Consent by purpose: what each denial does to answers, over the wire, on two replicas."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from harken.common.v1 import consent_pb2
from harken.feedback.v1 import (
    embedding_service_pb2,
    item_pb2,
    surface_pb2,
    surface_service_pb2,
)
from harken.feedback.v1.surface_service_pb2_grpc import SurfaceServiceStub
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.suite import Suite
from services.common.channels import open_channel
from services.dataset.log_export import exported_pages, exported_slates, read_log
from tests.cli.harken_process import harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, event, user
from tests.waiting import until

ITEMS = 30
DIMENSION = 128


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    """Where exploration has to be granted, and all else is until it is denied."""
    environment = {
        kind: {f"HARKEN_{kind.upper()}_DENIED_UNLESS_GRANTED": '["exploration"]'}
        for kind in ("feedback", "profile", "ranker")
    }
    return module_suite(preset="shopping", rankers=2, environment=environment)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as caller:
        learned = await caller.upsert(
            *(item_pb2.Item(item_id=f"i{n}", categories=[f"c{n % 3}"]) for n in range(ITEMS))
        )
        for replica in range(2):
            await caller.slate("nobody", learned, replica=replica)
        yield caller


async def decide(caller: Caller, who: str, source: str = "a-test", **granted: bool | None) -> bytes:
    """Decide for purposes by name; None: undecided again. Return the position to ask for."""
    request = profile_service_pb2.UpdateProfileRequest()
    request.profile.subject.user_id = who
    for purpose, choice in granted.items():
        request.update_mask.paths.append(f"consent.{purpose}")
        if choice is not None:
            decision = getattr(request.profile.consent, purpose)
            decision.granted, decision.source = choice, source
    answer = await caller.clients.profile.UpdateProfile(request)
    assert answer.position
    return bytes(answer.position)


def shown(slate: Any) -> list[tuple[str, float]]:
    return [(slot.item_id, slot.score) for slot in slate.slots]


async def bought(caller: Caller, who: str, *numbers: int) -> bytes:
    names = (f"{who}-{time.monotonic_ns()}-{n}" for n in numbers)
    return await caller.record(
        *(event(name, who, f"i{n}", "purchase") for name, n in zip(names, numbers, strict=True))
    )


async def test_without_personalisation_slates_are_anybodys_and_say_so(caller: Caller) -> None:
    learned = await bought(caller, "ann", 3, 6, 9)
    before = await caller.slate("ann", learned)
    assert not before.non_personal
    assert not {"i3", "i6", "i9"} & {slot.item_id for slot in before.slots}
    denied = await decide(caller, "ann", personalisation=False)
    for replica in range(2):
        slate = await caller.slate("ann", denied, replica=replica, count=30, preview=True)
        anybody = await caller.slate(
            "ann", denied, replica=replica, count=30, preview=True, non_personal=True
        )
        assert slate.non_personal
        assert anybody.non_personal
        assert shown(slate) == shown(anybody)
        assert len(slate.slots) == ITEMS
        ranked = await caller.clients.rankers[replica].Rank(
            ranker_service_pb2.RankRequest(subject=user("ann"), item_ids=["i3", "i1", "i2"])
        )
        assert ranked.non_personal
        assert sorted(slot.item_id for slot in ranked.slots) == ["i1", "i2", "i3"]
        call = caller.clients.rankers[replica].BatchRecommend(
            ranker_service_pb2.BatchRecommendRequest(
                subjects=[user("ann")],
                request=ranker_service_pb2.RecommendRequest(count=30, preview=True),
            )
        )
        batched = [result.slate async for answer in call for result in answer.results]
        assert [one.non_personal for one in batched] == [True]
        assert shown(batched[0]) == shown(anybody)
    profile = (await caller.profile("ann", denied)).profile
    assert profile.counters.events == 3
    assert not profile.consent.personalisation.granted
    assert profile.consent.personalisation.source == "a-test"
    # Said again without a time: it is still the decision of then.
    etag = profile.etag
    await decide(caller, "ann", personalisation=False)
    assert (await caller.profile("ann", denied)).profile.etag == etag
    granted = await decide(caller, "ann", personalisation=True)
    again = await caller.slate("ann", granted, preview=True)
    assert not again.non_personal
    assert not {"i3", "i6", "i9"} & {slot.item_id for slot in again.slots}
    # Without a position it is in force a moment later.
    await decide(caller, "ann", personalisation=None)
    await decide(caller, "ann", personalisation=False)
    began = time.monotonic()
    for replica in range(2):

        async def non_personal(replica: int = replica) -> bool:
            return (await caller.slate("ann", replica=replica, preview=True)).non_personal

        await until(non_personal, "the denial to be heard of")
    assert time.monotonic() - began < 1


async def test_who_denies_personalisation_is_found_by_nobody(caller: Caller) -> None:
    learned = await caller.put(
        *(
            embedding_service_pb2.Embedding(
                subject=user(who), values=[0.05] * DIMENSION, pinned=True
            )
            for who in ("near", "nearer", "nearest")
        )
    )
    for who in ("near", "nearer", "nearest"):
        await caller.profile(who, learned)

    async def found(who: str) -> list[str]:
        request = profile_service_pb2.FindSimilarUsersRequest(subject=user(who))
        answer = await caller.clients.profile.FindSimilarUsers(request)
        return sorted(one.subject.user_id for one in answer.users)

    assert await found("near") == ["nearer", "nearest"]
    await decide(caller, "nearest", personalisation=False)
    assert await found("near") == ["nearer"]
    assert await found("nearest") == []
    await decide(caller, "nearest", personalisation=True)
    assert await found("near") == ["nearer", "nearest"]


async def test_without_exploration_chance_has_no_part(running: Suite, caller: Caller) -> None:
    surface = surface_pb2.Surface(name="chance")
    json_format.ParseDict({"exploration": {"epsilon": 0.9}}, surface.config)
    async with open_channel(running.endpoints.feedback) as channel:
        put = surface_service_pb2.PutSurfaceRequest(surface=surface)
        surfaces: Any = SurfaceServiceStub(channel)
        learned: bytes = (await surfaces.PutSurface(put)).position
    asked: dict[str, Any] = {"surface": "chance", "preview": True}
    undecided = await caller.slate("eve", learned, **asked)
    assert (undecided.policy, undecided.unexplored) == ("greedy-1", True)
    granted = await decide(caller, "eve", exploration=True)
    drawn = await caller.slate("eve", granted, **asked)
    assert (drawn.policy, drawn.unexplored) == ("epsilon-1", False)
    assert any(slot.propensity < 1 for slot in drawn.slots)
    denied = await decide(caller, "eve", exploration=False)
    first, second = [await caller.slate("eve", denied, **asked) for _ in range(2)]
    for slate in (first, second):
        assert (slate.policy, slate.unexplored, slate.seed) == ("greedy-1", True, 0)
        assert {slot.propensity for slot in slate.slots} == {1.0}
        assert not slate.non_personal
    assert shown(first) == shown(second)


async def test_without_learning_events_are_the_persons_own(caller: Caller) -> None:
    """Truth 1 and 8 hold for them as for all; what is shared stays as it is, to the byte."""
    await bought(caller, "bob", 1, 2, 4)
    denied = await decide(caller, "fay", learning=False)
    await caller.slate("fay", denied)

    async def shared() -> tuple[Any, ...]:
        state = await caller.state()
        lists = [
            await caller.clients.rankers[0].ListTrending(
                ranker_service_pb2.ListTrendingRequest(count=30)
            ),
            await caller.slate("someone", count=30, preview=True, non_personal=True),
        ]
        return state.tenants[0].digest, *(shown(one) for one in lists)

    before = await shared()
    learned = await bought(caller, "fay", *(20, 21, 22) * 5)
    slate = await caller.slate("fay", learned, preview=True)
    assert not {"i20", "i21", "i22"} & {slot.item_id for slot in slate.slots}
    assert (await caller.profile("fay", learned)).profile.counters.events == 15
    assert await shared() == before
    learned = await bought(caller, "gil", *(20, 21, 22) * 5)
    await caller.slate("fay", learned)
    assert await shared() != before


async def test_exports_leave_out_who_denies_them(
    running: Suite, caller: Caller, tmp_path: Path
) -> None:
    for who in ("hal", "ida", "joe"):
        await caller.slate(who, await bought(caller, who, 7, 8))
    target = running.endpoints.feedback

    def people(*, for_learning: bool = False) -> tuple[set[str], int]:
        pages = list(exported_pages(target, for_learning=for_learning))
        whose = {one.subject.user_id for page in pages for one in page.events}
        return whose & {"hal", "ida", "joe"}, sum(page.left_out for page in pages)

    def slates() -> tuple[set[str], int]:
        pages = list(exported_slates(target))
        whose = {one.subject.user_id for page in pages for one in page.slates}
        return whose & {"hal", "ida", "joe"}, sum(page.left_out for page in pages)

    async def logged() -> bool:
        return (await asyncio.to_thread(slates))[0] == {"hal", "ida", "joe"}

    await until(logged, "slates to be logged")
    assert await asyncio.to_thread(people) == ({"hal", "ida", "joe"}, 0)
    await decide(caller, "hal", export=False)
    await decide(caller, "ida", learning=False)
    assert await asyncio.to_thread(people) == ({"ida", "joe"}, 2)
    found, left_out = await asyncio.to_thread(people, for_learning=True)
    assert found == {"joe"}
    assert left_out >= 4
    assert await asyncio.to_thread(slates) == ({"ida", "joe"}, 1)
    history = await asyncio.to_thread(read_log, target)
    assert {"hal", "ida"}.isdisjoint(history.events.user_ids)
    assert history.left_out == left_out
    done = await harken("export", "e.csv", folder=tmp_path, endpoints=running.endpoints)
    assert "2 left out, as their users deny exports" in done.output, done.errors
    told = await harken(
        "consent", "hal", "export=yes", "learning=default", "--source", "desk",
        folder=tmp_path, endpoints=running.endpoints,
    )  # fmt: skip
    assert told.code == 0, told.errors
    shown_again = await harken("consent", "hal", folder=tmp_path, endpoints=running.endpoints)
    assert [line.split()[:2] for line in shown_again.output.splitlines() if "desk" in line] == [
        ["export", "granted"]
    ]
    wrong = await harken("consent", "hal", "sale=yes", folder=tmp_path, endpoints=running.endpoints)
    assert "'sale=yes'" in wrong.errors
    assert await asyncio.to_thread(people) == ({"hal", "ida", "joe"}, 0)


async def test_a_wrong_decision_changes_nothing_and_says_what_is_wrong(caller: Caller) -> None:
    await decide(caller, "kim", learning=False)

    async def refused(*paths: str, **fields: Any) -> str:
        request = profile_service_pb2.UpdateProfileRequest()
        request.profile.subject.user_id = "kim"
        request.update_mask.paths.extend(paths)
        request.profile.consent.learning.CopyFrom(consent_pb2.ConsentDecision(**fields))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await caller.clients.profile.UpdateProfile(request)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        return error.value.details() or ""

    assert "source" in await refused("consent.learning", granted=True)
    assert "source" in await refused("consent", granted=True, source="x" * 65)
    assert "time" in await refused(
        "consent.learning", granted=True, source="x", time={"seconds": 2**34}
    )
    assert "update_mask.paths[0]" in await refused("consent.marketing", granted=True, source="x")
    profile = (await caller.profile("kim", b"")).profile
    assert not profile.consent.learning.granted
    assert profile.consent.learning.HasField("time")
    # What no path names is not looked at.
    request = profile_service_pb2.UpdateProfileRequest()
    request.profile.subject.user_id = "kim"
    request.profile.attributes["plan"] = "gold"
    request.profile.consent.learning.granted = True
    answer = await caller.clients.profile.UpdateProfile(request)
    assert not answer.profile.consent.learning.granted
    assert not answer.position
