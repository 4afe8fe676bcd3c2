"""Whether bytes are an ONNX model of the shape that a manifest promises, and of bounded cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from services.common.content_features import hash_features
from services.common.onnx_model import (
    INPUTS,
    OUTPUTS,
    TOWER,
    ExternalDataError,
    first_line,
    open_session,
)

OPERATORS = frozenset(
    (
        "Abs",
        "Add",
        "And",
        "BatchNormalization",
        "Cast",
        "Ceil",
        "Clip",
        "Concat",
        "Constant",
        "Div",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Flatten",
        "Floor",
        "Gather",
        "Gelu",
        "Gemm",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LayerNormalization",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "LogSoftmax",
        "LpNormalization",
        "MatMul",
        "Max",
        "Mean",
        "Min",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "PRelu",
        "Pow",
        "Reciprocal",
        "ReduceL1",
        "ReduceL2",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceSum",
        "ReduceSumSquare",
        "Relu",
        "Reshape",
        "Round",
        "Selu",
        "Shape",
        "Sigmoid",
        "Sign",
        "Slice",
        "Softmax",
        "Softplus",
        "Softsign",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
        "Tanh",
        "Transpose",
        "Unsqueeze",
        "Where",
    )
)
"""Operators that a model may use: none that loops or branches, draws at random, or takes the size
of its output from data."""
_MAX_NODES = 1000
_ROWS = 256
"""Rows of one trial run: as many as the learner gives a tower, and more than most slates score."""
_MAX_CPU_SECONDS = 1.0
_LARGEST = 1e9


def model_fault(
    file: str,
    model: bytes,
    columns_in: int,
    columns_out: int,
    contents: Sequence[Mapping[str, float]] = (),
    cpu_seconds: Callable[[], float] = lambda: 0.0,
) -> str | None:
    """Return what is wrong with the model of a file of a generation, or None.

    `cpu_seconds`: the processor time of this thread so far, where runs shall be timed.

    It must map [n, columns_in] to [n, columns_out], under the names that its file prescribes, with
    finite values for zeros, extremes, random rows, and, when it is an item tower, `contents`:
    content features of items. It may take the time and memory that it wants: see model_trial.
    """
    try:
        fault = _structure_fault(onnx.load_model_from_string(model))
        if fault:
            return fault
        session = open_session(model)
        inputs = [one.name for one in session.get_inputs()]
        outputs_named = [one.name for one in session.get_outputs()]
        if inputs != [INPUTS[file]] or OUTPUTS[file] not in outputs_named:
            return (
                f"takes {inputs} and gives {outputs_named}, not [{INPUTS[file]!r}] and "
                f"{OUTPUTS[file]!r}"
            )
        for rows in _trials(file, columns_in, contents):
            fault = _run_fault(file, session, rows, columns_out, cpu_seconds)
            if fault:
                return fault
    except ExternalDataError as error:
        return f"keeps tensors in other files: {error}"
    except Exception as error:  # onnxruntime raises classes of its own, unnamed
        return f"is not a model that runs: {first_line(error)}"
    return None


def _structure_fault(model: onnx.ModelProto) -> str | None:
    if model.functions:
        return "defines functions of its own"
    if len(model.graph.node) > _MAX_NODES:
        return f"has {len(model.graph.node)} operators, at most {_MAX_NODES} are taken"
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            return f"uses the operator {node.domain}{'.' if node.domain else ''}{node.op_type}"
    return None


def _trials(
    file: str, columns: int, contents: Sequence[Mapping[str, float]]
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield inputs [n, columns] to try: what a model meets, and what it may meet."""
    yield np.zeros((2, columns), np.float32)
    for start in range(0, len(contents), _ROWS):
        yield np.stack([hash_features(one, columns) for one in contents[start : start + _ROWS]])
    chance = np.random.default_rng(1)
    # Content is of norm 1; a feature of the scorer is a z-score, or the log of a count.
    most = 1.0 if file == TOWER else 30.0
    for size in (-most, most):
        yield np.full((2, columns), size, np.float32)
        alone = np.zeros((_ROWS, columns), np.float32)
        alone[np.arange(_ROWS), np.arange(_ROWS) % columns] = size
        yield alone
    rows = chance.normal(size=(_ROWS, columns)).astype(np.float32)
    if file == TOWER:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    yield rows
    # A row by itself comes to the same model.
    yield rows[:1]


def _run_fault(
    file: str,
    session: onnxruntime.InferenceSession,
    rows: npt.NDArray[np.float32],
    columns_out: int,
    cpu_seconds: Callable[[], float],
) -> str | None:
    began = cpu_seconds()
    (values,) = session.run([OUTPUTS[file]], {INPUTS[file]: rows})
    took = cpu_seconds() - began
    shape, wanted = tuple(np.shape(values)), (len(rows), columns_out)
    if shape != wanted:
        return f"maps {list(rows.shape)} to {list(shape)}, not to {list(wanted)}"
    if values.dtype != np.float32:
        return f"gives {values.dtype}, not float32"
    if not (np.abs(values) <= _LARGEST).all():
        return f"gives values that are not finite, or above {_LARGEST:g}"
    if took > _MAX_CPU_SECONDS:
        return f"takes {took:.1f} s for {len(rows)} rows, at most {_MAX_CPU_SECONDS:.0f} s is taken"
    return None
