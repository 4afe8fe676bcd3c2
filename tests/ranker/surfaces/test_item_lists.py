"""Lists of what trends and of what is new: in order, shaped by the surface, page after page."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from harken.feedback.v1 import item_pb2, surface_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.reloadable import Reloadable
from services.common.validation import Checks
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRules
from services.ranker.domain.surface import listing
from services.ranker.domain.surface.drafts import Drafts
from services.ranker.domain.surface.listing import Order
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.numpy_slates import NumpySlates
from services.ranker.surfaces.asked import Asked
from services.ranker.surfaces.expression_cache import ExpressionCache
from services.ranker.surfaces.item_lists import ItemLists, ListAnswer
from services.ranker.surfaces.surface_slates import SurfaceSlates
from tests.ranker.compiled import core_or_skip
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import generation, manifest
from tests.ranker.replicas import folded

NOW = 1_700_000_000
CORE = core_or_skip()


class Thing(NamedTuple):
    """published: seconds before now, negative is ahead. trend: None: no events."""

    category: str
    owner: str
    published: int
    trend: int | None


THINGS = st.lists(
    st.builds(
        Thing,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["x", "y"]),
        st.integers(-3, 10),
        st.none() | st.integers(-3, 3),
    ),
    max_size=30,
)


def replica_of(things: list[Thing], **config: Any) -> TenantReplica:
    surface = surface_pb2.Surface(name="home")
    json_format.ParseDict(config, surface.config)
    changes = Changes(activated=manifest())
    changes.document("surface", "home", 3, surface.SerializeToString())
    for n, thing in enumerate(things):
        item = item_pb2.Item(item_id=f"i{n}", categories=[thing.category], owner=thing.owner)
        item.publish_time.seconds = NOW - thing.published
        changes.items.append(item)
        changes.vector(f"i{n}", [1.0, n % 5.0, 0.0, 0.0])
    replica = folded([frame(1, changes)]).replicas["default"]
    trend(replica, {n: thing.trend for n, thing in enumerate(things)})
    return replica


def trend(replica: TenantReplica, levels: dict[int, int | None]) -> None:
    known = {n: level for n, level in levels.items() if level is not None}
    rows = replica.catalogue.find_all([f"i{n}" for n in known])
    replica.popularity.assign_trends(rows, np.array(list(known.values()), np.float64))


class Lists:
    """What a replica lists."""

    def __init__(self, replica: TenantReplica, drafts: Drafts | None = None) -> None:
        drafts = drafts or CompiledSlates(CORE)
        surfaces = SurfaceSlates(drafts, Reloadable({}), Reloadable(SeenRules({}, ALL_FOREVER)))
        self._lists = ItemLists(drafts, surfaces)
        self._replica = replica

    def answer(self, order: Order, count: int = 10, now: float = NOW, **fields: Any) -> ListAnswer:
        make = pb.ListTrendingRequest if order is Order.TRENDING else pb.ListLatestRequest
        request = make(surface="home", **fields)
        checks = Checks()
        asked = Asked.of_anybody(checks, request, ExpressionCache())
        checks.done()
        return self._lists.answer(self._replica, generation(), order, request, asked, count, now)


def ids(answer: ListAnswer) -> list[str]:
    return [slot.item_id for slot in answer.slots]


def expected(things: list[Thing], order: Order) -> list[str]:
    """Return the whole list, by plain Python."""
    if order is Order.TRENDING:
        found = [(-thing.trend, n) for n, thing in enumerate(things) if thing.trend is not None]
    else:
        found = [(thing.published, n) for n, thing in enumerate(things) if thing.published >= 0]
    return [f"i{n}" for _, n in sorted(found)]


@pytest.mark.parametrize("order", Order)
@given(things=THINGS, counts=st.lists(st.integers(1, 7), min_size=40, max_size=40))
def test_pages_are_the_list_in_order_and_never_repeat(
    order: Order, things: list[Thing], counts: list[int]
) -> None:
    """Truth 9: each item once, and none that the order does not have."""
    lists = Lists(replica_of(things))
    found: list[str] = []
    token = ""
    for count in counts:
        answer = lists.answer(order, count, page_token=token)
        found += ids(answer)
        assert len(answer.slots) <= count
        token = answer.next_page
        if not token:
            break
    assert not token
    assert found == expected(things, order)


@pytest.mark.parametrize("order", Order)
@given(things=THINGS, category=st.sampled_from(["a", "b"]), later=st.integers(-3, 3))
def test_what_happens_between_pages_makes_none_come_again(
    order: Order, things: list[Thing], category: str, later: int
) -> None:
    replica = replica_of(things, gates=[{"name": "x", "keep": "item.owner == 'x'"}])
    lists = Lists(replica)
    wanted = slate_pb2.Filter(categories=[category])
    first = lists.answer(order, 3, filter=wanted)
    trend(replica, dict.fromkeys(range(len(things)), later))
    if not first.next_page:
        return
    second = lists.answer(order, 30, NOW + 2, filter=wanted, page_token=first.next_page)
    assert set(ids(first)).isdisjoint(ids(second))
    for slot in (*first.slots, *second.slots):
        thing = things[int(slot.item_id[1:])]
        assert (thing.category, thing.owner) == (category, "x")
        assert slot.sources[0].source == order.value


@pytest.mark.parametrize("drafts", [CompiledSlates(CORE), NumpySlates()])
def test_rules_of_the_surface_shape_a_list_and_nothing_is_left_to_chance(drafts: Drafts) -> None:
    things = [Thing("a", "x" if n < 6 else "y", n, 10 - n) for n in range(9)]
    replica = replica_of(
        things,
        rules=[
            {"name": "two", "cap": {"attribute": "owner", "most": 2}},
            {"name": "hero", "when": "context.country == 'de'", "pin": {"itemId": "i5", "slot": 1}},
            {"name": "up", "boost": {"items": "item.id == 'i8'", "factor": 100}},
        ],
        exploration={"epsilon": 1.0},
    )
    lists = Lists(replica, drafts)
    for order in Order:
        answer = lists.answer(order, 4)
        assert ids(answer) == ["i8", "i0", "i1", "i6"]
        assert [one.rule for one in answer.slots[0].applied_rules] == ["up"]
        assert all(slot.propensity == 1.0 for slot in answer.slots)
        german = lists.answer(order, 4, context=pb.Context(values={"country": "de"}))
        assert ids(german) == ["i5", "i8", "i0", "i6"]
        assert answer.revision == 3
    assert [slot.score for slot in lists.answer(Order.TRENDING, 1).slots] == [2.0]
    assert [slot.score for slot in lists.answer(Order.LATEST, 1).slots] == [NOW - 8]


def test_a_list_is_a_second_old_at_most_and_new_where_a_position_asks() -> None:
    replica = replica_of([Thing("a", "x", 0, 1), Thing("a", "x", 0, 2)])
    lists = Lists(replica)
    assert ids(lists.answer(Order.TRENDING)) == ["i1", "i0"]
    trend(replica, {0: 3})
    assert ids(lists.answer(Order.TRENDING, min_learned_position=b"x")) == ["i0", "i1"]
    trend(replica, {0: 0})
    assert ids(lists.answer(Order.TRENDING, now=NOW + 1)) == ["i1", "i0"]


@pytest.mark.parametrize("kept", [1, 3, 100])
@given(things=THINGS, owner=st.sampled_from(["x", "y"]))
def test_a_list_is_whole_though_little_of_it_is_kept(
    kept: int, things: list[Thing], owner: str
) -> None:
    """Where a filter leaves out what is kept, what is behind it is looked through."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "_KEPT", kept)
        lists = Lists(replica_of(things))
        wanted = slate_pb2.Filter(expression=f"item.owner == '{owner}'")
        found = ids(lists.answer(Order.TRENDING, 100, filter=wanted))
        assert found == [
            name
            for name in expected(things, Order.TRENDING)
            if things[int(name[1:])].owner == owner
        ]


@pytest.mark.parametrize("rule", [
    {"pin": {"itemId": "i1", "slot": 1}},
    {"atLeast": {"items": "'b' in item.categories", "count": 1}},
])  # fmt: skip
def test_no_rule_brings_what_is_to_be_published_later(rule: dict[str, Any]) -> None:
    things = [Thing("a", "x", 10, None), Thing("b", "x", -10, None)]
    lists = Lists(replica_of(things, rules=[{"name": "r", **rule}]))
    assert ids(lists.answer(Order.LATEST)) == ["i0"]
    assert ids(lists.answer(Order.LATEST, now=NOW + 20)) == ["i1", "i0"]
