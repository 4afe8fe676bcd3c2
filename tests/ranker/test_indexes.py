"""Lists made beside what serves, and vectors in a file."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.common.compiled_core import find_core
from services.ranker.domain.item_index import ItemIndex, Sizes
from services.ranker.indexes import FileTable, Indexes

SIZE = 51_000
"""More than what lists are made from."""
DIMENSION = 16
CORE = find_core()


def clustered(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    centres = rng.standard_normal((40, DIMENSION))
    vectors = centres[rng.integers(0, 40, size)] + 0.2 * rng.standard_normal((size, DIMENSION))
    return vectors.astype(np.float32), np.zeros(size, np.float32)


def found_of_all(index: ItemIndex, vectors: np.ndarray, query: np.ndarray) -> float:
    best = np.argpartition(-(vectors @ query), 200)[:200]
    found, _ = index.search(query, np.ones(len(vectors), bool), 200)
    return float(np.isin(best, found).mean())


@pytest.mark.skipif(CORE is None, reason="the compiled core is not installed")
async def test_lists_are_made_while_the_index_serves_and_changes() -> None:
    """Truth 10, of lists: what was set meanwhile is in those that serve then."""
    rng = np.random.default_rng(1)
    vectors, biases = clustered(rng, SIZE)
    indexes = Indexes(CORE, sizes=Sizes(lists=50_000, share=1 / 3))
    index = indexes.new_index(DIMENSION)
    index.grow(SIZE)
    index.assign(np.arange(SIZE), vectors, biases)
    assert index.training() is not None
    training = asyncio.create_task(indexes.train_next())
    for query in vectors[:10].copy():
        # Frames are folded and slates made in between, exact as before.
        moved = rng.permutation(SIZE)[:300]
        vectors[moved] = rng.permutation(vectors[moved])
        index.assign(moved, vectors[moved], biases[moved])
        # Within rounding of the last of the 200.
        assert found_of_all(index, vectors, query) >= 0.99
        await asyncio.sleep(0)
        assert not training.done()
    await training
    assert index.training() is None
    shares = [found_of_all(index, vectors, vectors[row]) for row in range(40)]
    assert float(np.mean(shares)) >= 0.98
    # What was set last is found by itself.
    for row in moved[:20]:
        assert row in index.nearest(int(row), np.ones(SIZE, bool), 3)


@pytest.mark.parametrize("core", [None, CORE], ids=["NumPy", "core"])
def test_vectors_in_a_file_are_those_in_memory(tmp_path: Path, core: object) -> None:
    rng = np.random.default_rng(2)
    in_file = Indexes(CORE if core is not None else None, tmp_path).new_index(DIMENSION)
    in_memory = Indexes(CORE if core is not None else None).new_index(DIMENSION)
    size = 0
    for grown in (1, 900, 1_100, 2_500):
        vectors, biases = clustered(rng, 300)
        ordinals = rng.integers(0, grown, 300)
        for index in (in_file, in_memory):
            index.grow(grown)
            index.assign(ordinals, vectors, biases)
        size = grown
    held = in_memory.held().nonzero()[0]
    assert in_file.copy_rows(held).tobytes() == in_memory.copy_rows(held).tobytes()
    for query in vectors[:20]:
        found, scores = in_file.search(query, in_file.held(), 50)
        expected, own = in_memory.search(query, in_memory.held(), 50)
        assert (found.tolist(), scores.tolist()) == (expected.tolist(), own.tolist())
    assert size == in_file.held().size
    # The file has no name: it is gone with its process, however that ends.
    assert list(tmp_path.iterdir()) == []


def test_rows_that_were_mapped_stay_when_the_file_grows(tmp_path: Path) -> None:
    table = FileTable(tmp_path, 3)
    before = table.room_for(10)
    before[9] = [1, 2, 3]
    after = table.room_for(100_000)
    assert after[9].tolist() == before[9].tolist() == [1, 2, 3]
    assert not after[10:].any()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileTable(tmp_path / "nowhere", 3)
