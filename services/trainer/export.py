"""Models -> ONNX, each verified against what it was made from, on real inputs."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from services.common.onnx_model import INPUTS, OUTPUTS, TOWER, open_session
from services.feedback.generations.domain.model_check import model_fault
from services.trainer.deep_scorer import DEEP_INPUTS, DeepScorer, deep_quality, inputs_of
from services.trainer.scorer_data import CandidateGroup
from services.trainer.sequence_encoder import SequenceEncoder, mask_of
from services.trainer.timeline import Floats, Ints
from services.trainer.tower_run import ScaledTower

ENCODER = "encoder.onnx"
"""Encoder, all float32: history [n, l, d], newest last, mask [n, l] -> vector [n, d]."""
ENCODER_INPUTS = ("history", "mask")
ENCODER_OUTPUT = "vector"
_OPSET = 18


class ExportError(Exception):
    """An exported model does not do what it was made from."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A model as bytes, and its largest difference to the original on the inputs tried."""

    model: bytes
    difference: float


def export_tower(model: ScaledTower, content: Floats, tolerance: float = 1e-4) -> Exported:
    """Export a tower, tried on content [n, buckets] of real items.

    Raises:
        ExportError: the difference is above the tolerance, or feedback would refuse the model.

    """
    inputs = {INPUTS[TOWER]: content}
    exported = _export(model, inputs, OUTPUTS[TOWER], tolerance)
    fault = model_fault(TOWER, exported.model, content.shape[1], model.linear.out_features)
    if fault is not None:
        raise ExportError(f"the item tower {fault}")
    return exported


def export_encoder(
    encoder: SequenceEncoder, table: Floats, histories: Ints, tolerance: float = 1e-4
) -> Exported:
    """Export an encoder, tried on real histories [n, length] of ordinals.

    Newest last, NO_ITEM in front; at least two rows.

    Raises:
        ExportError: the difference is above the tolerance.

    """
    padded = np.concatenate([table, np.zeros((1, table.shape[1]), np.float32)])
    mask = mask_of(torch.from_numpy(histories)).numpy()
    inputs = dict(zip(ENCODER_INPUTS, (padded[histories], mask), strict=True))
    return _export(encoder, inputs, ENCODER_OUTPUT, tolerance)


def _export(
    model: nn.Module, inputs: Mapping[str, Floats], output: str, tolerance: float
) -> Exported:
    model.eval()
    tensors = tuple(torch.from_numpy(np.ascontiguousarray(one)) for one in inputs.values())
    rows = torch.export.Dim("n", min=1)
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            model,
            tensors,
            dynamo=True,
            opset_version=_OPSET,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple({0: rows} for _ in inputs),
        )
        if program is None:
            raise ExportError("PyTorch gave no model")
        content: bytes = program.model_proto.SerializeToString()
        wanted = model(*tensors).numpy()
    session = open_session(content)
    made = session.run([output], dict(inputs))[0]
    alone = session.run([output], {name: one[:1] for name, one in inputs.items()})[0]
    difference = float(max(np.abs(made - wanted).max(), np.abs(alone - wanted[:1]).max()))
    if not difference <= tolerance:
        raise ExportError(f"the exported model differs by {difference:.3g}, above {tolerance:.3g}")
    return Exported(content, difference)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter prints and warns about its own inside."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@dataclass(frozen=True, slots=True)
class ExportedDeepScorer:
    """The deep scorer as bytes, its difference to the original, and its NDCG@10 as tried."""

    model: bytes
    difference: float
    quality: float


def export_deep_scorer(
    model: DeepScorer,
    groups: Sequence[CandidateGroup],
    histories: Callable[[CandidateGroup], Ints],
    table: Floats,
    tolerance: float = 1e-4,
) -> ExportedDeepScorer:
    """Export a deep scorer, tried on real groups.

    Raises:
        ExportError: the difference is above the tolerance.

    """
    group = groups[0]
    tensors = inputs_of(group, np.arange(len(group.items)), histories(group), table)
    arrays = [np.ascontiguousarray(one.numpy()) for one in tensors]
    exported = _export(model, dict(zip(DEEP_INPUTS, arrays, strict=True)), "scores", tolerance)
    quality = deep_quality(model, groups, histories, table)
    return ExportedDeepScorer(exported.model, exported.difference, quality.ndcg)
