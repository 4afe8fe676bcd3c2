"""Training of learned encoders: batches, loss, early stopping, checkpoints."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from services.common.fold_in import base_inverse
from services.trainer.checkpoint import Arrays, Checkpoint
from services.trainer.encoder_options import LOSSES, EncoderOptions
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.gru import gru
from services.trainer.ials import gramian
from services.trainer.sasrec import sasrec
from services.trainer.sequence_encoder import (
    OnEpoch,
    SequenceEncoder,
    TrainingLog,
    mask_of,
)
from services.trainer.sequences import Examples
from services.trainer.timeline import NO_ITEM, Floats, Ints
from services.trainer.torch_state import captured, restore, weights, weights_of

KINDS: dict[str, Callable[[int, EncoderOptions], SequenceEncoder]] = {"sasrec": sasrec, "gru": gru}


class _Scores(nn.Module):
    """What training needs beside the encoder: a scale, item biases, maybe a table of its own."""

    def __init__(self, encoder: SequenceEncoder, table: Floats, counts: Ints, learn: bool) -> None:
        super().__init__()
        self.encoder = encoder
        # The last row stands for padding.
        padded = torch.from_numpy(np.concatenate([table, np.zeros((1, table.shape[1]))])).float()
        self.table = nn.Parameter(padded, requires_grad=learn)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.from_numpy(0.5 * np.log1p(counts)).float())

    def users(self, histories: torch.Tensor) -> torch.Tensor:
        return self.encoder.all_places(self.table[histories], mask_of(histories))

    def logits(self, users: torch.Tensor, items: torch.Tensor | None = None) -> torch.Tensor:
        table = self.table[:-1] if items is None else self.table[items]
        bias = self.bias if items is None else self.bias[items]
        return torch.exp(self.log_scale) * users @ table.T + bias


def new_encoder(dimension: int, options: EncoderOptions) -> SequenceEncoder:
    """Return a fresh encoder of options.kind.

    Raises:
        ValueError: there is no such kind or loss.

    """
    if options.kind not in KINDS:
        raise ValueError(f"no encoder {options.kind!r}; there are {', '.join(KINDS)}")
    if options.loss not in (*LOSSES, "auto"):
        raise ValueError(f"no loss {options.loss!r}; there are auto, {', '.join(LOSSES)}")
    return KINDS[options.kind](dimension, options)


def train_encoder(
    table: Floats,
    counts: Ints,
    examples: Examples,
    options: EncoderOptions,
    validate: Callable[[SequenceEncoder], float],
    checkpoint: Checkpoint | None = None,
    on_epoch: OnEpoch = lambda _, __, ___: None,
) -> tuple[SequenceEncoder, TrainingLog]:
    """Return the encoder of the epoch with the best `validate` (higher is better), and the log.

    table: [N, d] item vectors, fixed (see EncoderOptions.train_table). counts: [N] events in
    training. A checkpoint is written after each epoch; a resumed run ends with the same bits.
    """
    torch.manual_seed(options.seed)
    encoder = new_encoder(table.shape[1], options)
    start_as_ridge(encoder, table)
    model = _Scores(encoder, table, counts, options.train_table)
    learned = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=options.learning_rate, weight_decay=options.decay)
    log = TrainingLog()
    best = weights(model.encoder, "best/")
    saved = checkpoint.read() if checkpoint else None
    if saved is not None:
        restore(model, optimiser, saved)
        best = {name: value for name, value in saved.items() if name.startswith("best/")}
        log = TrainingLog(
            saved["losses"].tolist(), saved["validations"].tolist(), int(saved["best_epoch"])
        )
    while len(log.losses) < options.epochs and not _is_stale(log, options):
        epoch = len(log.losses)
        # Its own stream per epoch: a resumed run draws what an uninterrupted one would.
        generator = np.random.Generator(np.random.Philox(key=[options.seed, epoch]))
        log.losses.append(_epoch(model, optimiser, examples, options, generator))
        log.validations.append(validate(model.encoder.eval()))
        if log.validations[-1] > max(log.validations[:-1], default=-math.inf):
            best, log.best_epoch = weights(model.encoder, "best/"), epoch + 1
        if checkpoint:
            checkpoint.write(captured(model, optimiser) | best | _as_arrays(log))
        on_epoch(epoch + 1, log.losses[-1], log.validations[-1])
    model.encoder.load_state_dict(weights_of(best, "best/"))
    return model.encoder.eval(), log


def start_as_ridge(encoder: SequenceEncoder, table: Floats) -> None:
    """Let an encoder start near fold-in: its recency-weighted mean is multiplied by fold-in's M.

    M = (alpha' G + lam I)^-1 (services/common/fold_in.py), brought to a mean eigenvalue of 1.
    """
    options = FoldInOptions()
    inverse = base_inverse(gramian(table), options.alpha, options.regularization)
    ridge = inverse.astype(np.float64)
    scale = table.shape[1] / float(np.trace(ridge))
    with torch.no_grad():
        encoder.mean.weight.copy_(torch.from_numpy(ridge * scale))


def _is_stale(log: TrainingLog, options: EncoderOptions) -> bool:
    return len(log.losses) - log.best_epoch >= options.patience


def _as_arrays(log: TrainingLog) -> Arrays:
    return {
        "losses": np.array(log.losses),
        "validations": np.array(log.validations),
        "best_epoch": np.array(log.best_epoch),
    }


def _epoch(
    model: _Scores,
    optimiser: torch.optim.Optimizer,
    examples: Examples,
    options: EncoderOptions,
    generator: np.random.Generator,
) -> float:
    """Train on every example once; return the mean loss."""
    model.train()
    items = len(model.bias)
    loss_name = options.loss_for(items)
    order = generator.permutation(len(examples))
    total, predicted = 0.0, 0
    for begin in range(0, len(order), options.batch_size):
        rows = order[begin : begin + options.batch_size]
        targets = torch.from_numpy(examples.drawn(rows, generator))
        predicts = targets != NO_ITEM
        if not bool(predicts.any()):
            continue
        users = model.users(torch.from_numpy(examples.histories(rows)))[predicts]
        targets = targets[predicts]
        negatives = torch.from_numpy(generator.integers(0, items, options.negatives))
        loss = _loss(model, loss_name, users, targets, negatives)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        total += float(loss.detach()) * len(targets)
        predicted += len(targets)
    return total / max(predicted, 1)


def _loss(
    model: _Scores,
    name: str,
    users: torch.Tensor,
    targets: torch.Tensor,
    negatives: torch.Tensor,
) -> torch.Tensor:
    if name == "cross_entropy":
        return nn.functional.cross_entropy(model.logits(users), targets)
    own = (users * model.table[targets]).sum(dim=1) * torch.exp(model.log_scale)
    own = own + model.bias[targets]
    others = model.logits(users, negatives)
    others = others.masked_fill(negatives[None, :] == targets[:, None], -1e9)
    if name == "sampled":
        # The true item against uniform ones, each standing for N / negatives items.
        stand_for = math.log(len(model.bias) / len(negatives))
        logits = torch.cat([own[:, None], others + stand_for], dim=1)
        return nn.functional.cross_entropy(logits, torch.zeros_like(targets))
    positive = nn.functional.softplus(-own)
    negative = nn.functional.softplus(others).mean(dim=1)
    return (positive + negative).mean()
