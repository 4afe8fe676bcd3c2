"""Learned encoders within a training run: each measured against fold-in, the best exported."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from services.trainer.checkpoint import Checkpoint
from services.trainer.encoder_options import EncoderOptions
from services.trainer.encoder_training import train_encoder
from services.trainer.export import export_encoder
from services.trainer.ranking import Quality, quality_of, ranks_of
from services.trainer.sequence_encoder import EncoderUsers, SequenceEncoder
from services.trainer.sequences import examples_of
from services.trainer.timeline import Floats, Groups, Ints, Timeline
from services.trainer.training_data import TrainingData

Judge = Callable[[SequenceEncoder], Quality]


@dataclass(frozen=True, slots=True)
class EncoderRun:
    """The best learned encoder as ONNX, with figures and remarks on all."""

    kind: str
    model: bytes
    metrics: dict[str, float]
    notes: dict[str, str]


def encoder_run(
    data: TrainingData,
    timeline: Timeline,
    groups: Groups,
    table: Floats,
    options: EncoderOptions,
    kinds: Sequence[str],
    work: Path,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]],
) -> EncoderRun:
    """Train each kind on events before the window, over item vectors [N, d], and export the best.

    It is judged on `groups`, which early stopping looks at, too: its figure flatters a little.
    """
    counts: Ints = data.item_counts(data.validation_start)
    metrics: dict[str, float] = {}
    notes: dict[str, str] = {}
    best: tuple[float, str, SequenceEncoder] | None = None
    for kind in kinds:
        own = replace(options, kind=kind)
        examples = examples_of(timeline, data.validation_start, own.length, own.objective)
        facts = {"options": str(own), "table": float(np.abs(table).sum()), "n": len(examples)}

        def quality(encoder: SequenceEncoder, length: int = own.length) -> Quality:
            users = EncoderUsers(encoder, table)
            return quality_of(ranks_of(timeline, groups, length, users, table))

        with progress(f"{kind}: epochs", own.epochs) as show:

            def after(epoch: int, _: float, __: float, to: Callable[[int], None] = show) -> None:
                to(epoch)

            def validate(one: SequenceEncoder, of: Judge = quality) -> float:
                return of(one).ndcg

            saved = Checkpoint(work / f"{kind}.checkpoint", facts)
            encoder, log = train_encoder(table, counts, examples, own, validate, saved, after)
        found = quality(encoder)
        metrics |= found.as_metrics(kind)
        notes[kind] = f"best epoch {log.best_epoch} of {len(log.losses)}"
        if best is None or found.ndcg > best[0]:
            best = (found.ndcg, kind, encoder)
    if best is None:
        raise ValueError("no kind of encoder is asked for")
    _, kind, encoder = best
    length = encoder.length
    histories = np.ascontiguousarray(timeline.histories(groups.first[:64], length).items[:, ::-1])
    exported = export_encoder(encoder, table, histories)
    metrics[f"{kind}_export_difference"] = exported.difference
    return EncoderRun(kind, exported.model, metrics, notes)
