"""Item vectors of a generation that was written before."""

from pathlib import Path

import numpy as np

from harken.feedback.v1 import generation_pb2 as pb
from services.common.onnx_model import ITEM_VECTORS
from services.trainer.generation import GenerationError, read_generation
from services.trainer.timeline import Floats


def previous_vectors(folder: Path) -> dict[str, Floats]:
    """Return the vectors [d] of a generation's folder, by item id.

    Raises:
        GenerationError: there is no such generation, or it has no item vectors.

    """
    manifest, files = read_generation(folder)
    if ITEM_VECTORS not in files:
        raise GenerationError(f"{folder} has no {ITEM_VECTORS}")
    found = pb.ItemVectorFile.FromString(files[ITEM_VECTORS])
    table = np.frombuffer(found.vectors, "<f4").reshape(-1, manifest.dimension)
    return dict(zip(found.item_ids, table.astype(np.float32), strict=True))
