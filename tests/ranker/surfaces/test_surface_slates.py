"""Slates of surfaces at the edges: long ones, sorted ones, empty ones, and what is kept of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format

from harken.feedback.v1 import surface_pb2
from harken.internal.slates.v1 import slate_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from harken.ranker.v1.replayed_slate_pb2 import REPLAY_OUTCOME_SAME, ExplainSlateResponse
from services.common.ranking.recent import RECENT
from services.common.reloadable import Reloadable
from services.common.request_reader import Refused, reader_of
from services.common.surfaces.sources import SIMILAR, SOURCES
from services.feed.entries import ShownSlate, TenantEntries
from services.feed.parameters import PosteriorParameters
from services.feedback.slates.decision_faults import decision_fault
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.order_posterior import OrderPosterior
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRules
from services.ranker.domain.selection.plan import Diversity
from services.ranker.domain.shown_slates import ShownSlates
from services.ranker.domain.surface import shaping
from services.ranker.domain.surface.drafts import Drafts
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import PutVector, UserState
from services.ranker.numpy_slates import NumpySlates
from services.ranker.request_context import RequestContext
from services.ranker.slate_explainer import explanation
from services.ranker.surfaces.asked import Asked, user_for
from services.ranker.surfaces.surface_reader import surface_of
from services.ranker.surfaces.surface_slates import ShapedAnswer, SurfaceSlates
from tests.ranker.compiled import core_or_skip
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import DIMENSION, generation, manifest
from tests.ranker.replicas import folded

CORE = core_or_skip()
NOW = 1_700_000_000.0


@pytest.fixture(params=["compiled", "numpy"])
def drafts(request: pytest.FixtureRequest) -> Drafts:
    return CompiledSlates(CORE) if request.param == "compiled" else NumpySlates()


def replica_of(items: int, vectors: int | None = None, **config: Any) -> TenantReplica:
    """Return one with items i0.., 250 to a category, the last `vectors` of which have a vector."""
    surface = surface_pb2.Surface(name="home")
    json_format.ParseDict(config, surface.config)
    changes = Changes(activated=manifest())
    changes.document("surface", "home", 1, surface.SerializeToString())
    held = range(items - (items if vectors is None else vectors), items)
    for n in range(items):
        changes.item(f"i{n}", [f"c{n // 250}"])
        if n in held:
            changes.vector(f"i{n}", np.random.default_rng(n).normal(0, 1, DIMENSION).tolist())
    return folded([frame(1, changes)]).replicas["default"]


def user_of(replica: TenantReplica, *item_ids: str) -> UserState:
    """Return a user who liked these, the last one latest."""
    recent = np.empty(len(item_ids), RECENT)
    recent["item"], recent["weight"] = replica.catalogue.find_all(item_ids), 1.0
    recent["time"] = NOW - np.arange(len(item_ids))[::-1] - 1
    return UserState(1, recent)


def answered(
    drafts: Drafts, replica: TenantReplica, user: UserState, count: int, **fields: Any
) -> ShapedAnswer:
    surfaces = SurfaceSlates(drafts, Reloadable({}), Reloadable(SeenRules({}, ALL_FOREVER)))
    request = pb.RecommendRequest(surface="home", count=count, **fields)
    found = RequestContext(replica, generation(), user, False, ())
    asked = Asked(None, None)
    decided = surfaces.decided(replica, request, request.subject.user_id)
    return surfaces.answer(found, request, decided, asked, b"ann", count, NOW, True)[0]


def slots_of(answer: ShapedAnswer) -> Sequence[slate_pb2.Slot]:
    return pb.RecommendResponse.FromString(answer.slate.slots).slots


def test_a_decision_of_a_long_slate_is_one_that_feedback_takes(drafts: Drafts) -> None:
    replica = replica_of(300, exploration={"epsilon": 0.5}, diversity={"strength": 0.5})
    answer = answered(drafts, replica, user_of(replica), 150)
    assert answer.slate.items == 150
    logged = slate_service_pb2.ServedSlate.FromString(answer.slate.logged)
    assert answer.decision is not None
    message = answer.decision.made()
    assert decision_fault(message, logged.item_ids) is None
    assert len(message.lowered) == len(logged.item_ids)
    assert message.ByteSize() <= answer.decision.size + 200


def test_diversity_of_no_strength_is_that_of_the_default() -> None:
    """Named and 0 it is none; where there is no such section there is none either."""
    config = surface_pb2.SurfaceConfig()
    assert surface_of(config, 1).diversity is None
    config.diversity.SetInParent()
    assert surface_of(config, 1).diversity == Diversity(0.03)
    config.diversity.strength = 0.0
    assert surface_of(config, 1).diversity is None
    config.diversity.strength = 0.5
    assert surface_of(config, 1).diversity == Diversity(0.5)


def test_what_is_sorted_is_not_said_to_explore(drafts: Drafts) -> None:
    replica = replica_of(
        30, exploration={"epsilon": 0.5}, rules=[{"name": "old", "sort": {"by": "1.0"}}]
    )
    answer = answered(drafts, replica, user_of(replica), 10)
    assert [lost.rule for lost in answer.lost] == ["exploration"]
    assert (answer.policy, answer.seed) == ("greedy-1", 0)
    assert answer.decision is not None
    assert answer.decision.made().exploration == surface_pb2.Exploration()
    assert all(slot.propensity == 1.0 for slot in slots_of(answer))


def explained(replica: TenantReplica, answer: ShapedAnswer) -> ExplainSlateResponse:
    """Return what the log of an answer says."""
    slate = slate_service_pb2.ServedSlate.FromString(answer.slate.logged)
    slate.policy, slate.seed = answer.policy, answer.seed
    assert answer.decision is not None
    slate.decision.CopyFrom(answer.decision.made())
    assert decision_fault(slate.decision, slate.item_ids) is None
    return explanation(slate, replica.generation)


@pytest.mark.parametrize("strength", [0.0, 0.4])
def test_of_a_slate_without_chance_a_few_candidates_are_logged_and_it_is_the_same(
    drafts: Drafts, strength: float
) -> None:
    """Truth 11; and what score alone makes of it is that of all candidates."""
    config: dict[str, Any] = {
        "diversity": {"strength": strength},
        "sources": [{"source": "similar", "quota": 200}, {"source": "new", "quota": 1000}],
        "rules": [
            {"name": "some", "boost": {"items": "item.id.endsWith('7')", "factor": 20}},
            {"name": "few", "cap": {"attribute": "category", "most": 2}},
            {"name": "last", "pin": {"itemId": "i1", "slot": 3}},
        ],
    }
    replica = replica_of(2000, **config)
    answer = answered(drafts, replica, user_of(replica, "i700"), 12, explain=True)
    assert answer.decision is not None
    made = answer.decision.made()
    assert made.considered > 200
    assert len(made.candidate_ids) <= 12 + 50
    assert made.ByteSize() <= min(answer.decision.size + 200, 6000)
    found = explained(replica, answer)
    assert found.outcome == REPLAY_OUTCOME_SAME
    assert found.candidates == made.considered
    said = [slot.explanation for slot in slots_of(answer)]
    assert [slot.place_without_rules for slot in found.slots] == [
        one.place_without_rules for one in said
    ]
    assert [slot.item_id_without_rules for slot in found.slots] == [
        one.item_id_without_rules for one in said
    ]


@pytest.mark.parametrize("items", [0, 3])
def test_an_empty_slate_is_one(drafts: Drafts, items: int) -> None:
    replica = replica_of(
        items,
        gates=[{"name": "none", "keep": "false"}],
        sources=[{"source": name, "quota": 1000} for name in SOURCES],
        rules=[
            {"name": "pin", "pin": {"itemId": "i1", "slot": 1}},
            {"name": "some", "atLeast": {"items": "true", "count": 3}},
            {"name": "cap", "cap": {"attribute": "category", "most": 1, "lastSlates": 2}},
            {"name": "price", "cap": {"attribute": "number.price", "most": 1}},
        ],
        diversity={"strength": 0.5},
        exploration={"plackettLuceTemperature": 1.0, "newItemShare": 0.5},
    )
    user = user_of(replica, *(["i1"] if items else []))
    given = [pb.GivenCandidate(item_id=name) for name in ("i1", "unknown")]
    answer = answered(drafts, replica, user, 10, candidates=given, explain=True)
    assert answer.slate.items == 0
    assert answer.next_page == ""


def test_all_that_a_surface_may_ask_for_has_room(drafts: Drafts) -> None:
    some = [
        {"name": f"r{n}", "atLeast": {"items": f"item.id.endsWith('{n:02}')", "count": 100}}
        for n in range(50)
    ]
    replica = replica_of(
        11_000,
        sources=[{"source": name, "quota": 1000} for name in SOURCES],
        rules=some,
        exploration={"newItemShare": 0.5, "newItemEvents": 20},
    )
    given = [pb.GivenCandidate(item_id=f"i{n}") for n in range(5000, 6000)]
    answer = answered(drafts, replica, user_of(replica, "i1"), 1000, candidates=given)
    logged = slate_service_pb2.ServedSlate.FromString(answer.slate.logged)
    assert answer.decision is not None
    assert decision_fault(answer.decision.made(), logged.item_ids) is None


def test_caps_hold_where_all_of_the_best_are_of_one_kind(drafts: Drafts) -> None:
    replica = replica_of(
        300, rules=[{"name": "kinds", "cap": {"attribute": "category", "most": 3}}]
    )
    given = [pb.GivenCandidate(item_id=f"i{n}", prior=10.0 * (n < 250)) for n in range(300)]
    answer = answered(drafts, replica, user_of(replica), 6, candidates=given)
    assert answer.lost == []
    assert sum(int(slot.item_id[1:]) < 250 for slot in slots_of(answer)) == 3


def test_similar_names_the_item_that_was_compared(drafts: Drafts) -> None:
    """The latest item has no vector, so it is not what others resemble."""
    replica = replica_of(500, 480, sources=[{"source": SIMILAR, "quota": 20, "weight": 100.0}])
    because = [slot.reason.because_item_id for slot in similar_slots(drafts, replica)]
    assert because
    assert set(because) == {"i350"}


def test_similar_is_a_reason_only_where_no_other_source_proposed(drafts: Drafts) -> None:
    replica = replica_of(500, 480, sources=[{"source": SIMILAR, "quota": 20, "weight": 100.0}])
    alike = {slot.item_id for slot in similar_slots(drafts, replica)}
    given = [pb.GivenCandidate(item_id=item_id, prior=20.0) for item_id in alike]
    assert alike
    assert not similar_slots(drafts, replica, candidates=given)


def similar_slots(
    drafts: Drafts, replica: TenantReplica, **fields: Any
) -> Sequence[slate_pb2.Slot]:
    """Return those that are there for their likeness, for a user whose taste is the opposite of
    what was liked last.
    """
    user = user_of(replica, "i350", "i1")
    liked = replica.index.vectors(replica.catalogue.find_all(["i350"]))[0]
    user.put = PutVector("g1", -liked, pinned=True)
    similar = slate_pb2.REASON_CODE_SIMILAR
    slots = slots_of(answered(drafts, replica, user, 300, **fields))
    assert any(source.source == SIMILAR for slot in slots for source in slot.sources)
    return [slot for slot in slots if slot.reason.code == similar]


def test_no_more_slates_are_remembered_than_are_asked_for() -> None:
    shown = ShownSlates()
    for n in range(5):
        shown.add(b"ann", "home", f"s{n}", np.array([n]), 2)
    assert [one.tolist() for one in shown.of(b"ann", "home", 50)] == [[4], [3]]


def test_slates_of_other_replicas_are_remembered_and_own_ones_once() -> None:
    replica, shown = replica_of(3), ShownSlates()
    shown.add(b"ann", "home", "1-own", replica.catalogue.find_all(["i1"]), 5)
    told = [
        ShownSlate("1-own", b"ann", "home", [1], 5),
        ShownSlate("2-other", b"ann", "home", [0, 2], 5),
        ShownSlate("3-elsewhere", b"ann", "basket", [0], 5),
    ]
    shown.take(TenantEntries("t", ["i0", "i1", "gone"], shown=told), replica.catalogue.find_all)
    first, second = (
        [replica.catalogue.item_id(item) for item in one.tolist()]
        for one in shown.of(b"ann", "home", 5)
    )
    assert (first, second) == (["i0"], ["i1"])
    assert shown.of(b"bob", "home", 5) == []


def test_what_is_looked_at_is_the_latest_also_where_clocks_differ() -> None:
    replica = replica_of(3)
    user = user_of(replica, "i0")
    user.recent["time"] = NOW + 5
    seen = user_for(replica, user, pb.Context(query_item_id="i1"), NOW)
    assert seen.recent["item"].tolist() == replica.catalogue.find_all(["i0", "i1"]).tolist()


def test_a_thousand_candidates_of_long_ids_are_read() -> None:
    given = [pb.GivenCandidate(item_id=f"{n:0120}", prior=1.0) for n in range(1000)]
    body = pb.RecommendRequest(candidates=given).SerializeToString()
    read = reader_of(pb.RecommendRequest)(body)
    assert not isinstance(read, Refused)


def test_what_features_add_by_occlusion_is_what_they_add_where_it_is_linear(
    drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle: of a linear scorer both are the same."""
    replica = replica_of(60)
    user = user_of(replica, "i3", "i7")
    exact = slots_of(answered(drafts, replica, user, 5, explain=True))
    monkeypatch.setattr(generation().scorer, "affine", None)
    occluded = slots_of(answered(drafts, replica, user, 5, explain=True))
    for one, other in zip(exact, occluded, strict=True):
        parts = {part.feature: part.contribution for part in one.explanation.contributions}
        assert parts
        assert {
            part.feature: part.contribution for part in other.explanation.contributions
        } == pytest.approx(parts, abs=1e-4)
        assert other.explanation.rest == pytest.approx(one.explanation.rest, abs=1e-4)


def test_the_most_important_item_is_one_of_the_users_that_points_there(drafts: Drafts) -> None:
    """Where no rule says anything: leaving it out takes most of the dot product."""
    changes = Changes(activated=manifest())
    for name, vector in {
        "left": [1.0, 0, 0, 0], "up": [0, 1.0, 0, 0], "lefter": [0.9, 0.1, 0, 0],
        "upper": [0.1, 0.9, 0, 0], "away": [0, 0, 1.0, 0],
    }.items():  # fmt: skip
        changes.item(name).vector(name, vector)
    replica = folded([frame(1, changes)]).replicas["default"]
    user = user_of(replica, "left", "up")
    said = {
        slot.item_id: slot.explanation.most_important_item_id
        for slot in slots_of(answered(drafts, replica, user, 5, explain=True))
    }
    assert (said["lefter"], said["upper"], said["away"]) == ("left", "up", "")
    pinned = UserState(1, user.recent, None, PutVector("g1", np.ones(DIMENSION, np.float32), True))
    for slot in slots_of(answered(drafts, replica, pinned, 5, explain=True)):
        assert not slot.explanation.most_important_item_id


def sure(replica: TenantReplica) -> None:
    """The order is known, but not surely."""
    serving = replica.generation
    assert serving is not None
    precisions = np.eye(len(serving.scorer.features) + 1, dtype=np.float32) * 6
    told = PosteriorParameters(serving.generation_id, precisions, 4.0)
    replica.order_posterior = OrderPosterior.of(told)


@pytest.mark.parametrize("sorts", [False, True])
def test_what_was_drawn_is_logged_where_it_decided(drafts: Drafts, sorts: bool) -> None:
    """Truth 11. Where a sort decides, chance has no part, and fewer candidates are logged."""
    rules = [{"name": "old", "sort": {"by": "1.0"}}] if sorts else []
    replica = replica_of(300, exploration={"thompsonScale": 1.0}, rules=rules)
    sure(replica)
    answer = answered(drafts, replica, user_of(replica, "i0", "i1"), 10)
    logged = slate_service_pb2.ServedSlate.FromString(answer.slate.logged)
    assert answer.decision is not None
    message = answer.decision.made()
    assert decision_fault(message, logged.item_ids) is None
    assert len(message.drawn) == (0 if sorts else 32)


def test_a_slate_that_is_heard_of_late_takes_its_place() -> None:
    shown = ShownSlates()
    for name in ("s3", "s1", "s2"):
        shown.add(b"ann", "home", name, np.array([int(name[1])]), 2)
    assert [one.tolist() for one in shown.of(b"ann", "home", 5)] == [[3], [2]]


def test_a_source_that_fails_or_is_late_makes_the_slate_degraded(
    drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truth 14: the others serve, and the answer says so."""
    replica = replica_of(
        30, sources=[{"source": "trending"}, {"source": "new"}, {"source": "similar"}]
    )
    user = user_of(replica, "i0")
    assert answered(drafts, replica, user, 10).failed == ()

    def fails(*_: object) -> Any:
        raise ZeroDivisionError("nothing trends")

    monkeypatch.setattr(shaping, "trending", fails)
    answer = answered(drafts, replica, user, 10)
    assert answer.failed == ("trending",)
    assert answer.slate.degradations == (Degradation.SOURCE_FAILED,)
    assert answer.slate.items == 10
