"""The bootstrap generation: built by code, so that a fresh deployment serves at once.

Item tower: hashed content features times a fixed Gaussian projection (Johnson-Lindenstrauss: inner
products survive), scaled to one norm. Scorer: prior weights over the candidate features. Encoder:
fold-in. The same settings give the same bytes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, checker, helper, numpy_helper

from harken.feedback.v1 import generation_pb2 as pb
from harken.log.v1 import entry_pb2
from services.common.candidate_features import COLUMNS
from services.common.onnx_model import INPUTS, OUTPUTS, SCORER, TOWER
from services.feedback.domain.item_step import ItemStepConfig
from services.feedback.store.log_store import NewEntry

BUCKETS = 2048
START_NORM = 0.5
OUTCOMES = ("engage",)
_SEED = 7
_OPSET = 17
_IR_VERSION = 8

# Measured on MovieLens-100k and ml-latest-small (see DECISIONS.md): what fits recent taste and what
# follows the last items lead; popularity breaks ties, and leads when both are silent.
_PRIOR: Mapping[str, float] = MappingProxyType(
    {"vector_z": 1.0, "rules_z": 1.0, "popularity_z": 0.1}
)


class BootstrapBuilder:
    """Builds bootstrap generations of one dimension."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension

    def __call__(self, tenant: str) -> tuple[bytes, NewEntry, dict[str, bytes]]:
        """Return the serialised manifest, the log entry that activates it, and its files."""
        files = {TOWER: item_tower(self._dimension), SCORER: prior_scorer()}
        manifest = pb.GenerationManifest(
            generation_id=f"bootstrap-{self._dimension}",
            tenant=tenant,
            dimension=self._dimension,
            max_norm=ItemStepConfig().max_norm,
            encoder=pb.Encoder(
                kind=pb.ENCODER_KIND_FOLD_IN, length=30, decay=0.8, alpha=0.3, regularization=0.2
            ),
            scorer_features=COLUMNS,
            outcomes=OUTCOMES,
            content_buckets=BUCKETS,
            files=[
                pb.GenerationFile(
                    name=name, size=len(content), sha256=hashlib.sha256(content).digest()
                )
                for name, content in files.items()
            ],
        )
        entry = entry_pb2.Entry(generation_activated=manifest)
        activation = NewEntry(tenant, None, entry.SerializeToString())
        return manifest.SerializeToString(), activation, files


def item_tower(dimension: int) -> bytes:
    """Return the tower: vector = START_NORM * x P / |x P|, for content x [n, BUCKETS]."""
    generator = np.random.Generator(np.random.Philox(key=_SEED))
    projection = generator.standard_normal((BUCKETS, dimension)) / np.sqrt(dimension)
    nodes = [
        helper.make_node("MatMul", [INPUTS[TOWER], "projection"], ["projected"]),
        helper.make_node("ReduceL2", ["projected"], ["norm"], axes=[1], keepdims=1),
        helper.make_node("Max", ["norm", "least"], ["safe_norm"]),
        helper.make_node("Div", ["projected", "safe_norm"], ["unit"]),
        helper.make_node("Mul", ["unit", "start_norm"], [OUTPUTS[TOWER]]),
    ]
    weights = {
        "projection": projection.astype(np.float32),
        "least": np.array([1e-12], np.float32),
        "start_norm": np.array([START_NORM], np.float32),
    }
    return _model("item_tower", nodes, weights, TOWER, BUCKETS, dimension)


def prior_scorer() -> bytes:
    """Return the scorer: scores = features w, for features [n, len(COLUMNS)]."""
    column = np.array([[_PRIOR.get(name, 0.0)] for name in COLUMNS], np.float32)
    nodes = [helper.make_node("MatMul", [INPUTS[SCORER], "weights"], [OUTPUTS[SCORER]])]
    return _model("scorer", nodes, {"weights": column}, SCORER, len(COLUMNS), len(OUTCOMES))


def _model(
    name: str,
    nodes: Sequence[NodeProto],
    weights: Mapping[str, npt.NDArray[np.float32]],
    file: str,
    columns_in: int,
    columns_out: int,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(INPUTS[file], TensorProto.FLOAT, ["n", columns_in])],
        [helper.make_tensor_value_info(OUTPUTS[file], TensorProto.FLOAT, ["n", columns_out])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="harken"
    )
    model.ir_version = _IR_VERSION
    checker.check_model(model)
    return bytes(model.SerializeToString())
