"""The models of the bootstrap generation, and the constants of its encoder. Pure: only bytes.

Item tower: hashed content features times a fixed Gaussian projection (Johnson-Lindenstrauss: inner
products survive), scaled to one norm. Scorer: prior weights over the candidate features. Encoder:
fold-in. The same settings give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.common.candidate_features import COLUMNS
from services.common.fold_in import FoldInEncoder
from services.common.onnx_model import INPUTS, OUTPUTS, SCORER, TOWER
from services.feedback.learner.model.entries import GenerationActivated
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.outcome_definition import OutcomeDefinition

BUCKETS = 2048
START_NORM = 0.5
ENGAGE = (OutcomeDefinition("engage", frozenset(), None, 1.0),)
"""Outcomes of a scorer without a preset's."""
OUTCOMES = tuple(one.name for one in ENGAGE)
ENCODER = FoldInEncoder()
_SEED = 7
# A first guess of how often outcomes come: the first one 12%, each further one more rarely.
_FIRST_LOGIT = -2.0
_RARER = 1.5
_UNWANTED_LOGIT = -5.0
_OPSET = 17
_IR_VERSION = 8

# Measured on MovieLens-100k and ml-latest-small (see DECISIONS.md): what fits recent taste and what
# follows the last items lead; popularity breaks ties, and leads when both are silent, for newcomers
# that of their place in history and session.
_PRIOR: Mapping[str, float] = MappingProxyType(
    {
        "vector_z": 1.0,
        "rules_z": 1.0,
        "popularity_z": 0.1,
        "position_z": 0.3,
        "position_zd": -0.2,
        "session_z": 0.1,
        "session_zd": -0.1,
    }
)


class _Node(NamedTuple):
    """One operator of a graph."""

    operator: str
    inputs: Sequence[str]
    output: str
    options: Mapping[str, Any] = MappingProxyType({})


def bootstrap_activation(dimension: int, manifest: bytes = b"") -> GenerationActivated:
    """Return the activation of the bootstrap generation of a dimension."""
    return GenerationActivated(
        generation_id=f"bootstrap-{dimension}",
        manifest=manifest,
        tower=item_tower(dimension),
        dimension=dimension,
        max_norm=ItemStepConfig().max_norm,
        content_buckets=BUCKETS,
        length=ENCODER.length,
        decay=ENCODER.decay,
        alpha=ENCODER.alpha,
        regularization=ENCODER.regularization,
    )


def item_tower(dimension: int) -> bytes:
    """Return the tower: vector = START_NORM * x P / |x P|, for content x [n, BUCKETS]."""
    generator = np.random.Generator(np.random.Philox(key=_SEED))
    projection = generator.standard_normal((BUCKETS, dimension)) / np.sqrt(dimension)
    nodes = [
        _Node("MatMul", (INPUTS[TOWER], "projection"), "projected"),
        _Node("ReduceL2", ("projected",), "norm", {"axes": [1], "keepdims": 1}),
        _Node("Max", ("norm", "least"), "safe_norm"),
        _Node("Div", ("projected", "safe_norm"), "unit"),
        _Node("Mul", ("unit", "start_norm"), OUTPUTS[TOWER]),
    ]
    weights = {
        "projection": projection.astype(np.float32),
        "least": np.array([1e-12], np.float32),
        "start_norm": np.array([START_NORM], np.float32),
    }
    return _model("item_tower", nodes, weights, TOWER, BUCKETS, dimension)


def prior_scorer(outcomes: Sequence[OutcomeDefinition] = ENGAGE) -> bytes:
    """Return the scorer: logits = features W + b, for features [n, len(COLUMNS)].

    With the prior score s = features . _PRIOR, the logit of a wanted outcome is s / 4 + offset, and
    that of an unwanted one (negative weight) a constant: nothing is known about it yet. So whatever
    positive weights the wanted ones have, slates are in the order of s.
    """
    prior = np.array([_PRIOR.get(name, 0.0) for name in COLUMNS], np.float32)
    # A power of two: the products stay exact.
    slopes = np.array([0.25 if one.weight > 0 else 0.0 for one in outcomes], np.float32)
    wanted = np.cumsum(slopes > 0) - 1
    offsets = np.where(slopes > 0, _FIRST_LOGIT - _RARER * wanted, _UNWANTED_LOGIT)
    weights = {"weights": prior[:, None] * slopes, "offsets": offsets.astype(np.float32)}
    nodes = [
        _Node("MatMul", (INPUTS[SCORER], "weights"), "sums"),
        _Node("Add", ("sums", "offsets"), OUTPUTS[SCORER]),
    ]
    return _model("scorer", nodes, weights, SCORER, len(COLUMNS), len(outcomes))


def _model(
    name: str,
    nodes: Sequence[_Node],
    weights: Mapping[str, npt.NDArray[np.float32]],
    file: str,
    columns_in: int,
    columns_out: int,
) -> bytes:
    # Here for the reason that `open_session` gives.
    from onnx import TensorProto, checker, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(one.operator, one.inputs, [one.output], **one.options) for one in nodes],
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
