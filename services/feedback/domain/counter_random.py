"""Random numbers that depend on counters alone: the same wherever the step boundaries lie."""

import numpy as np
import numpy.typing as npt


def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64 step and finaliser (Steele et al. 2014); wraps modulo 2^64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform_ordinals(
    seed: int, sequences: npt.NDArray[np.integer], columns: int, n_items: int
) -> npt.NDArray[np.int64]:
    """Uniform ordinals [n, columns] in 0..n_items-1 from (seed, log sequence, column).

    columns: 1..64. n_items > 0; the bias of the multiply-shift is below 2^-21 for 2^31 items.
    """
    sequence = np.asarray(sequences).astype(np.uint64)[:, None]
    column = np.arange(columns, dtype=np.uint64)[None, :]
    start = mix(np.array([seed % 2**64], np.uint64))
    x = mix(start ^ (sequence * np.uint64(64) + column))
    return ((x >> np.uint64(11)).astype(np.float64) * 2.0**-53 * n_items).astype(np.int64)


def sampled(seed: int, sequences: npt.NDArray[np.integer], one_in: int) -> npt.NDArray[np.bool_]:
    """Which of the log sequences [n] are in a sample of about one in `one_in` >= 1."""
    x = mix(mix(np.array([seed % 2**64], np.uint64)) ^ np.asarray(sequences).astype(np.uint64))
    chosen: npt.NDArray[np.bool_] = x % np.uint64(one_in) == 0
    return chosen
