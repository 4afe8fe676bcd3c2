"""Cosine similarity, the one measure of likeness between two items or two users.

    cosine(a, b) = a . b / (|a| |b|)

It compares what points the same way and ignores how long the vectors are, so a popular item (whose
vector learning makes longer) is not similar to everything. Salton & McGill, Introduction to Modern
Information Retrieval (1983), section 4.1; for item-item recommendation Sarwar et al., WWW 2001,
section 3.1.1.

Example: users who rated five items [4, 3, 5, 2, 4] and [5, 4, 3, 5, 2] have
65 / sqrt(70 * 79) = 0.8741.
"""

import numpy as np
import numpy.typing as npt


def cosine(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the cosine of two vectors of one length, in [-1, 1].

    A zero vector has no direction: its cosine with anything is 0.

    Raises:
        ValueError: the vectors differ in length, or a value is NaN or infinite.

    """
    left = np.asarray(a, dtype=np.float64)
    right = np.asarray(b, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"cosine needs two vectors of one length, got {left.shape}, {right.shape}")
    return float(cosine_to_rows(left, right[np.newaxis, :])[0])


def cosine_to_rows(query: npt.ArrayLike, rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the cosine of `query` [d] with each row of `rows` [n, d], as [n] in [-1, 1].

    Raises:
        ValueError: the dimensions differ, or a value is NaN or infinite.

    """
    vector = np.asarray(query, dtype=np.float64)
    table = np.asarray(rows, dtype=np.float64)
    if vector.ndim != 1 or table.ndim != 2 or table.shape[1] != vector.shape[0]:
        raise ValueError(f"cannot compare {vector.shape} with rows of {table.shape}")
    if not (np.isfinite(vector).all() and np.isfinite(table).all()):
        raise ValueError("cosine needs finite values")
    cosines = _unit_rows(table) @ _unit_rows(vector[np.newaxis, :])[0]
    return np.asarray(np.clip(cosines, -1.0, 1.0), np.float64)


def _unit_rows(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return rows of length 1 (zero rows as they are); scaled first, so no square underflows."""
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    scaled = rows / np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1.0), np.float64)
