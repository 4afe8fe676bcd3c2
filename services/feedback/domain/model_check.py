"""Whether bytes are an ONNX model of the shape that a manifest promises."""

import numpy as np

from services.common.onnx_model import TOWER as TOWER  # learner_state takes it from here
from services.common.onnx_model import ExternalDataError, open_session


def model_fault(model: bytes, columns_in: int, columns_out: int) -> str | None:
    """Return what is wrong with a model that maps [n, columns_in] to [n, columns_out], or None."""
    try:
        session = open_session(model)
        name = session.get_inputs()[0].name
        outputs = session.run(None, {name: np.zeros((2, columns_in), np.float32)})
    except ExternalDataError as error:
        return f"keeps tensors in other files: {error}"
    except Exception as error:  # onnxruntime raises classes of its own, unnamed
        return f"is not a model that runs: {str(error).splitlines()[0][:200]}"
    shape = tuple(np.shape(outputs[0]))
    if len(session.get_inputs()) != 1 or shape != (2, columns_out):
        return f"maps [2, {columns_in}] to {list(shape)}, not to [2, {columns_out}]"
    if not np.isfinite(outputs[0]).all():
        return "gives values that are not finite"
    return None
