"""Slates: what they never hold (truth 9), how they are ordered, and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.ranking.features import FEATURES
from services.common.ranking.recent import RECENT
from services.feed.parameters import CatalogueChanges
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.generation import Generation
from services.ranker.domain.reasons import ReasonCode
from services.ranker.domain.seen_items import SEEN
from services.ranker.domain.seen_rule import ALL_FOREVER, read_rule
from services.ranker.domain.slate import Slate, make_slate, rank_items
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import PutVector, UserState
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import DIMENSION, generation, manifest
from tests.ranker.replicas import HALF_LIFE, folded

NOW = 1000.0
IDS = [f"i{n}" for n in range(30)]
ID = st.sampled_from(IDS)
CATEGORIES = "abc"
PURCHASES = read_rule({"purchase": "forever"})
"""A rule under which what the users of this file did, views, hides nothing."""


@dataclass
class Shop:
    """Items as a shop keeper would list them, for the replica and for the oracle."""

    changes: Changes
    categories: dict[str, list[str]] = field(default_factory=dict)
    unavailable: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    without_vector: set[str] = field(default_factory=set)

    def servable(self) -> set[str]:
        gone = self.unavailable | self.expired | self.deleted | self.without_vector
        return set(self.categories) - gone


VALUES = st.lists(st.floats(-2, 2, width=32), min_size=DIMENSION, max_size=DIMENSION)


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    shop = Shop(Changes(activated=manifest()))
    for item_id in draw(st.lists(ID, unique=True, max_size=25)):
        state = draw(st.sampled_from(["fine", "fine", "fine", "unavailable", "expired", "bare"]))
        shop.categories[item_id] = draw(st.lists(st.sampled_from(CATEGORIES), max_size=2))
        shop.changes.item(
            item_id,
            shop.categories[item_id],
            available=state != "unavailable",
            expire_seconds=draw(st.sampled_from([900, 1000])) if state == "expired" else 1001,
        )
        if state == "unavailable":
            shop.unavailable.add(item_id)
        if state == "expired":
            shop.expired.add(item_id)
        if state == "bare":
            shop.without_vector.add(item_id)
        else:
            shop.changes.vector(item_id, draw(VALUES), draw(st.floats(-1, 1, width=32)))
    shop.deleted = set(draw(st.lists(ID, max_size=3)))
    shop.changes.deleted = sorted(shop.deleted)
    for source, slot, target in draw(st.lists(st.tuples(ID, st.integers(0, 5), ID), max_size=30)):
        shop.changes.rule(source, slot, target, 1.0)
    for item_id in draw(st.lists(ID, max_size=20)):
        shop.changes.popularity(item_id, draw(st.floats(-5, 5)), 3.0)
    return shop


def put_vector(values: Sequence[float], generation_id: str = "g1") -> PutVector:
    return PutVector(generation_id, np.array(values, np.float32), pinned=False)


@st.composite
def users(draw: st.DrawFn, shop: Shop, replica: TenantReplica) -> tuple[UserState, set[str]]:
    # Mostly items that could be served: only those show whether a filter works.
    seen = draw(st.lists(st.sampled_from(sorted(shop.servable()) or IDS) | ID, max_size=10))
    recent = np.empty(len(seen), dtype=RECENT)
    recent["item"] = replica.ordinals(seen)
    recent["weight"] = draw(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0]), min_size=len(seen),
                                     max_size=len(seen)))  # fmt: skip
    recent["time"] = np.arange(len(seen))
    put = draw(st.none() | st.builds(put_vector, VALUES, st.sampled_from(["g1", "g1", "old"])))
    viewed = np.zeros(len(seen), dtype=SEEN)
    viewed["item"] = recent["item"]
    viewed["kind"] = replica.users.kinds.number("view", negative=False)
    user = UserState(1, recent, viewed, put)
    return user, set(seen)


def found_in(shop: Shop) -> tuple[TenantReplica, Generation]:
    replica = folded([frame(1, shop.changes)]).replicas["default"]
    assert replica.generation is not None
    return replica, replica.generation


def ids(slate: Slate) -> list[str]:
    return [slot.item_id for slot in slate.slots]


@given(shops(), st.data())
def test_a_slate_holds_what_it_may_and_nothing_else(shop: Shop, data: st.DataObject) -> None:
    """Truth 9, with the oracle's own filter over the shop keeper's list."""
    replica, serving = found_in(shop)
    user, seen = data.draw(users(shop, replica))
    servable = st.sampled_from(sorted(shop.servable()) or IDS)
    wanted = ItemFilter(
        tuple(data.draw(st.lists(st.sampled_from([*CATEGORIES, "none"]), max_size=2))),
        tuple(data.draw(st.lists(st.sampled_from([*CATEGORIES, "none"]), max_size=1))),
        tuple(data.draw(st.lists(servable | st.just("unheard of"), max_size=5))),
        allow_seen=data.draw(st.booleans()),
        seen_rule=data.draw(st.sampled_from([ALL_FOREVER, PURCHASES])),
    )
    if wanted.seen_rule is PURCHASES:
        seen = set()
    count = data.draw(st.integers(1, 30))

    slate = make_slate(replica, serving, user, count, wanted, NOW)

    allowed = shop.servable() - set(wanted.excluded_item_ids)
    if not wanted.allow_seen:
        allowed -= seen
    category_of = shop.categories
    if wanted.categories:
        allowed = {i for i in allowed if set(category_of[i]) & set(wanted.categories)}
    allowed = {i for i in allowed if not set(category_of[i]) & set(wanted.excluded_categories)}
    assert set(ids(slate)) <= allowed
    assert len(set(ids(slate))) == len(slate.slots) == min(count, len(allowed))
    scores = [slot.score for slot in slate.slots]
    assert scores == sorted(scores, reverse=True)
    assert all(slot.propensity == 1.0 for slot in slate.slots)

    listed = set(shop.categories) - shop.deleted
    left = shop.servable()
    assert slate.drops.unavailable == len(listed & (shop.unavailable | shop.expired))
    assert slate.drops.excluded == len(left & set(wanted.excluded_item_ids))
    left -= set(wanted.excluded_item_ids)
    assert slate.drops.seen == (0 if wanted.allow_seen else len(left & seen))
    left -= set() if wanted.allow_seen else seen
    assert slate.drops.category == len(left) - len(allowed)

    again = make_slate(replica, serving, user, count, wanted, NOW)
    assert again == slate
    degraded = Degradation.VECTOR_OF_OTHER_GENERATION in slate.degradations
    made = None if user.encoded is None else user.encoded.vector
    old = user.put is not None and user.put.generation_id == "old"
    assert degraded == (old and made is None)


@given(shops(), st.data())
def test_sources_say_what_they_proposed(shop: Shop, data: st.DataObject) -> None:
    replica, serving = found_in(shop)
    user, _ = data.draw(users(shop, replica))
    slate = make_slate(replica, serving, user, 30, ItemFilter(), NOW)
    made = None if user.encoded is None else user.encoded.vector
    usable = user.put.vector if user.put and user.put.generation_id == "g1" else made
    values = {
        item_id: np.array([*vector, bias], np.float32)
        for item_id, vector, bias in shop.changes.vectors
    }
    levels = {item_id: level for item_id, level, _ in shop.changes.popular}
    latest = {
        replica.catalogue.item_id(int(event["item"]))
        for event in user.recent
        if event["weight"] > 0
    }
    taken: dict[str, set[int]] = {"vector": set(), "rules": set(), "popularity": set()}
    for slot in slate.slots:
        ranks = [source.rank for source in slot.sources]
        assert ranks == sorted(ranks)
        for source in slot.sources:
            assert source.rank not in taken[source.source]
            taken[source.source].add(source.rank)
            if source.source == "vector":
                assert usable is not None
                expected = float(values[slot.item_id] @ np.array([*usable, 1.0], np.float32))
                assert math.isclose(source.score, expected, rel_tol=1e-4, abs_tol=1e-4)
            if source.source == "popularity":
                assert math.isclose(source.score, levels[slot.item_id] - NOW / HALF_LIFE)
        if slot.reason.code is ReasonCode.FOLLOWS:
            assert slot.sources[0].source == "rules" or slot.sources[0].rank == next(
                source.rank for source in slot.sources if source.source == "rules"
            )
            assert slot.reason.because_item_id in latest & set(shop.categories) - shop.deleted
            assert (slot.reason.because_item_id, slot.item_id) in {
                (source, target) for source, _, target, _ in shop.changes.rules
            }
        else:
            assert slot.reason.because_item_id == ""
        if slot.reason.code is ReasonCode.TASTE:
            assert {"vector", "rules"} & {source.source for source in slot.sources}
    # All of the pool fits into the slate here, so no rank is missing.
    for ranks_taken in taken.values():
        assert ranks_taken == set(range(1, len(ranks_taken) + 1))


@given(shops(), st.integers(1, 30))
def test_a_stranger_gets_what_is_popular(shop: Shop, count: int) -> None:
    replica, serving = found_in(shop)
    slate = make_slate(replica, serving, UserState(1, unknown=True), count, ItemFilter(), NOW)
    levels = {item_id: level for item_id, level, _ in shop.changes.popular}
    order = sorted(
        shop.servable(),
        key=lambda i: (-levels.get(i, -math.inf), replica.catalogue.find(i)),
    )
    assert ids(slate) == order[:count]
    assert {slot.reason.code for slot in slate.slots} <= {ReasonCode.POPULAR}


@given(shops(), st.data())
def test_rank_orders_exactly_what_can_be_served(shop: Shop, data: st.DataObject) -> None:
    replica, serving = found_in(shop)
    user, _ = data.draw(users(shop, replica))
    given_ids = data.draw(st.lists(ID | st.just("unheard of"), unique=True, min_size=1))
    slate, unranked = rank_items(replica, serving, user, given_ids, 10, ItemFilter(), NOW)
    # Rank leaves out what cannot be had; an item whose vector is still to come can be.
    rankable = shop.servable() | (
        (shop.without_vector & set(shop.categories)) - shop.deleted - shop.unavailable
    )
    assert set(ids(slate)) == set(given_ids) & rankable
    assert unranked == [item_id for item_id in given_ids if item_id not in rankable]
    assert len(ids(slate)) == len(set(ids(slate)))
    for name in ("vector", "rules", "popularity"):
        pairs = sorted(
            (source.rank, -source.score)
            for slot in slate.slots
            for source in slot.sources
            if source.source == name
        )
        assert [score for _, score in pairs] == sorted(score for _, score in pairs)


@given(shops(), st.data())
def test_rank_orders_any_items_of_a_slate_as_the_slate_does(
    shop: Shop, data: st.DataObject
) -> None:
    """Whatever the user, the filter, the surface and the size; scores and sources are the same."""
    replica, serving = found_in(shop)
    user, _ = data.draw(users(shop, replica))
    wanted = ItemFilter(
        tuple(data.draw(st.lists(st.sampled_from(CATEGORIES), max_size=2))),
        allow_seen=data.draw(st.booleans()),
    )
    weights = data.draw(st.sampled_from([{}, {"positive": -1.0}]))
    count = data.draw(st.integers(1, 30))
    slate = make_slate(replica, serving, user, count, wanted, NOW, weights)
    some = data.draw(st.lists(st.sampled_from(ids(slate) or ["nothing"]), unique=True))
    asked = (some, count, wanted, NOW, weights)
    ranked, _ = rank_items(replica, serving, user, *asked)
    assert ranked.slots == tuple(slot for slot in slate.slots if slot.item_id in some)

    # What else is asked changes nothing about them.
    others = data.draw(st.lists(ID.filter(lambda one: one not in some), unique=True))
    both = [*others, *some]
    beside, _ = rank_items(replica, serving, user, both, count, wanted, NOW, weights)
    found = {slot.item_id: slot for slot in beside.slots}
    for slot in ranked.slots:
        assert found[slot.item_id].sources == slot.sources
        assert math.isclose(found[slot.item_id].score, slot.score, rel_tol=1e-5, abs_tol=1e-5)


def test_what_else_is_asked_is_scored_as_if_it_stood_beside_the_slate() -> None:
    """Items that are seen, asked one by one, have the order of an answer to all of them."""
    changes = Changes(activated=manifest())
    for n in range(40):
        changes.item(f"i{n}").vector(f"i{n}", [math.sin(n), math.cos(n), n % 3, 0], 0.1 * (n % 7))
        changes.popularity(f"i{n}", float(n % 5), 3.0)
    replica = folded([frame(1, changes)]).replicas["default"]
    seen = replica.ordinals([f"i{n}" for n in range(0, 40, 4)])
    recent = np.array([(ordinal, 1.0, 1.0) for ordinal in seen], dtype=RECENT)
    viewed = np.zeros(len(seen), dtype=SEEN)
    viewed["item"] = seen
    user = UserState(1, recent, viewed, put_vector([1, 2, 1, 0]))

    def scores(*item_ids: str) -> dict[str, float]:
        slate, _ = rank_items(replica, generation(), user, item_ids, 10, ItemFilter(), NOW)
        return {slot.item_id: slot.score for slot in slate.slots}

    every = scores(*(f"i{n}" for n in range(40)))
    alone = {f"i{n}": scores(f"i{n}")[f"i{n}"] for n in range(40)}
    assert alone == pytest.approx(every, rel=1e-4, abs=1e-4)
    assert len({round(score, 6) for score in alone.values()}) > 30


def test_a_deleted_item_is_no_reason() -> None:
    """Truth 9: reasons name items of the catalogue; else the next best one, else the taste."""
    replica = two_items()
    recent = np.array([(2, 1.0, 1.0), (0, 1.0, 2.0)], dtype=RECENT)
    user = UserState(1, recent)

    def reason() -> tuple[ReasonCode, str]:
        slate = make_slate(replica, generation(), user, 3, ItemFilter(allow_seen=True), NOW)
        [code] = [slot.reason for slot in slate.slots if slot.item_id == "b"]
        return (code.code, code.because_item_id)

    assert reason() == (ReasonCode.FOLLOWS, "c")
    for deleted, left in (("c", (ReasonCode.FOLLOWS, "a")), ("a", (ReasonCode.TASTE, ""))):
        replica.catalogue.fold(CatalogueChanges((), (deleted,)))
        assert reason() == left


def two_items() -> TenantReplica:
    changes = Changes(activated=manifest()).item("a").item("b").item("c")
    changes.vector("a", [1, 0, 0, 0]).vector("b", [0, 1, 0, 0]).vector("c", [0, 0, 1, 0])
    changes.rule("c", 0, "b", 4.0).rule("a", 0, "b", 1.0)
    return folded([frame(1, changes)]).replicas["default"]


def test_a_vector_of_another_generation_is_not_used() -> None:
    """Truth 10: vectors of two generations are never mixed."""
    replica = two_items()
    old = UserState(1, put=put_vector([0, 9, 0, 0], "g0"))
    slate = make_slate(replica, generation(), old, 3, ItemFilter(), NOW)
    assert all(not slot.sources for slot in slate.slots)
    assert slate.degradations == (Degradation.VECTOR_OF_OTHER_GENERATION,)

    new = UserState(1, put=put_vector([0, 9, 0, 0]))
    slate = make_slate(replica, generation(), new, 3, ItemFilter(), NOW)
    assert ids(slate)[0] == "b"
    assert slate.degradations == ()


def test_because_names_the_recent_item_that_adds_most() -> None:
    replica = two_items()
    recent = np.array([(2, 1.0, 1.0), (0, 1.0, 2.0)], dtype=RECENT)
    assert replica.ordinals(["a", "c"]).tolist() == [0, 2]
    slate = make_slate(replica, generation(), UserState(1, recent), 3, ItemFilter(), NOW)
    top = slate.slots[0]
    assert top.item_id == "b"
    assert top.reason.code is ReasonCode.FOLLOWS
    # From a, the latest: 1 / 1; from c, one step earlier: 4 / 2.
    assert top.reason.because_item_id == "c"


def test_scores_that_are_not_numbers_come_last_and_are_said() -> None:
    replica = two_items()
    slate = make_slate(
        replica, Generation("g1", DIMENSION, 1.0, _Odd()),  # type: ignore[arg-type]
        UserState(1, put=put_vector([1.0] * DIMENSION)), 3, ItemFilter(), NOW,
    )  # fmt: skip
    assert ids(slate) == ["c", "b", "a"]
    assert Degradation.SCORER_NOT_FINITE in slate.degradations


class _Odd:
    features = FEATURES
    outcomes = ("positive",)

    def scores(self, features: np.ndarray) -> np.ndarray:
        return np.array([[math.nan], [1.0], [2.0]], dtype=np.float32)
