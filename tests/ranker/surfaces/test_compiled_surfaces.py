"""Slates of surfaces are those of NumPy where the compiled core makes them: what candidates are
worth, who proposed them, what rules did, and what is logged.

Truth 11.
"""

from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.feedback.v1 import surface_pb2
from harken.internal.slates.v1 import slate_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.surfaces.sources import SOURCES
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.eligibility import keep
from services.ranker.domain.seen_rule import ALL_FOREVER
from services.ranker.domain.surface.drafts import Drafts
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.surface.sources.merging import merged
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState
from services.ranker.numpy_slates import NumpySlates
from services.ranker.slate_conversion import filter_of
from services.ranker.surfaces.surface_reader import surface_of
from services.ranker.surfaces.surface_slates import ShapedAnswer, shaped_answer
from tests.ranker.compiled import core_or_skip
from tests.ranker.generations import generation
from tests.ranker.test_compiled_slates import NOW, replica_of, user_of

CORE = core_or_skip()
COMPILED, NUMPY = CompiledSlates(CORE), NumpySlates()

WEIGHTS = st.sampled_from([0.1, 1.0, 1.0, 3.0])
QUOTAS = st.sampled_from([0, 1, 5, 1000])
RULES: list[dict[str, Any]] = [
    {"name": "boost", "boost": {"items": "'c1' in item.categories", "factor": 2.0}},
    {"name": "pin", "pin": {"items": "'c2' in item.categories", "slot": 2}},
    {"name": "one", "pin": {"itemId": "item-7", "slot": 1}},
    {"name": "cap", "cap": {"attribute": "category", "most": 2}},
    {"name": "most", "atMost": {"items": "'c0' in item.categories", "count": 1}},
    {"name": "least", "atLeast": {"items": "'c1' in item.categories", "count": 2}},
]


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    named = draw(st.lists(st.sampled_from(SOURCES), unique=True))
    rules = draw(st.lists(st.sampled_from(RULES), unique_by=lambda rule: rule["name"]))
    return {
        "gates": draw(st.sampled_from([[], [{"name": "g", "keep": "!('c0' in item.categories)"}]])),
        "sources": [
            {"source": name, "quota": draw(QUOTAS), "weight": draw(WEIGHTS)} for name in named
        ],
        "rules": rules,
        "diversity": {"strength": draw(st.sampled_from([0.0, 0.4]))},
        "exploration": draw(
            st.sampled_from([{}, {"plackettLuceTemperature": 0.3, "newItemShare": 0.2}])
        ),
    }


def made(
    drafts: Drafts, replica: TenantReplica, user: UserState, config: dict[str, Any], seed: int
) -> ShapedAnswer:
    surface = surface_of(json_format.ParseDict(config, surface_pb2.SurfaceConfig()), 1)
    candidates = [
        pb.GivenCandidate(item_id=f"item-{n}", prior=n / 7 - 2.0) for n in range(3, 60, 9)
    ]
    request = pb.RecommendRequest(candidates=candidates, explain=True)
    wanted = filter_of(request, ALL_FOREVER)._replace(gates=surface.gates)
    return shaped_answer(
        drafts, replica, generation(), user, surface, wanted, request, 10, NOW, seed, (), (),
        Finds(), True,
    )  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(configs(), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 40]))
def test_slates_of_surfaces_are_the_same(config: dict[str, Any], seed: int, events: int) -> None:
    chance = np.random.default_rng(seed)
    replica = replica_of(int(chance.choice([1, 20, 70, 300])), chance)
    user = user_of(replica.catalogue.size, events, chance, replica)
    ours, theirs = (made(drafts, replica, user, config, seed) for drafts in (COMPILED, NUMPY))
    slots, others = (pb.RecommendResponse.FromString(one.slate.slots) for one in (ours, theirs))
    assert [slot.item_id for slot in slots.slots] == [slot.item_id for slot in others.slots]
    for slot, other in zip(slots.slots, others.slots, strict=True):
        assert slot.score == pytest.approx(other.score, rel=1e-5, abs=1e-7, nan_ok=True)
        assert slot.propensity == pytest.approx(other.propensity, rel=1e-4)
        assert slot.reason == other.reason
        assert slot.applied_rules == other.applied_rules
        assert [(one.source, one.rank) for one in slot.sources] == [
            (one.source, one.rank) for one in other.sources
        ]
    assert ours.slate.drops == theirs.slate.drops
    assert ours.lost == theirs.lost
    assert (ours.decision is None) == (theirs.decision is None)
    logged, log = (
        slate_service_pb2.ServedSlate.FromString(one.slate.logged) for one in (ours, theirs)
    )
    assert logged.item_ids == log.item_ids
    if ours.decision is not None and theirs.decision is not None:
        decision, other_decision = ours.decision.made(), theirs.decision.made()
        assert decision.candidate_ids == other_decision.candidate_ids
        assert decision.barred == other_decision.barred
        np.testing.assert_allclose(
            np.frombuffer(decision.utilities, "<f4"),
            np.frombuffer(other_decision.utilities, "<f4"),
            rtol=1e-4, atol=1e-4,
        )  # fmt: skip


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(0, 30))
def test_lists_are_merged_alike(seed: int, lists: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(lists):
        items = np.sort(chance.permutation(40)[: chance.integers(0, 30)])
        levels = chance.integers(-3, 3, items.size).astype(np.float64)
        order = (-levels).argsort(kind="stable")
        found.append((items[order], levels[order]))
    eligible = chance.random(40) < 0.7
    ours = COMPILED.merged(found, eligible, count)
    assert ours.tolist() == merged(found, eligible, count).tolist()


def test_what_is_merged_is_checked() -> None:
    merge, eligible, room = CORE.SlateDraft.merge, np.ones(3, np.bool_), np.empty(5, np.int64)
    items, levels = np.array([2, 0]), np.array([1.0, 0.0])
    assert merge([(items, levels)], eligible, room) == 2
    for wrong in ([(items, levels[:1])], [(items,)], ((items, levels),), [(levels, items)]):
        with pytest.raises((ValueError, TypeError)):
            merge(wrong, eligible, room)  # type: ignore[arg-type]
    for outside in (-1, 3):
        with pytest.raises(IndexError):
            merge([(np.array([outside]), levels[:1])], eligible, room)


@given(st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_what_is_kept_is_counted(size: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    eligible, mask = chance.random((2, size)) < 0.5
    own = eligible.copy()
    assert CORE.SlateDraft.keep(own, mask) == keep(eligible, mask) == np.count_nonzero(own)
    assert own.tolist() == eligible.tolist()
