"""iALS against the normal equations written out, row by row, over a dense matrix."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.trainer import ials
from services.trainer.base_vectors import fit_base_vectors
from services.trainer.engine import EngineError, LocalEngine, RayEngine, open_engine
from services.trainer.ials import IalsOptions, first_vectors, train_ials
from services.trainer.interactions import Interactions, write_interactions


def made(folder: Path, users: int = 40, items: int = 25, events: int = 500) -> Interactions:
    generator = np.random.default_rng(3)
    chunk = (
        generator.integers(0, users - 1, events).astype(np.int32),
        # The last user and item have nothing.
        (generator.random(events) ** 2 * (items - 1)).astype(np.int32),
        generator.choice([0.5, 1.0, 2.0], events).astype(np.float32),
    )
    return write_interactions(folder, [chunk], users, items)


def matrix_of(interactions: Interactions) -> np.ndarray:
    matrix = np.zeros((interactions.users, interactions.items))
    block = interactions.by_user.block(0, interactions.users)
    for user in range(interactions.users):
        part = slice(block.offsets[user], block.offsets[user + 1])
        matrix[user, block.columns[part]] = block.weights[part]
    return matrix


def naive_half(matrix: np.ndarray, fixed: np.ndarray, options: IalsOptions, alpha: float) -> Any:
    """Equation 4 of arXiv 2110.14037, with a weight per pair."""
    solved = np.zeros((len(matrix), fixed.shape[1]))
    for row, weights in enumerate(matrix):
        count = np.count_nonzero(weights)
        if not count:
            continue
        ridge = options.regularization * (count + alpha * len(fixed)) ** options.frequency_power
        system = alpha * fixed.T @ fixed + ridge * np.eye(fixed.shape[1])
        system += (fixed * weights[:, None]).T @ fixed
        solved[row] = np.linalg.solve(system, weights @ fixed)
    return solved


# Rows with fewer entries than dimensions are solved in another form than rows with more, and long
# ones a part at a time.
@pytest.mark.parametrize(("dimension", "at_once"), [(4, 1 << 11), (64, 1 << 11), (4, 3)])
def test_it_solves_the_normal_equations(
    tmp_path: Path, dimension: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ials, "_AT_ONCE", at_once)
    interactions = made(tmp_path / "rows")
    options = IalsOptions(dimension, sweeps=3, alpha=0.3, regularization=0.02)
    found = train_ials(interactions, options, tmp_path / "users")
    matrix = matrix_of(interactions)
    items = first_vectors(25, options).astype(np.float64)
    for _ in range(3):
        users = naive_half(matrix, items, options, 0.3)
        items = naive_half(matrix.T, users, options, 0.3)
    np.testing.assert_allclose(found, items, rtol=2e-4, atol=2e-6)
    assert not found[24].any(), "an item without events has no vector"


def test_the_objective_falls_with_every_sweep(tmp_path: Path) -> None:
    interactions = made(tmp_path / "rows")
    options = IalsOptions(8, sweeps=6, alpha=0.3, regularization=0.02)
    matrix, losses = matrix_of(interactions), []

    def loss(_: int, items: np.ndarray) -> None:
        users = naive_half(matrix, items.astype(np.float64), options, 0.3)
        scores = users @ items.T
        rows, columns = (np.count_nonzero(matrix, axis=axis) for axis in (1, 0))
        total = (matrix * (1 - scores) ** 2).sum() + 0.3 * (scores**2).sum()
        for vectors, count, others in ((users, rows, 25), (items, columns, 40)):
            ridge = 0.02 * (count + 0.3 * others)
            total += (ridge * (vectors**2).sum(axis=1))[count > 0].sum()
        losses.append(total)

    train_ials(interactions, options, tmp_path / "users", on_sweep=loss)
    assert (np.diff(losses) < 0).all(), losses


def test_a_resumed_fit_ends_with_the_same_bits(tmp_path: Path) -> None:
    interactions = made(tmp_path / "rows")
    options = IalsOptions(8, sweeps=5)

    class StopError(Exception):
        pass

    def stop_in_third_sweep(rows: int) -> None:
        if rows > 2.5 * (interactions.users + interactions.items):
            raise StopError

    def fit(folder: Path, progress: Callable[[int], None] = lambda _: None) -> np.ndarray:
        folder.mkdir(exist_ok=True)
        return fit_base_vectors(
            interactions, options, folder, "ials", {"data": 1}, LocalEngine(), progress=progress
        )

    whole = fit(tmp_path / "whole")
    with pytest.raises(StopError):
        fit(tmp_path / "parted", stop_in_third_sweep)
    heard: list[int] = []
    resumed = fit(tmp_path / "parted", heard.append)
    assert heard[0] > 2 * (interactions.users + interactions.items), "it started over"
    assert resumed.tobytes() == whole.tobytes()


class FakeRay:
    """As much of Ray as the engine uses: it runs tasks when they are asked for, pickled."""

    @staticmethod
    def remote(function: Callable[..., Any]) -> Any:
        class Remote:
            @staticmethod
            def remote(shared: Any, task: Any) -> Any:
                return lambda: function(shared, task)

        return Remote

    @staticmethod
    def put(value: Any) -> Any:
        return value

    @staticmethod
    def get(reference: Any) -> Any:
        return reference()


def test_a_cluster_gives_the_same_bits(tmp_path: Path) -> None:
    interactions = made(tmp_path / "rows")
    options = IalsOptions(8, sweeps=2)
    here = train_ials(interactions, options, tmp_path / "a")
    there = train_ials(interactions, options, tmp_path / "b", engine=RayEngine(FakeRay(), ahead=2))
    assert there.tobytes() == here.tobytes()


def test_results_come_in_order_and_never_pile_up() -> None:
    under_way = 0

    class Counting(FakeRay):
        @staticmethod
        def remote(function: Callable[..., Any]) -> Any:
            class Remote:
                @staticmethod
                def remote(shared: Any, task: Any) -> Any:
                    nonlocal under_way
                    under_way += 1
                    assert under_way <= 3

                    def done() -> Any:
                        nonlocal under_way
                        under_way -= 1
                        return function(shared, task)

                    return done

            return Remote

    def tasks() -> Iterable[int]:
        yield from range(10)

    results: Iterator[int] = RayEngine(Counting(), ahead=3).map(lambda a, b: a * b, 2, tasks())
    assert list(results) == [2 * n for n in range(10)]


def test_an_engine_that_is_not_there_says_what_to_do() -> None:
    if importlib.util.find_spec("ray") is None:
        with pytest.raises(EngineError, match="pip install ray"):
            open_engine("ray")
    with pytest.raises(EngineError, match="local, ray"):
        open_engine("spark")
