"""ONNX models of a generation: what their files are called, and how they are opened."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

if TYPE_CHECKING:
    import onnxruntime

TOWER = "item_tower.onnx"
"""Item tower: content [n, content_buckets] float32 -> vector [n, dimension] float32."""
SCORER = "scorer.onnx"
"""Scorer: features [n, columns] float32 -> scores [n, outcomes] float32."""
ITEM_VECTORS = "item_vectors.pb"
"""Trained vectors of items, not a model: a harken.feedback.v1.ItemVectorFile."""
INPUTS: Mapping[str, str] = MappingProxyType({TOWER: "content", SCORER: "features"})
OUTPUTS: Mapping[str, str] = MappingProxyType({TOWER: "vector", SCORER: "scores"})


def first_line(error: Exception) -> str:
    """Return what an error says, short enough for a message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


class ExternalDataError(ValueError):
    """A model keeps a tensor outside of itself."""


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Return a single-threaded session of a model, loaded from bytes, never by path.

    Takes milliseconds.

    Raises:
        ExternalDataError: a tensor of it has external data.
        Exception: it is no model, or one that cannot run; parser and runtime have classes of
            their own without a common base.

    """
    # Here, as in all that makes or runs models: both take a tenth of a second to import, which a
    # process that only takes events never needs, and would add to each of its starts.
    import onnx
    import onnxruntime

    _refuse_external_data(onnx.load_model_from_string(model))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Otherwise bytes may pass for another format than the one that was checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Affine(NamedTuple):
    """What a model computes that is a matrix and no more: input [n, columns] weights^T + offsets.

    weights: float32 [outputs, columns]. offsets: float32 [outputs].
    """

    weights: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]


def affine_of(model: bytes, file: str) -> Affine | None:
    """Return what a model computes, when it is one Gemm, or a MatMul and an Add, of its input and
    constants: what Harken itself makes. None when it may be anything else. `file`: its name.
    """
    import onnx

    graph = onnx.load_model_from_string(model).graph
    constants = {one.name: one for one in graph.initializer}
    given, output = INPUTS[file], OUTPUTS[file]
    last = graph.node[-1].output if graph.node else ()
    if list(last) != [output] or any(node.domain for node in graph.node):
        return None
    match [(node.op_type, *node.input) for node in graph.node]:
        case [("Gemm", first, weights, *offsets)]:
            # With what attributes say it would be another sum.
            plain = not graph.node[0].attribute
        case [("MatMul", first, weights), ("Add", sums, *offsets)]:
            plain = list(graph.node[0].output) == [sums]
        case _:
            return None
    if not plain or first != given or not {weights, *offsets} <= constants.keys() - {given}:
        return None
    matrix, *rows = (onnx.numpy_helper.to_array(constants[name]) for name in (weights, *offsets))
    if matrix.ndim != 2 or matrix.dtype != np.float32:
        return None
    row = rows[0] if rows else np.zeros(matrix.shape[1], np.float32)
    if row.shape != matrix.shape[1:] or row.dtype != np.float32:
        return None
    return Affine(np.ascontiguousarray(matrix.T), np.ascontiguousarray(row))


def in_place(array: npt.NDArray[np.float32]) -> onnxruntime.OrtValue:
    """Return an array as a value of the runtime that shares its memory."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def _refuse_external_data(message: Message) -> None:
    """Look at all messages within a message: the runtime would read such data by path.

    Whatever holds tensors is covered: initializers, dense and sparse, attributes of nodes, graphs
    within attributes, functions, training. The parser bounds how deep messages are nested.
    """
    import onnx

    if isinstance(message, onnx.TensorProto) and (
        message.data_location == onnx.TensorProto.EXTERNAL or message.external_data
    ):
        raise ExternalDataError(f"tensor {message.name!r} has external data")
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for inner in (value,) if isinstance(value, Message) else value:
            _refuse_external_data(inner)
