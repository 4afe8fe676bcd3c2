"""Fields of items as columns, against a dictionary of items."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.expressions.columns import ItemColumns, TextLists, Texts
from services.common.validation import MAX_TIME_US, MIN_TIME_US
from services.feed.parameters import CatalogueChanges, ItemFacts
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.item_fields.item_fields import ItemFields

IDS = st.sampled_from([f"i{n}" for n in range(12)])
LABELS = st.lists(st.sampled_from(["a", "b", "ø", "a b", "\0"]), unique=True, max_size=3).map(tuple)
TIMES = st.none() | st.sampled_from([0, 1, -1, MIN_TIME_US, MAX_TIME_US]) | st.integers(0, 5)
FACTS = st.builds(
    ItemFacts,
    IDS,
    categories=LABELS,
    expire_time_us=TIMES,
    title=st.sampled_from(["", "T", "Ü", "T\0", "long " * 20]),
    owner=st.sampled_from(["", "x", "y"]),
    tags=LABELS,
    numbers=st.dictionaries(
        st.sampled_from(["price", "p", "n.x"]), st.floats(allow_nan=False, allow_infinity=False)
    ),
    publish_time_us=TIMES,
    update_time_us=TIMES,
)
KEYS = ("price", "p", "n.x", "none")
READS = ("title", "owner", "categories", "tags", "time", *KEYS)
CHANGES = st.builds(
    CatalogueChanges,
    st.lists(FACTS, max_size=4).map(tuple),
    st.lists(IDS, max_size=2).map(tuple),
)
STEPS = st.lists(st.tuples(CHANGES, st.sets(st.sampled_from(READS))), max_size=12)


class Model:
    """What frames said, item by item."""

    def __init__(self) -> None:
        self.items: dict[str, ItemFacts] = {}

    def fold(self, changes: CatalogueChanges) -> None:
        self.items |= {item.item_id: item for item in changes.upserted}
        for item_id in changes.deleted:
            self.items.pop(item_id, None)

    def check(self, columns: ItemColumns, reads: set[str]) -> None:
        """Compare the columns that are named, and ids."""
        names = texts_of(columns.text("id"), columns.size)
        facts = [self.items.get(name, ItemFacts(name)) for name in names]
        assert set(self.items) <= set(names)
        if "title" in reads:
            assert texts_of(columns.text("title"), columns.size) == [one.title for one in facts]
        if "owner" in reads:
            assert texts_of(columns.text("owner"), columns.size) == [one.owner for one in facts]
        if "categories" in reads:
            assert lists_of(columns.texts("categories")) == [one.categories for one in facts]
        if "tags" in reads:
            assert lists_of(columns.texts("tags")) == [one.tags for one in facts]
        if "time" in reads:
            for field in ("publish_time", "update_time", "expire_time"):
                us, present = columns.time(field)
                assert len(us) == len(present) == columns.size
                wanted = [getattr(one, f"{field}_us") for one in facts]
                assert [int(t) if p else None for t, p in zip(us, present, strict=True)] == wanted
        for key in reads.intersection(KEYS):
            column = columns.number(key)
            expected = [one.numbers.get(key) for one in facts]
            if column is None:
                assert expected == [None] * columns.size
                continue
            assert expected != [None] * columns.size
            values, present = column
            assert [
                repr(float(v)) if p else None for v, p in zip(values, present, strict=True)
            ] == [None if one is None else repr(one) for one in expected]


def texts_of(column: Texts, size: int) -> list[str]:
    assert column.codes.dtype == np.int32
    assert len(column.codes) == size
    used = {column.values[code] for code in column.codes if code >= 0}
    assert len(used) == len({code for code in column.codes.tolist() if code >= 0})
    # Expressions look texts up: each is where `index` says.
    for code in {code for code in column.codes.tolist() if code >= 0}:
        assert column.values.index(column.values[code]) == code
    return ["" if code < 0 else column.values[code] for code in column.codes]


def lists_of(column: TextLists) -> list[tuple[str, ...]]:
    assert column.starts.dtype == np.int64
    assert column.codes.dtype == np.int32
    bounds = column.starts.tolist()
    assert bounds[0] == 0
    return [
        tuple(column.values[code] for code in column.codes[first:end])
        for first, end in pairwise(bounds)
    ]


@given(STEPS, st.lists(IDS, max_size=3))
def test_columns_are_a_fold_of_frames_whenever_they_are_read(
    steps: list[tuple[CatalogueChanges, set[str]]], strangers: list[str]
) -> None:
    catalogue, model = Catalogue(), Model()
    revisions = {catalogue.fields.revision}
    for changes, reads in steps:
        catalogue.fold(changes)
        catalogue.ordinals(strangers)
        model.fold(changes)
        model.check(catalogue.fields, reads)
        if changes.upserted or changes.deleted:
            assert catalogue.fields.revision not in revisions
        revisions.add(catalogue.fields.revision)
    model.check(catalogue.fields, set(READS))


@pytest.mark.parametrize("at_once", [1, 20, 200])
def test_columns_hold_through_many_changes(at_once: int) -> None:
    """So many that rows are packed anew, and lists gathered anew or put in between."""
    chance = random.Random(at_once)
    catalogue, model = Catalogue(), Model()
    for _ in range(1500 // at_once):
        upserted = tuple(
            ItemFacts(
                f"i{n}",
                categories=tuple(chance.sample("abcdefgh", chance.randrange(4))),
                title="t" * chance.randrange(80),
                owner=f"o{chance.randrange(50)}",
                tags=tuple(chance.sample([f"t{k}" for k in range(300)], chance.randrange(12))),
                numbers={key: chance.random() for key in KEYS[: chance.randrange(4)]},
                publish_time_us=chance.randrange(10**15),
            )
            for n in chance.sample(range(400), at_once)
        )
        changes = CatalogueChanges(upserted, (f"i{chance.randrange(400)}",))
        catalogue.fold(changes)
        model.fold(changes)
        if chance.random() < 0.3:
            model.check(catalogue.fields, set(chance.sample(READS, 3)))
    model.check(catalogue.fields, set(READS))


def test_titles_of_many_items_are_those_of_frames() -> None:
    """More than are decoded at once, of characters of different lengths."""
    titles = ["aü€😀"[: n % 5] * (n % 3) for n in range(9000)]
    catalogue = Catalogue()
    items = tuple(ItemFacts(f"i{n}", title=title) for n, title in enumerate(titles))
    catalogue.fold(CatalogueChanges(items))
    assert texts_of(catalogue.fields.text("title"), 9000) == titles


def test_a_new_id_is_a_new_revision() -> None:
    """Masks are kept by revision, and have a place for each id."""
    catalogue = Catalogue()
    catalogue.fold(CatalogueChanges((ItemFacts("a"),)))
    before = catalogue.fields.revision
    catalogue.ordinals(["stranger"])
    assert catalogue.fields.revision != before
    assert catalogue.fields.size == 2


def test_a_key_that_only_one_of_many_items_has_takes_no_column() -> None:
    catalogue = Catalogue()
    catalogue.fold(
        CatalogueChanges(tuple(ItemFacts(f"i{n}", numbers={f"k{n}": 1.0}) for n in range(200)))
    )
    for n in range(200):
        column = catalogue.fields.number(f"k{n}")
        assert column is not None
        assert column.present.nonzero()[0].tolist() == [n]
    assert len(catalogue.fields._numbers._kept) == 32


ages = st.lists(st.tuples(st.none() | st.integers(0, 6), st.booleans()), max_size=15)


@given(ages, st.integers(0, 6), st.integers(-1, 6), st.integers(-1, 7))
def test_newest_first(
    items: list[tuple[int | None, bool]], count: int, after: int, until: int
) -> None:
    catalogue = Catalogue()
    catalogue.fold(
        CatalogueChanges(
            tuple(ItemFacts(f"i{n}", publish_time_us=time) for n, (time, _) in enumerate(items))
        )
    )
    eligible = np.array([there for _, there in items], np.bool_)
    wanted = sorted(
        (-time, n)
        for n, (time, there) in enumerate(items)
        if there and time is not None and after < time <= until
    )
    found = catalogue.fields.newest(eligible, count, after, until)
    assert found.tolist() == [n for _, n in wanted[:count]]


def test_item_fields_are_item_columns() -> None:
    def read(columns: ItemColumns) -> int:
        return columns.size

    fields: ItemFields = Catalogue().fields
    assert read(fields) == 0
