"""Names for the arrays that ranking passes around, and growing them."""

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]
Ordinals = npt.NDArray[np.int64]
"""Item ordinals: dense, per tenant, never reused."""

NO_ORDINALS: Ordinals = np.empty(0, dtype=np.int64)
NO_ORDINALS.flags.writeable = False


def grown(table: npt.NDArray, rows: int, fill: float) -> npt.NDArray:
    """Return `table` with room for `rows` rows at least, new ones holding `fill`.

    Room doubles, so that growing one row at a time costs a constant per row.
    """
    held = table.shape[0]
    if rows <= held:
        return table
    shape = (max(rows, 2 * held, 64), *table.shape[1:])
    # Of zeros, what no row needs yet takes no memory.
    larger = np.full(shape, fill, table.dtype) if fill else np.zeros(shape, table.dtype)
    larger[:held] = table
    return larger
