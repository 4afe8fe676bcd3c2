"""Compiled scans against NumPy, and what they must refuse: exceptions, never memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.ranking import plain_scan

core = pytest.importorskip(
    "harken_native._core", reason="the compiled core is not installed", exc_type=ImportError
)

SCALES = st.sampled_from([1e-40, 1e-30, 1e-20, 1e-15, 1e-6, 1.0, 1e6, 1e15])


def table_of(
    rng: np.random.Generator, size: int, dimension: int, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return a query, vectors with some that are equal or zero, biases, norms and flags."""
    table = (rng.standard_normal((size, dimension)) * scale).astype(np.float32)
    table[rng.random(size) < 0.2] = table[0]
    table[rng.random(size) < 0.1] = 0
    biases = (rng.integers(-2, 3, size) * scale).astype(np.float32)
    query = rng.standard_normal(dimension).astype(np.float32)
    if rng.random() < 0.3:
        query *= np.float32(scale)
    norms = np.sqrt(np.einsum("nd,nd->n", table, table))
    return query, table, biases, norms, rng.random(size) < 0.8


def in_lists(
    rng: np.random.Generator, table: np.ndarray, biases: np.ndarray, lists: int
) -> tuple[Any, np.ndarray]:
    """Return lists that hold the table, after vectors have moved between them, and which."""
    made = core.VectorLists(table.shape[1], lists)
    for _ in range(3):
        list_of = rng.integers(0, lists, len(table))
        order = rng.permutation(len(table))
        made.put(order, list_of[order], rng.permutation(table), biases)
    made.put(np.arange(len(table)), list_of, table, biases)
    assert len(made) == len(table)
    return made, list_of


@settings(deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 300),
    dimension=st.integers(1, 70),
    count=st.integers(0, 40),
    scale=SCALES,
    cosine=st.booleans(),
)
def test_all_ways_to_scan_give_the_same_bits(
    seed: int, size: int, dimension: int, count: int, scale: float, cosine: bool
) -> None:
    """Codes with a second look against all vectors, and every processor against this one."""
    rng = np.random.default_rng(seed)
    query, table, biases, norms, eligible = table_of(rng, size, dimension, scale)
    asked = (query, table, biases, eligible, count)
    of = norms if cosine else None
    ordinals, scores = core.exact_top(*asked, norms=of)
    lists, _ = in_lists(rng, table, biases, 1 + seed % 5)
    probes = rng.standard_normal(1 + seed % 5).astype(np.float32)
    for found, own in (
        core.exact_top(*asked, norms=of, plain=True),
        lists.search(*asked, probes, size, norms=of),
        lists.search(*asked, probes, size, norms=of, plain=True),
    ):
        assert found.tolist() == ordinals.tolist()
        assert own.tolist() == scores.tolist()


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 300),
    dimension=st.integers(1, 70),
    count=st.integers(1, 40),
    cosine=st.booleans(),
)
def test_numpy_finds_the_same(
    seed: int, size: int, dimension: int, count: int, cosine: bool
) -> None:
    """Scores within 1e-6 of the lengths that they are products of, as sums round by those and not
    by what they come to; the order where scores differ by more.
    """
    rng = np.random.default_rng(seed)
    query, table, biases, norms, eligible = table_of(rng, size, dimension, 1.0)
    asked = (query, table, biases, eligible, count)
    of = norms if cosine else None
    ordinals, scores = core.exact_top(*asked, norms=of)
    expected, expected_scores = plain_scan.exact_top(*asked, norms=of)
    assert len(set(ordinals.tolist())) == ordinals.size == expected.size
    lengths = np.linalg.norm(table[: eligible.size], axis=1) * np.linalg.norm(query)
    bound = 1e-6 * max(1.0, float(lengths.max(initial=0)))
    np.testing.assert_allclose(scores, expected_scores, rtol=0, atol=bound)
    for place in (ordinals != expected).nonzero()[0]:
        assert abs(scores[place] - expected_scores[place]) <= bound
    dots = core.dots(query, table, biases, ordinals)
    np.testing.assert_allclose(
        dots, plain_scan.dots(query, table, biases, ordinals), rtol=0, atol=10 * bound
    )


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), enough=st.integers(0, 200))
def test_lists_are_looked_into_by_probe_until_it_is_enough(seed: int, enough: int) -> None:
    rng = np.random.default_rng(seed)
    query, table, biases, _, eligible = table_of(rng, 200, 6, 1.0)
    lists, list_of = in_lists(rng, table, biases, 10)
    probes = rng.permutation(10).astype(np.float32)
    seen = np.zeros(200, bool)
    for number in np.argsort(-probes):
        if int(seen.sum()) >= enough:
            break
        seen |= eligible & (list_of == number)
    found, _ = lists.search(query, table, biases, eligible, 20, probes, enough)
    expected, _ = core.exact_top(query, table, biases, seen, 20)
    assert found.tolist() == expected.tolist()


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 900),
    dimension=st.sampled_from([1, 63, 64, 65, 72, 128, 200, 300]),
    count=st.integers(0, 40),
    scale=SCALES,
    cosine=st.booleans(),
)
def test_signs_give_the_same_bits_on_every_processor(
    seed: int, size: int, dimension: int, count: int, scale: float, cosine: bool
) -> None:
    """What they let pass has its exact score; below 64 dimensions they are not looked at."""
    rng = np.random.default_rng(seed)
    query, table, biases, norms, eligible = table_of(rng, size, dimension, scale)
    asked = (query, table, biases, eligible, count)
    of = norms if cosine else None
    lists, _ = in_lists(rng, table, biases, 1 + seed % 5)
    probes = rng.standard_normal(1 + seed % 5).astype(np.float32)
    ordinals, scores = lists.search(*asked, probes, size, norms=of, by_signs=True)
    again, same = lists.search(*asked, probes, size, norms=of, by_signs=True, plain=True)
    assert again.tolist() == ordinals.tolist()
    assert same.tolist() == scores.tolist()
    everything, every_score = core.exact_top(query, table, biases, eligible, size, norms=of)
    own = dict(zip(everything.tolist(), every_score.tolist(), strict=True))
    assert scores.tolist() == [own[ordinal] for ordinal in ordinals.tolist()]
    assert [(-s, o) for o, s in zip(ordinals.tolist(), scores.tolist(), strict=True)] == sorted(
        (-s, o) for o, s in zip(ordinals.tolist(), scores.tolist(), strict=True)
    )
    assert ordinals.size == min(count, everything.size)
    if dimension < 64:
        assert ordinals.tolist() == everything[:count].tolist()


@pytest.mark.parametrize("dimension", [64, 100, 128, 384])
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("cosine", [False, True])
def test_signs_lose_next_to_nothing(dimension: int, uneven: bool, cosine: bool) -> None:
    """Isotropic vectors are the hardest, as nothing stands out; of uneven ones few dimensions
    count, unless they are turned first.
    """
    rng = np.random.default_rng(5)
    rows, count = 20_000, 50
    table = rng.standard_normal((rows, dimension)).astype(np.float32)
    if uneven:
        table *= (np.arange(1, dimension + 1) ** -1.0).astype(np.float32)
    table *= np.exp(rng.normal(0, 0.5, (rows, 1))).astype(np.float32)
    biases = rng.normal(0, 0.1, rows).astype(np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", table, table))
    of = norms if cosine else None
    lists, _ = in_lists(rng, table, biases, 1)
    shares = []
    for query in table[:40] + rng.standard_normal((40, dimension), dtype=np.float32) * norms.mean():
        query = np.ascontiguousarray(query / np.linalg.norm(query))
        asked = (query, table, biases, np.ones(rows, np.bool_), count)
        best, _ = core.exact_top(*asked, norms=of)
        found, _ = lists.search(*asked, np.zeros(1, np.float32), rows, norms=of, by_signs=True)
        shares.append(np.isin(best, found).mean())
    assert np.mean(shares) >= 0.98


@pytest.mark.parametrize("dimension", [64, 100, 128])
@pytest.mark.parametrize("cosine", [False, True])
def test_signs_do_not_lose_all_items_that_have_one_vector(dimension: int, cosine: bool) -> None:
    """As new items of one content have: what is said of one of them is wrong of all that are turned
    alike. Those that lie elsewhere, and score the same, stand in for them.
    """
    rng = np.random.default_rng(5)
    rows, count, alike = 40_000, 200, 400
    kinds = rng.standard_normal((rows // alike, dimension)).astype(np.float32)
    table = kinds[rng.permutation(np.arange(rows) % len(kinds))]
    biases, norms = np.zeros(rows, np.float32), np.sqrt(np.einsum("nd,nd->n", table, table))
    of = norms if cosine else None
    lists, _ = in_lists(rng, table, biases, 1)
    for query in rng.standard_normal((100, dimension)).astype(np.float32):
        asked = (query, table, biases, np.ones(rows, np.bool_), count)
        _, best = core.exact_top(*asked, norms=of)
        _, found = lists.search(*asked, np.zeros(1, np.float32), rows, norms=of, by_signs=True)
        assert (found >= best[-1]).mean() >= 0.98


@pytest.mark.parametrize("cosine", [False, True])
def test_what_takes_the_place_of_a_vector_that_moved_is_found(cosine: bool) -> None:
    """Its codes, signs and lengths go with it, though nobody sets it again."""
    rng = np.random.default_rng(11)
    rows, count = 3_000, 50
    table = rng.standard_normal((rows, 64)).astype(np.float32)
    table *= np.exp(rng.normal(0, 0.5, (rows, 1))).astype(np.float32)
    biases = rng.normal(0, 0.5, rows).astype(np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", table, table))
    of = norms if cosine else None
    lists = core.VectorLists(64, 4)
    lists.put(np.arange(rows), np.arange(rows) % 4, table, biases)
    moved = np.sort(rng.permutation(rows)[: rows // 2])
    lists.put(moved, (moved + 1) % 4, table[moved], biases[moved])
    shares = []
    for query in rng.standard_normal((20, 64)).astype(np.float32):
        asked = (query, table, biases, np.ones(rows, np.bool_), count)
        best, _ = core.exact_top(*asked, norms=of)
        probes = np.zeros(4, np.float32)
        assert lists.search(*asked, probes, rows, norms=of)[0].tolist() == best.tolist()
        found, _ = lists.search(*asked, probes, rows, norms=of, by_signs=True)
        shares.append(np.isin(best, found).mean())
    assert np.mean(shares) >= 0.98


def test_signs_of_what_is_no_number_let_it_pass() -> None:
    rng = np.random.default_rng(3)
    query, table, biases, norms, eligible = table_of(rng, 300, 64, 1.0)
    table[7, 3], table[8, 0], biases[9], table[10] = np.nan, np.inf, -np.inf, 3e20
    eligible[:] = True
    lists, _ = in_lists(rng, table, biases, 3)
    for of in (None, norms):
        expected, _ = core.exact_top(query, table, biases, eligible, 300, of)
        asked = (query, table, biases, eligible, 300, np.zeros(3, np.float32), 300, of)
        assert lists.search(*asked, by_signs=True)[0].tolist() == expected.tolist()


def test_an_item_twice_in_a_batch_has_its_last_vector_and_list() -> None:
    """FAISS: update_vectors of an inverted file loses the whole batch."""
    lists = core.VectorLists(2, 2)
    table = np.array([[1, 0], [0, 5]], np.float32)
    biases = np.zeros(2, np.float32)
    both = np.ones(2, bool)
    rows = np.array([[9, 9], [1, 0], [0, 5]], np.float32)
    moved = lists.put(np.array([0, 0, 1]), np.array([1, 0, 1]), rows, np.zeros(3, np.float32))
    assert (moved, len(lists)) == (1, 2)
    query = np.ones(2, np.float32)
    found, _ = lists.search(query, table, biases, both, 5, np.array([1, 0], np.float32), 1)
    assert found.tolist() == [0]
    found, _ = lists.search(query, table, biases, both, 5, np.array([0, 1], np.float32), 1)
    assert found.tolist() == [1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("where", ["query", "vector", "bias"])
def test_what_is_no_number_is_not_found_and_does_no_harm(bad: float, where: str) -> None:
    rng = np.random.default_rng(2)
    query, table, biases, norms, eligible = table_of(rng, 90, 20, 1.0)
    eligible[:] = True
    if where == "query":
        query[3] = bad
    elif where == "vector":
        table[7, 3] = bad
    else:
        biases[7] = bad
    lists, _ = in_lists(rng, table, biases, 3)
    probes = np.zeros(3, np.float32)
    for of in (None, norms):
        expected, _ = plain_scan.exact_top(query, table, biases, eligible, 90, of)
        found, own = core.exact_top(query, table, biases, eligible, 90, of)
        assert not np.isnan(own).any()
        assert set(found.tolist()) == set(expected.tolist())
        if np.isfinite(query).all():
            again, same = lists.search(query, table, biases, eligible, 90, probes, 90, of)
            assert again.tolist() == found.tolist()
            assert same.tolist() == own.tolist()
        else:
            lists.search(query, table, biases, eligible, 90, probes, 90, of)


def good() -> dict[str, Any]:
    return {
        "query": np.ones(4, np.float32),
        "table": np.ones((6, 4), np.float32),
        "biases": np.ones(6, np.float32),
        "eligible": np.ones(6, bool),
        "count": 3,
    }


WRONG: dict[str, Callable[[], dict[str, Any]]] = {
    "float64": lambda: {"query": np.ones(4)},
    "other dimension": lambda: {"query": np.ones(5, np.float32)},
    "no row": lambda: {"query": np.ones((1, 4), np.float32)},
    "a table of other type": lambda: {"table": np.ones((6, 4))},
    "columns": lambda: {"table": np.ones((6, 4), np.float32, order="F")},
    "every second row": lambda: {"table": np.ones((12, 4), np.float32)[::2]},
    "more flags than rows": lambda: {"eligible": np.ones(7, bool)},
    "bytes for flags": lambda: {"eligible": np.ones(6, np.uint8)},
    "fewer biases": lambda: {"biases": np.ones(5, np.float32)},
    "fewer norms": lambda: {"norms": np.ones(5, np.float32)},
    "a list": lambda: {"query": [1.0, 1.0, 1.0, 1.0]},
    "less than nothing": lambda: {"count": -1},
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_arrays_that_do_not_fit_are_refused(wrong: str) -> None:
    lists = core.VectorLists(4, 2)
    lists.put(np.arange(6), np.zeros(6, np.int64), good()["table"], good()["biases"])
    probes = {"probes": np.zeros(2, np.float32), "enough": 6}
    core.exact_top(**good())
    lists.search(**good(), **probes)
    with pytest.raises((TypeError, ValueError)):
        core.exact_top(**{**good(), **WRONG[wrong]()})
    with pytest.raises((TypeError, ValueError)):
        lists.search(**{**good(), **probes, **WRONG[wrong]()})


def test_ordinals_and_lists_that_are_out_of_range_are_refused_and_change_nothing() -> None:
    lists = core.VectorLists(4, 2)
    rows, biases = np.ones((2, 4), np.float32), np.ones(2, np.float32)
    for ordinals, numbers in (([0, -1], [0, 0]), ([0, 1 << 40], [0, 0]), ([0, 1], [0, 2]),
                              ([0, 1], [0, -1]), ([0, 1, 2], [0, 0, 0])):  # fmt: skip
        with pytest.raises(ValueError, match=r"range|length"):
            lists.put(np.array(ordinals), np.array(numbers), rows, biases)
    assert len(lists) == 0
    with pytest.raises(ValueError, match="probes"):
        lists.search(**good(), probes=np.zeros(3, np.float32), enough=1)
    for wrong in (-1, 6):
        with pytest.raises(IndexError):
            core.dots(good()["query"], good()["table"], good()["biases"], np.array([wrong]))
    for dimension, count in ((0, 1), (4, 0), (1 << 20, 1)):
        with pytest.raises(ValueError, match="must be"):
            core.VectorLists(dimension, count)


def test_lists_may_hold_items_that_flags_do_not_reach() -> None:
    """Ordinals are given out while a search has flags of an earlier time."""
    lists = core.VectorLists(4, 1)
    lists.put(np.arange(6), np.zeros(6, np.int64), good()["table"], good()["biases"])
    asked = {**good(), "eligible": np.ones(2, bool)}
    found, _ = lists.search(**asked, probes=np.zeros(1, np.float32), enough=6)
    assert found.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("dimension", "scale", "asked"), [(3, 1e18, 1e20), (8, 1e19, 1e16), (8, 1e20, 1e21)]
)
def test_lists_find_what_the_exact_scan_finds_near_the_largest_float(
    dimension: int, scale: float, asked: float
) -> None:
    """Codes bound nothing there: the second look decides."""
    rng = np.random.default_rng(7)
    rows = 300
    table = (rng.normal(size=(rows, dimension)) * scale).astype(np.float32)
    biases = np.zeros(rows, np.float32)
    query = (rng.normal(size=dimension) * asked).astype(np.float32)
    eligible = np.ones(rows, np.bool_)
    lists = core.VectorLists(dimension, 1)
    ordinals = np.arange(rows)
    lists.put(ordinals, np.zeros(rows, np.int64), table, biases)
    best, scores = core.exact_top(query, table, biases, eligible, 20)
    found = lists.search(query, table, biases, eligible, 20, np.zeros(1, np.float32), rows)
    assert found[0].tolist() == best.tolist()
    assert found[1].tolist() == scores.tolist()
