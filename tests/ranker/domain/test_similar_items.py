"""Similar items against the cosine of every pair, in plain Python."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.domain.eligibility import ItemFilter
from services.ranker.domain.similar_items import NoVectorError, similar_items
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import DIMENSION, manifest
from tests.ranker.replicas import folded

ROWS = st.lists(
    st.lists(st.integers(-3, 3), min_size=DIMENSION, max_size=DIMENSION), min_size=1, max_size=60
)


def cosine(a: list[int], b: list[int]) -> float:
    norms = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


@given(ROWS, st.integers(1, 30), st.sampled_from(["", "even", "odd"]))
def test_the_nearest_come_first(rows: list[list[int]], count: int, category: str) -> None:
    changes = Changes(activated=manifest())
    for number, row in enumerate(rows):
        changes.item(f"i{number}", ["even" if number % 2 == 0 else "odd"])
        changes.vector(f"i{number}", row, bias=5.0)
    replica = folded([frame(1, changes)]).replicas["default"]
    wanted = ItemFilter((category,) if category else ())

    found = similar_items(replica, "i0", count, wanted, 0.0)

    truth = {
        f"i{number}": cosine(rows[0], row)
        for number, row in enumerate(rows)
        if number and (not category or (category == "even") == (number % 2 == 0))
    }
    best = sorted(truth.values(), reverse=True)[:count]
    assert [c for _, c in found] == pytest.approx(best, abs=1e-6)
    assert [truth[item_id] for item_id, _ in found] == pytest.approx(best, abs=1e-6)
    assert len({item_id for item_id, _ in found}) == len(found)


def test_what_cannot_be_served_is_not_similar() -> None:
    changes = Changes(activated=manifest(), deleted=["gone"])
    changes.item("a").item("gone").item("out", available=False).item("old", expire_seconds=10)
    for item_id in ("a", "gone", "out", "old"):
        changes.vector(item_id, [1, 2, 3, 4])
    changes.item("bare")
    replica = folded([frame(1, changes)]).replicas["default"]
    assert similar_items(replica, "a", 10, ItemFilter(), 10.0) == []
    [(item_id, similarity)] = similar_items(replica, "out", 10, ItemFilter(), 10.0)
    assert item_id == "a"
    assert similarity == pytest.approx(1.0)
    for item_id in ("gone", "bare", "unheard of"):
        with pytest.raises(NoVectorError):
            similar_items(replica, item_id, 10, ItemFilter(), 10.0)
