"""Keeping the vector space stable: a cold refit is rotated onto the space before it.

Source: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem": the R that
minimises |A R - B|_F over orthogonal R is U V^T for the singular values A^T B = U S V^T. Dot
products, and so all rankings, are the same after a rotation.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def rotation(new: Floats, old: Floats) -> npt.NDArray[np.float64]:
    """Return the orthogonal R [d, d] that brings `new` [n, d] R closest to `old` [n, d].

    Rows are the same items. Unit rows are compared, so that popular items do not decide alone.
    """
    left, _, right = np.linalg.svd(_unit(new).T @ _unit(old))
    turned: npt.NDArray[np.float64] = left @ right
    return turned


def onto(vectors: Floats, common_new: Floats, common_old: Floats) -> Floats:
    """Return `vectors` [n, d] rotated as `rotation` of the common items says.

    With fewer than d common items part of the rotation is arbitrary, and still a rotation.
    """
    return (vectors.astype(np.float64) @ rotation(common_new, common_old)).astype(np.float32)


def _unit(rows: Floats) -> npt.NDArray[np.float64]:
    wide = rows.astype(np.float64)
    unit: npt.NDArray[np.float64] = wide / np.maximum(
        np.linalg.norm(wide, axis=1, keepdims=True), 1e-12
    )
    return unit
