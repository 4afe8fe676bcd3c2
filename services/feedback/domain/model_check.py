"""Whether bytes are an ONNX model of the shape that a manifest promises."""

import numpy as np

from services.common.onnx_model import INPUTS, OUTPUTS, ExternalDataError, open_session


def model_fault(file: str, model: bytes, columns_in: int, columns_out: int) -> str | None:
    """Return what is wrong with the model of a file of a generation, or None.

    It must map [n, columns_in] to [n, columns_out], under the names that its file prescribes.
    """
    try:
        session = open_session(model)
        inputs = [one.name for one in session.get_inputs()]
        outputs_named = [one.name for one in session.get_outputs()]
        if inputs != [INPUTS[file]] or OUTPUTS[file] not in outputs_named:
            return (
                f"takes {inputs} and gives {outputs_named}, not [{INPUTS[file]!r}] and "
                f"{OUTPUTS[file]!r}"
            )
        outputs = session.run(
            [OUTPUTS[file]], {INPUTS[file]: np.zeros((2, columns_in), np.float32)}
        )
    except ExternalDataError as error:
        return f"keeps tensors in other files: {error}"
    except Exception as error:  # onnxruntime raises classes of its own, unnamed
        return f"is not a model that runs: {str(error).splitlines()[0][:200]}"
    shape = tuple(np.shape(outputs[0]))
    if shape != (2, columns_out):
        return f"maps [2, {columns_in}] to {list(shape)}, not to [2, {columns_out}]"
    if not np.isfinite(outputs[0]).all():
        return "gives values that are not finite"
    return None
