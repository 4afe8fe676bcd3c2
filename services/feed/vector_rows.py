"""Vectors of items as they go over the wire: in full, or in steps of two bytes a value."""

import numpy as np
import numpy.typing as npt

from harken.internal.feed.v1 import frame_pb2 as pb

Floats = npt.NDArray[np.float32]


def write_rows(vectors: Floats, unit: float, wire: pb.ItemVectors) -> None:
    """Write vectors [n, d]; `unit`: what all their values are multiples of, 0: of nothing."""
    if unit:
        wire.steps = np.rint(vectors / np.float32(unit)).astype("<i2").tobytes()
        wire.unit = unit
    else:
        wire.vectors = vectors.astype("<f4", copy=False).tobytes()


def read_rows(wire: pb.ItemVectors) -> Floats:
    """Return vectors [n, d], down to the bit as they were written.

    Raises:
        ValueError: the columns are torn, or there are vectors of nobody.

    """
    rows = len(wire.items)
    if wire.steps:
        values = np.frombuffer(wire.steps, "<i2").astype(np.float32) * np.float32(wire.unit)
    else:
        values = np.frombuffer(wire.vectors, "<f4")
    if not rows:
        if values.size:
            raise ValueError("vectors of nobody")
        return values.reshape(0, 0)
    return values.reshape(rows, -1)
