"""Base vectors by iALS: alternating ridge regressions over all pairs of users and items.

Source: Hu, Koren & Volinsky 2008; Rendle et al. 2021, "Revisiting the performance of iALS on item
recommendation benchmarks" (arXiv 2110.14037), equations 1 to 4:

    L = sum_(u,i) w_ui (1 - u.v)^2 + alpha sum_all (u.v)^2 + sum_u lam_u |u|^2 + sum_i lam_i |v|^2
    lam_u = regularization * (n_u + alpha * N_items)^frequency_power      (lam_i alike)

One row costs one solve. With the Gramian of the other side diagonalised once, G = Q L Q^T, the
implicit part and the row's own ridge are a diagonal, D = (alpha L + lam_u)^-1, so that a row with
fewer entries than dimensions is solved in its dual form, an l x l system (Woodbury, as in
services/common/fold_in.py); others in the primal form. Rows of like length are batched.
Everything is float64; vectors are kept as float32.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.trainer.engine import Engine, LocalEngine
from services.trainer.interactions import Block, Interactions, SparseRows

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_BLOCK_ROWS = 4096
_BLOCK_ENTRIES = 1 << 18
_BATCH_CELLS = 1 << 22
_AT_ONCE = 1 << 11
"""Entries of a long row that are looked at together: what everybody has is no more in memory."""
_INIT_STD = 0.1


@dataclass(frozen=True, slots=True)
class IalsOptions:
    """Constants of iALS.

    dimension: 1..1024. sweeps: full alternations, > 0. alpha: weight of every pair as an implicit
    negative, > 0; None: 20 / sqrt(items), which fits what was measured at 1.7k items (0.5) and 9k
    (0.2). regularization: > 0. frequency_power: 0..1, how much the ridge grows with a row's count.
    seed: of the first item vectors.
    """

    dimension: int = 128
    sweeps: int = 14
    alpha: float | None = None
    regularization: float = 0.01
    frequency_power: float = 1.0
    seed: int = 0

    def alpha_for(self, items: int) -> float:
        """Return alpha for a catalogue of this size."""
        return self.alpha if self.alpha is not None else 20.0 / float(np.sqrt(max(items, 1)))


@dataclass(frozen=True, slots=True)
class _Side:
    """What all rows of a half-step share; picklable, so that an engine can send it."""

    folder: Path
    rotated: Floats
    rotation: Doubles
    eigenvalues: Doubles
    alpha: float
    regularization: float
    frequency_power: float


def first_vectors(items: int, options: IalsOptions) -> Floats:
    """Return item vectors [items, d] to start from: Gaussian of norm about 0.1."""
    generator = np.random.Generator(np.random.Philox(key=options.seed))
    first: Floats = np.empty((items, options.dimension), np.float32)
    for begin in range(0, items, _BLOCK_ROWS):
        part = first[begin : begin + _BLOCK_ROWS]
        part[:] = generator.standard_normal(part.shape) * (_INIT_STD / np.sqrt(options.dimension))
    return first


def train_ials(
    interactions: Interactions,
    options: IalsOptions,
    user_file: Path,
    start: Floats | None = None,
    first_sweep: int = 0,
    engine: Engine | None = None,
    on_sweep: Callable[[int, Floats], None] = lambda _, __: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Floats:
    """Return item vectors [items, d].

    start: item vectors to go on from (a warm start or a checkpoint; rows of zeros are drawn anew);
    user vectors follow from them, so they are the whole state. user_file: where user vectors are
    kept meanwhile. on_sweep: called with the number of sweeps done and the item vectors: what a
    checkpoint needs. progress: hears rows solved, of ``(sweeps - first_sweep) * (users + items)``.
    """
    engine = engine or LocalEngine()
    vectors = first_vectors(interactions.items, options)
    if start is not None:
        # After a sweep a row of zeros is an item without events, and an answer like any other.
        known = start.any(axis=1) | (first_sweep > 0)
        vectors[known] = start[known]
    shape = (max(interactions.users, 1), options.dimension)
    users: Floats = np.memmap(user_file, np.float32, mode="w+", shape=shape)
    # The implicit part counts what the other side holds, for users all items and the other way.
    alpha = options.alpha_for(interactions.items)
    done = 0
    for sweep in range(first_sweep, options.sweeps):
        for rows, fixed, target in (
            (interactions.by_user, vectors, users),
            (interactions.by_item, users[: interactions.users], vectors),
        ):
            for start_row, solved in half_step(rows, fixed, alpha, options, engine):
                target[start_row : start_row + len(solved)] = solved
                done += len(solved)
                progress(done)
        on_sweep(sweep + 1, vectors)
    return vectors


def half_step(
    rows: SparseRows, fixed: Floats, alpha: float, options: IalsOptions, engine: Engine
) -> Iterator[tuple[int, Floats]]:
    """Yield (first row, vectors [n, d]) of all blocks: each row's best answer to `fixed` [m, d]."""
    eigenvalues, rotation = np.linalg.eigh(gramian(fixed))
    side = _Side(
        rows.folder,
        _rotated(fixed, rotation),
        rotation,
        np.maximum(eigenvalues, 0.0),
        alpha,
        options.regularization,
        options.frequency_power,
    )
    yield from engine.map(solve_block, side, rows.bounds(_BLOCK_ROWS, _BLOCK_ENTRIES))


def gramian(vectors: Floats) -> Doubles:
    """Return the sum of outer products of rows [d, d], in float64, a block of rows at a time."""
    total = np.zeros((vectors.shape[1],) * 2)
    for begin in range(0, len(vectors), 1 << 16):
        part = np.asarray(vectors[begin : begin + (1 << 16)], np.float64)
        total += part.T @ part
    return total


def solve_block(side: _Side, bounds: tuple[int, int]) -> tuple[int, Floats]:
    """Solve rows start to stop; returns (start, vectors). A row without entries is zero."""
    start, stop = bounds
    block = SparseRows(side.folder).block(start, stop)
    dimension = side.rotated.shape[1]
    solved = np.zeros((stop - start, dimension))
    counts = np.diff(block.offsets)
    ridge = side.regularization * np.power(
        counts + side.alpha * side.rotated.shape[0], side.frequency_power
    )
    for members, length in _alike(counts):
        padded, weights = _padded(block, members, length)
        spread = side.alpha * side.eigenvalues[None, :] + ridge[members][:, None]
        solve = _dual if length < dimension else _primal
        solved[members] = solve(side.rotated, padded, weights, spread)
    return start, (solved @ side.rotation.T).astype(np.float32)


def _rotated(fixed: Floats, rotation: Doubles) -> Floats:
    rotated = np.empty(fixed.shape, np.float32)
    for begin in range(0, len(fixed), 1 << 16):
        part = slice(begin, begin + (1 << 16))
        rotated[part] = np.asarray(fixed[part], np.float64) @ rotation
    return rotated


def _alike(counts: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """Yield (rows, padded length) of rows of like count, small enough to be solved at once."""
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] > 0]
    begin = 0
    while begin < order.size:
        shortest = int(counts[order[begin]])
        longest = max(shortest + shortest // 4, 8)
        end = int(np.searchsorted(counts[order], longest, side="right"))
        end = max(min(end, begin + max(_BATCH_CELLS // (longest * 128), 1)), begin + 1)
        members = order[begin:end]
        yield members, int(counts[members].max())
        begin = end


def _padded(
    block: Block, members: npt.NDArray[np.int64], length: int
) -> tuple[npt.NDArray[np.int64], Doubles]:
    """Return columns [n, length] and weights [n, length], 0 where a row has ended."""
    place = block.offsets[members][:, None] + np.arange(length)
    inside = place < block.offsets[members + 1][:, None]
    place = np.where(inside, place, 0)
    columns = np.where(inside, block.columns[place], 0)
    return columns.astype(np.int64), np.where(inside, block.weights[place], 0.0)


def _dual(
    rotated: Floats, columns: npt.NDArray[np.int64], weights: Doubles, spread: Doubles
) -> Doubles:
    """x = D B^T S (I + S B D B^T S)^-1 S 1 for B = rotated[columns] [n, l, d], S = W^1/2,
    D = 1/spread.
    """
    entries = np.asarray(rotated[columns], np.float64)
    root = np.sqrt(weights)
    scaled = entries * root[:, :, None]
    shrunk = scaled / spread[:, None, :]
    kernel = shrunk @ scaled.transpose(0, 2, 1)
    diagonal = np.arange(kernel.shape[1])
    kernel[:, diagonal, diagonal] += 1.0
    dual = np.linalg.solve(kernel, root[:, :, None])
    solved: Doubles = (dual.transpose(0, 2, 1) @ shrunk)[:, 0, :]
    return solved


def _primal(
    rotated: Floats, columns: npt.NDArray[np.int64], weights: Doubles, spread: Doubles
) -> Doubles:
    """x = (B^T W B + 1/D)^-1 B^T W 1 for B = rotated[columns] [n, l, d]."""
    rows, dimension = spread.shape
    system = np.zeros((rows, dimension, dimension))
    right = np.zeros((rows, dimension))
    for begin in range(0, columns.shape[1], _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        entries = np.asarray(rotated[columns[:, part]], np.float64)
        weighted = entries * weights[:, part, None]
        system += weighted.transpose(0, 2, 1) @ entries
        right += weighted.sum(axis=1)
    diagonal = np.arange(dimension)
    system[:, diagonal, diagonal] += spread
    return np.asarray(np.linalg.solve(system, right[:, :, None])[:, :, 0], np.float64)
