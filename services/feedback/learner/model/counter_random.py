"""Random numbers that depend on counters alone: the same wherever the step boundaries lie."""

import numpy as np
import numpy.typing as npt

from services.common.splitmix import BITS, GAMMA, finalised, mix


def _mixed_seed(seed: int) -> np.uint64:
    """Return what `mix` makes of one number, without arrays."""
    return np.uint64(finalised((seed + GAMMA) & BITS))


def uniform_ordinals(
    seed: int, sequences: npt.NDArray[np.integer], columns: int, n_items: int
) -> npt.NDArray[np.int64]:
    """Uniform ordinals [n, columns] in 0..n_items-1 from (seed, log sequence, column).

    columns: 1..64. n_items > 0; the bias of the multiply-shift is below 2^-21 for 2^31 items.
    """
    sequence = np.asarray(sequences).astype(np.uint64)[:, None]
    column = np.arange(columns, dtype=np.uint64)
    x = mix(_mixed_seed(seed) ^ (sequence * np.uint64(64) + column))
    return ((x >> np.uint64(11)) * 2.0**-53 * n_items).astype(np.int64)


def sampled(seed: int, sequences: npt.NDArray[np.integer], one_in: int) -> npt.NDArray[np.bool_]:
    """Which of the log sequences [n] are in a sample of about one in `one_in` >= 1."""
    x = mix(_mixed_seed(seed) ^ np.asarray(sequences).astype(np.uint64))
    chosen: npt.NDArray[np.bool_] = x % one_in == 0
    return chosen
