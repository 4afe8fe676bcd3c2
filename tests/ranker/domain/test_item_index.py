"""One contract for all kinds of index: the oracle looks at every vector, in whole numbers."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.compiled_core import find_core
from services.ranker.domain.item_index import ItemIndex, MemoryTable, Sizes, digest_of
from services.ranker.domain.list_training import ListTraining

DIMENSION = 5
CORE = find_core()
NEVER = 1 << 40
KINDS: dict[str, Callable[[int], ItemIndex]] = {
    "NumPy": ItemIndex,
    "all vectors": lambda d: ItemIndex(d, CORE, sizes=Sizes(NEVER, NEVER)),
    "codes": lambda d: ItemIndex(d, CORE, sizes=Sizes(3, NEVER)),
    "lists": lambda d: ItemIndex(d, CORE, None, lambda index: None, Sizes(3, 6, 1.0)),
}
if CORE is None:
    del KINDS["all vectors"], KINDS["codes"], KINDS["lists"]
needs_core = pytest.mark.skipif(CORE is None, reason="the compiled core is not installed")
kinds = pytest.mark.parametrize("kind", list(KINDS))


@dataclass
class Truth:
    """What an index must hold, and what it must find."""

    rows: dict[int, list[int]] = field(default_factory=dict)
    """Whole numbers, the bias last."""

    def best(self, query: Sequence[int], eligible: Sequence[bool], count: int) -> list[int]:
        scores = self.scores(query)
        there = [o for o in self.rows if eligible[o]]
        return sorted(there, key=lambda o: (-scores[o], o))[:count]

    def scores(self, query: Sequence[int]) -> dict[int, int]:
        return {
            o: sum(q * x for q, x in zip(query, row, strict=False)) + row[-1]
            for o, row in self.rows.items()
        }


def assign(index: ItemIndex, truth: Truth, rng: np.random.Generator, size: int) -> None:
    """Set some vectors, some of them twice in the batch."""
    ordinals = rng.integers(0, size, int(rng.integers(1, 12)))
    rows = rng.integers(-3, 4, (ordinals.size, DIMENSION + 1))
    index.assign(ordinals, rows[:, :-1].astype(np.float32), rows[:, -1].astype(np.float32))
    truth.rows.update(zip(ordinals.tolist(), rows.tolist(), strict=True))


def check(index: ItemIndex, truth: Truth, rng: np.random.Generator, size: int) -> None:
    query = rng.integers(-3, 4, DIMENSION)
    held = index.held().copy()
    assert held.nonzero()[0].tolist() == sorted(truth.rows)
    for share in (1.0, 0.7, 0.1, 0.0):
        eligible = held & (rng.random(size) < share)
        for count in (1, 7, 1000):
            ordinals, scores = index.search(query.astype(np.float32), eligible, count)
            assert ordinals.tolist() == truth.best(query.tolist(), eligible.tolist(), count)
            own = truth.scores(query.tolist())
            assert scores.tolist() == [own[o] for o in ordinals.tolist()]
    ordinals = np.array(sorted(truth.rows), dtype=np.int64)
    own = truth.scores(query.tolist())
    dots = index.dots(query.astype(np.float32), ordinals)
    assert dots.tolist() == [own[o] for o in ordinals.tolist()]
    rows = index.copy_rows(ordinals)
    assert rows.tolist() == [truth.rows[o] for o in ordinals.tolist()]
    assert index.vectors(ordinals).tolist() == rows[:, :-1].tolist()


@kinds
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 100_000), steps=st.integers(1, 25))
def test_an_index_finds_what_is_best_whatever_happened_to_it(
    kind: str, seed: int, steps: int
) -> None:
    """Growth, updates in place, an item twice in a batch, new lists, ties: as the oracle."""
    rng = np.random.default_rng(seed)
    index, truth, size = KINDS[kind](DIMENSION), Truth(), 0
    training: ListTraining | None = None
    for _ in range(steps):
        grown = size + int(rng.integers(0, 9)) if size else int(rng.integers(1, 9))
        index.grow(grown)
        size = grown
        assign(index, truth, rng, size)
        asked = index.training()
        if training is None and asked is not None:
            training = asked
            training.run()
        elif training is not None and rng.random() < 0.5:
            assert index.adopt(training)
            assert index.training() is not training
            training = None
        check(index, truth, rng, size)


@kinds
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000))
def test_what_is_removed_and_comes_back_keeps_its_vector(kind: str, seed: int) -> None:
    """Items are removed by not being eligible; others keep their ordinals."""
    rng = np.random.default_rng(seed)
    index, truth = KINDS[kind](DIMENSION), Truth()
    index.grow(30)
    for _ in range(8):
        assign(index, truth, rng, 30)
    query = rng.integers(-3, 4, DIMENSION)
    there = index.held().copy()
    before = index.search(query.astype(np.float32), there, 30)[0].tolist()
    fewer = there.copy()
    fewer[before[0]] = False
    assert index.search(query.astype(np.float32), fewer, 30)[0].tolist() == before[1:]
    assert index.search(query.astype(np.float32), there, 30)[0].tolist() == before


@kinds
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), size=st.integers(1, 60), count=st.integers(1, 80))
def test_the_nearest_have_the_largest_cosine(kind: str, seed: int, size: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    index, truth = KINDS[kind](DIMENSION), Truth()
    index.grow(size)
    for _ in range(5):
        assign(index, truth, rng, size)
    adopt_if_asked(index)
    ordinal = int(rng.choice(sorted(truth.rows)))
    eligible = index.held() & (rng.random(size) < 0.8)

    nearest = index.nearest(ordinal, eligible, count).tolist()

    cosines = {o: cosine(truth.rows[ordinal], truth.rows[o]) for o in truth.rows if eligible[o]}
    best = sorted(cosines.values(), reverse=True)[:count]
    assert [cosines[o] for o in nearest] == pytest.approx(best, abs=1e-5)
    assert len(set(nearest)) == len(nearest)


def cosine(a: Sequence[int], b: Sequence[int]) -> float:
    one, other = np.array(a[:-1], float), np.array(b[:-1], float)
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norms if norms else 0.0


def adopt_if_asked(index: ItemIndex) -> None:
    training = index.training()
    if training is not None:
        training.run()
        while not index.adopt(training):
            pass


@kinds
def test_nothing_is_found_where_nothing_is(kind: str) -> None:
    empty = KINDS[kind](3)
    assert empty.search(np.ones(3, np.float32), np.zeros(0, bool), 10)[0].size == 0
    index, truth = KINDS[kind](DIMENSION), Truth()
    index.grow(20)
    rng = np.random.default_rng(1)
    for _ in range(4):
        assign(index, truth, rng, 20)
    adopt_if_asked(index)
    ordinals, scores = index.search(np.ones(DIMENSION, np.float32), np.zeros(20, bool), 10)
    assert ordinals.size == scores.size == 0


@kinds
def test_one_item_is_found(kind: str) -> None:
    index = KINDS[kind](2)
    index.grow(1)
    index.assign(np.array([0]), np.array([[1, 2]], np.float32), np.array([3], np.float32))
    ordinals, scores = index.search(np.array([2, 1], np.float32), np.ones(1, bool), 200)
    assert (ordinals.tolist(), scores.tolist()) == ([0], [7.0])


@kinds
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_query_that_is_no_number_finds_nothing_worse_than_numbers(kind: str, bad: float) -> None:
    """Frames with such vectors are refused before (truth 7): this is about memory only."""
    index, truth = KINDS[kind](DIMENSION), Truth()
    index.grow(40)
    rng = np.random.default_rng(1)
    for _ in range(20):
        assign(index, truth, rng, 40)
    query = np.full(DIMENSION, bad, np.float32)
    scores = index.search(query, index.held(), 200)[1]
    assert not np.isnan(scores).any()


def clustered(seed: int, size: int, dimension: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors around 60 centres, and biases."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((60, dimension))
    vectors = centres[rng.integers(0, 60, size)] + 0.4 * rng.standard_normal((size, dimension))
    return (vectors / dimension**0.5).astype(np.float32), (0.1 * rng.standard_normal(size)).astype(
        np.float32
    )


def with_lists(vectors: np.ndarray, biases: np.ndarray) -> ItemIndex:
    index = ItemIndex(vectors.shape[1], CORE, None, lambda index: None, Sizes(3, 1000, 1 / 3))
    index.grow(len(vectors))
    index.assign(np.arange(len(vectors)), vectors, biases)
    adopt_if_asked(index)
    return index


def recall(
    index: ItemIndex, vectors: np.ndarray, biases: np.ndarray, eligible: np.ndarray
) -> float:
    """Return which share of the 200 best of users of one to five items is found."""
    rng = np.random.default_rng(9)
    found = []
    for number in range(60):
        query = vectors[rng.integers(0, len(vectors), 1 + number % 5)].mean(axis=0)
        query = query / np.linalg.norm(query)
        scores = np.where(eligible, vectors @ query + biases, -np.inf)
        best = np.argpartition(-scores, 200)[:200]
        found.append(np.isin(best, index.search(query, eligible, 200)[0]).mean())
    return float(np.mean(found))


@needs_core
@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_lists_find_nearly_all_and_look_at_little(share: float) -> None:
    vectors, biases = clustered(1, 20_000)
    index = with_lists(vectors, biases)
    assert CORE is not None
    training = ListTraining(
        CORE,
        np.column_stack([vectors, biases])[::2],
        20_000,
        1 / 3,
        1,
    )
    training.run()
    assert training.quantizer is not None
    assert training.enough < 20_000 / 4
    eligible = np.random.default_rng(3).random(20_000) < share
    assert recall(index, vectors, biases, eligible) >= 0.98


@needs_core
@pytest.mark.parametrize("share", [1.0, 0.3, 0.01])
def test_many_vectors_without_any_structure_are_found(share: float) -> None:
    """Lists are not worth it there, but signs are."""
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((20_000, 96)).astype(np.float32) / np.float32(96**0.5)
    biases = rng.normal(0, 0.1, 20_000).astype(np.float32)
    index = ItemIndex(96, CORE, None, lambda index: None, Sizes(3, 1000, signs=1000))
    index.grow(len(vectors))
    index.assign(np.arange(len(vectors)), vectors, biases)
    adopt_if_asked(index)
    assert recall(index, vectors, biases, rng.random(20_000) < share) >= 0.98


@needs_core
def test_a_filter_that_goes_with_the_lists_loses_nothing() -> None:
    """One category is one cluster: other users' lists hold none of it."""
    vectors, biases = clustered(1, 20_000)
    index = with_lists(vectors, biases)
    eligible = vectors @ vectors[0] > np.quantile(vectors @ vectors[0], 0.95)
    assert recall(index, vectors, biases, eligible) >= 0.98


@needs_core
@pytest.mark.parametrize("far", [False, True])
def test_vectors_that_move_stay_found(far: bool) -> None:
    """A tenth of them, ten times: a little, as by events, or to anywhere that vectors are."""
    vectors, biases = clustered(2, 20_000)
    index = with_lists(vectors, biases)
    everything = np.ones(20_000, bool)
    before = recall(index, vectors, biases, everything)
    rng = np.random.default_rng(4)
    for _ in range(10):
        moved = rng.choice(20_000, 2_000, replace=False)
        if far:
            # Which of them is where changes, not how they lie.
            vectors[moved] = vectors[rng.permutation(moved)]
        else:
            vectors[moved] += 0.02 * rng.standard_normal((2_000, 32)).astype(np.float32)
        index.assign(moved, vectors[moved], biases[moved])
    assert recall(index, vectors, biases, everything) >= before - 0.005


@needs_core
def test_lists_are_not_used_where_vectors_lie_in_none() -> None:
    """Directions by chance: nearly all lists would be looked at. The answer stays exact."""
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((5_000, 64)).astype(np.float32)
    biases = np.zeros(5_000, np.float32)
    index = with_lists(vectors, biases)
    assert index.training() is None
    assert recall(index, vectors, biases, np.ones(5_000, bool)) == 1.0


@needs_core
def test_replicas_that_fold_the_same_answer_the_same() -> None:
    """Truth 6, and more than it says: answers from lists are equal too, and so are digests."""
    vectors, biases = clustered(3, 5_000)
    one, other = with_lists(vectors, biases), with_lists(vectors, biases)
    everything = np.ones(5_000, bool)
    for row in range(0, 5_000, 100):
        found, scores = one.search(vectors[row], everything, 200)
        again, same = other.search(vectors[row], everything, 200)
        assert found.tolist() == again.tolist()
        assert scores.tolist() == same.tolist()
    ids = [f"{number:05}" for number in range(5_000)]
    rows = np.arange(5_000)
    assert digest_of(ids, one.copy_rows(rows)) == digest_of(ids, other.copy_rows(rows))
    assert one.copy_rows(rows).tobytes() == np.column_stack([vectors, biases]).tobytes()


@needs_core
def test_lists_are_asked_for_by_growth_and_by_movement() -> None:
    asked: list[ItemIndex] = []
    vectors, biases = clustered(5, 6_000)
    index = ItemIndex(32, CORE, None, asked.append, Sizes(3, 1_000, 1 / 3))
    index.grow(6_000)
    index.assign(np.arange(999), vectors[:999], biases[:999])
    assert asked == []
    index.assign(np.arange(999, 3_000), vectors[999:3_000], biases[999:3_000])
    assert asked == [index]
    # Not again while it is asked for.
    index.assign(np.arange(3_000, 3_100), vectors[3_000:3_100], biases[3_000:3_100])
    assert asked == [index]
    adopt_if_asked(index)
    assert index.training() is None
    index.assign(np.arange(3_100, 4_600), vectors[3_100:4_600], biases[3_100:4_600])
    assert asked == [index, index]
    adopt_if_asked(index)
    shuffled = np.random.default_rng(1).permutation(4_600)
    index.assign(np.arange(4_600), vectors[shuffled], biases[shuffled])
    assert asked == [index, index, index]


def test_a_table_of_ones_own_is_used() -> None:
    table = MemoryTable(2)
    index = ItemIndex(2, table=table)
    index.grow(1)
    index.assign(np.array([0]), np.array([[1, 2]], np.float32), np.array([3], np.float32))
    assert table.room_for(1)[0].tolist() == [1, 2]


def test_digest_is_sha256_over_ids_vectors_and_biases() -> None:
    rows = np.array([[1.0, 2.0, 0.5], [3.0, 4.0, -0.5]], dtype=np.float32)
    stated = hashlib.sha256(
        b"a" + np.array([1, 2, 0.5], "<f4").tobytes()
        + "\u00e9".encode() + np.array([3, 4, -0.5], "<f4").tobytes()
    )  # fmt: skip
    assert digest_of(["a", "\u00e9"], rows) == stated.digest()
