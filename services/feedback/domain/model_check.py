"""Whether bytes are an ONNX model of the shape that a manifest promises."""

import numpy as np
import onnx
import onnxruntime

TOWER = "item_tower.onnx"
SCORER = "scorer.onnx"
INPUTS = {TOWER: "content", SCORER: "features"}
OUTPUTS = {TOWER: "vector", SCORER: "scores"}


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Return a single-threaded session of a model, loaded from bytes, never by path."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _reads_other_files(model: bytes) -> bool:
    """Return whether a model names external data, which would be read by path."""
    graph = onnx.load_model_from_string(model).graph
    return any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer)


def model_fault(model: bytes, columns_in: int, columns_out: int) -> str | None:
    """Return what is wrong with a model that maps [n, columns_in] to [n, columns_out], or None."""
    try:
        if _reads_other_files(model):
            return "keeps tensors in other files"
        session = open_session(model)
        name = session.get_inputs()[0].name
        outputs = session.run(None, {name: np.zeros((2, columns_in), np.float32)})
    except Exception as error:  # onnxruntime raises classes of its own, unnamed
        return f"is not a model that runs: {str(error).splitlines()[0][:200]}"
    shape = tuple(np.shape(outputs[0]))
    if len(session.get_inputs()) != 1 or shape != (2, columns_out):
        return f"maps [2, {columns_in}] to {list(shape)}, not to [2, {columns_out}]"
    if not np.isfinite(outputs[0]).all():
        return "gives values that are not finite"
    return None
