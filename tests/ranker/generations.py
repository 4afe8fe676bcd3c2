"""Generations for tests: a scorer that adds its features, as one Gemm.

Features that are others times the user's depth are left out: they would take those back; and what
the user himself did, so that taste shows on seen items.
"""

import functools
import hashlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from harken.feedback.v1 import generation_pb2
from services.common.ranking.features import FEATURES
from services.common.ranking.scorer import Scorer
from services.ranker.domain.generation import Generation

DIMENSION = 4
MAX_NORM = 10.0
ADDED = np.array([not (n.endswith("_zd") or n.startswith("own_")) for n in FEATURES])
"""Which features the scorer adds."""


@functools.cache
def scorer_model(columns: int = len(FEATURES), outcomes: int = 1) -> bytes:
    weights = np.ones((columns, outcomes), dtype=np.float32)
    if columns == len(FEATURES):
        weights[~ADDED] = 0
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["features", "weights"], ["scores"])],
        "scorer",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", columns])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", outcomes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@functools.cache
def generation(generation_id: str = "g1", dimension: int = DIMENSION) -> Generation:
    return Generation(
        generation_id, dimension, MAX_NORM, Scorer(scorer_model(), FEATURES, ("positive",))
    )


def manifest(
    generation_id: str = "g1", dimension: int = DIMENSION
) -> generation_pb2.GenerationManifest:
    files = generation_files()
    return generation_pb2.GenerationManifest(
        generation_id=generation_id,
        tenant="default",
        dimension=dimension,
        max_norm=MAX_NORM,
        encoder=generation_pb2.Encoder(
            kind=generation_pb2.ENCODER_KIND_FOLD_IN,
            length=30,
            decay=0.8,
            alpha=0.3,
            regularization=0.2,
        ),
        scorer_features=FEATURES,
        outcomes=[generation_pb2.Outcome(name="positive", weight=1.0)],
        content_buckets=8,
        files=[
            generation_pb2.GenerationFile(
                name=name, size=len(data), sha256=hashlib.sha256(data).digest()
            )
            for name, data in files.items()
        ],
    )


def generation_files() -> dict[str, bytes]:
    return {"item_tower.onnx": b"not for rankers" * 100, "scorer.onnx": scorer_model()}


class KnownGenerations:
    """A generation source that answers at once, from the manifest alone."""

    async def load(self, tenant: str, manifest: generation_pb2.GenerationManifest) -> Generation:
        return generation(manifest.generation_id, manifest.dimension)
