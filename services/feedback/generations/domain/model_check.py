"""Whether bytes are an ONNX model of the shape that a manifest promises, and of bounded cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from services.common.content_features import hash_features
from services.common.onnx_model import (
    INPUTS,
    OUTPUTS,
    SCORER,
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
"""Rows of one trial run: as many as the learner gives a tower at most, and rankers a scorer."""
_FEW_ROWS = 2
_MAX_CPU_SECONDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {TOWER: (0.1, 1.0), SCORER: (0.02, 0.02)}
)
"""Of one run with _FEW_ROWS at most, and with more. A tower may run once for each item that comes;
slates wait for a scorer, and each other, whatever they score."""
_ATTEMPTS = 3
"""Runs of which the quickest counts, when the first was slow."""
_SIZED_BY: Mapping[str, int] = MappingProxyType(
    {"Reshape": 1, "Slice": 1, "Split": 1, "Squeeze": 1, "Unsqueeze": 1}
    | {name: 1 for name in OPERATORS if name.startswith("Reduce")}
)
"""From which input on an operator is told a shape; no value of the model's input may tell it."""
_ALIKE = 0.01
"""How far the same row may come out differently in another place, beside 1 and its value."""
_LARGEST = 1e9
_PARTS = (slice(1), slice(3), slice(17), slice(100), slice(255), slice(None, None, -1))
"""Of the random rows: fewer of them, and all the other way round."""


class _UnfitError(Exception):
    """Why a model is not taken."""


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

    It must map [n, columns_in] to [n, columns_out], row by row, under the names that its file
    prescribes, with finite values for zeros, extremes, random rows, and, when it is an item tower,
    `contents`: content features of items. It may take the time and memory that it wants: see
    model_trial.
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
            _run(file, session, rows, columns_out, cpu_seconds)
        rows = _random_rows(file, columns_in)
        values = _run(file, session, rows, columns_out, cpu_seconds)
        for part in _PARTS:
            own = _run(file, session, np.ascontiguousarray(rows[part]), columns_out, cpu_seconds)
            if not (np.abs(own - values[part]) <= _ALIKE * (1.0 + np.abs(own))).all():
                return "gives a row other values when it stands beside others, or elsewhere"
    except _UnfitError as error:
        return str(error)
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
    constant = {one.name for one in model.graph.initializer}
    values = {one.name for one in model.graph.input} - constant
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            return f"uses the operator {node.domain}{'.' if node.domain else ''}{node.op_type}"
        if not values.isdisjoint(node.input[_SIZED_BY.get(node.op_type, len(node.input)) :]):
            return f"lets values of its input tell a shape, in {node.op_type}"
        # What a shape is made into tells of the number of rows only.
        if node.op_type != "Shape" and not values.isdisjoint(node.input):
            values.update(node.output)
    return None


def _trials(
    file: str, columns: int, contents: Sequence[Mapping[str, float]]
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield inputs [n, columns] to try: what a model meets, and what it may meet."""
    yield np.zeros((2, columns), np.float32)
    for start in range(0, len(contents), _ROWS):
        yield np.stack([hash_features(one, columns) for one in contents[start : start + _ROWS]])
    # Content is of norm 1; a feature of the scorer is a z-score, or the log of a count.
    most = 1.0 if file == TOWER else 30.0
    for size in (-most, most):
        yield np.full((2, columns), size, np.float32)
        alone = np.zeros((_ROWS, columns), np.float32)
        alone[np.arange(_ROWS), np.arange(_ROWS) % columns] = size
        yield alone


def _random_rows(file: str, columns: int) -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(1).normal(size=(_ROWS, columns)).astype(np.float32)
    if file == TOWER:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _run(
    file: str,
    session: onnxruntime.InferenceSession,
    rows: npt.NDArray[np.float32],
    columns_out: int,
    cpu_seconds: Callable[[], float],
) -> npt.NDArray[np.float32]:
    """Return what a model makes of rows.

    Raises:
        _UnfitError: it is not what is promised, or takes too long.

    """
    few, many = _MAX_CPU_SECONDS[file]
    most = few if len(rows) <= _FEW_ROWS else many
    for _ in range(_ATTEMPTS):
        began = cpu_seconds()
        (values,) = session.run([OUTPUTS[file]], {INPUTS[file]: rows})
        took = cpu_seconds() - began
        if took <= most:
            break
    shape, wanted = tuple(np.shape(values)), (len(rows), columns_out)
    if shape != wanted:
        raise _UnfitError(f"maps {list(rows.shape)} to {list(shape)}, not to {list(wanted)}")
    if values.dtype != np.float32:
        raise _UnfitError(f"gives {values.dtype}, not float32")
    if not (np.abs(values) <= _LARGEST).all():
        raise _UnfitError(f"gives values that are not finite, or above {_LARGEST:g}")
    if took > most:
        raise _UnfitError(f"takes {took:.2g} s for {len(rows)} rows, at most {most:g} s is taken")
    found: npt.NDArray[np.float32] = values
    return found
