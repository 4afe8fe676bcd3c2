"""The item tower: content -> base vector, for items of which there is nothing but content.

    x [n, buckets] -> x W + MLP(x)  -> direction; norm = softplus(...)     vector = norm * direction

The linear path alone is a ridge-like map and holds most of it; the MLP adds what features mean
together. Trained on items with events to predict their base vectors: cosine and log norm, weighted
by count / (count + prior), because the base vector of a rare item is noise. Its target is mixed
with the mean of its neighbours in the item graph (`smoothing`). Items of the validation part are
held out whole. Each epoch puts a random id in place of the item's own (see content_matrix).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from services.trainer.checkpoint import Checkpoint
from services.trainer.content_matrix import ContentMatrix
from services.trainer.timeline import Floats, Ints
from services.trainer.torch_state import captured, restore, weights, weights_of
from services.trainer.tower_options import TowerOptions


class ItemTowerModel(nn.Module):
    """Content [n, buckets] -> vector [n, dimension]."""

    def __init__(self, buckets: int, dimension: int, options: TowerOptions) -> None:
        super().__init__()
        self.linear = nn.Linear(buckets, dimension)
        self.hidden = nn.Linear(buckets, options.hidden)
        self.direction = nn.Linear(options.hidden, dimension)
        self.norm = nn.Linear(options.hidden, 1)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        """Return vectors of a bounded, positive norm."""
        content = self.dropout(content)
        hidden = self.dropout(torch.nn.functional.gelu(self.hidden(content)))
        raw = self.linear(content) + self.direction(hidden)
        length = raw.pow(2).sum(dim=1, keepdim=True).clamp_min(1e-12).sqrt()
        norm: torch.Tensor = torch.nn.functional.softplus(self.norm(hidden))
        vectors: torch.Tensor = raw / length * norm
        return vectors


def train_tower(
    content: ContentMatrix,
    targets: Floats,
    counts: Ints,
    train_rows: Ints,
    held_out: Ints,
    neighbours: Floats | None,
    options: TowerOptions,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[int, float], None] = lambda _, __: None,
) -> ItemTowerModel:
    """Return the tower of the best epoch on `held_out`.

    targets: [N, d] base vectors. counts: [N] events. neighbours: [N, d] means over the item graph,
    zero where there are none. on_epoch: epochs done and the held-out loss (NaN without held-out
    items: then the last epoch counts).
    """
    torch.manual_seed(options.seed)
    model = ItemTowerModel(content.buckets, targets.shape[1], options)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.decay
    )
    wanted = _smoothed(targets, counts, neighbours, options)
    trust = counts / (counts + options.prior)
    with torch.no_grad():
        typical = float(np.median(np.linalg.norm(wanted[train_rows], axis=1)))
        model.norm.bias.fill_(math.log(math.expm1(max(typical, 1e-3))))
        model.norm.weight.mul_(0.1)
    best, best_loss, stale, epoch = weights(model, "best/"), math.inf, 0, 0
    saved = checkpoint.read() if checkpoint else None
    if saved is not None:
        restore(model, optimiser, saved)
        best = {name: value for name, value in saved.items() if name.startswith("best/")}
        best_loss, stale, epoch = (
            float(saved["best_loss"]),
            int(saved["stale"]),
            int(saved["epoch"]),
        )
    while epoch < options.epochs and stale < options.patience:
        # Its own stream per epoch: a resumed run draws what an uninterrupted one would.
        generator = np.random.Generator(np.random.Philox(key=[options.seed, epoch]))
        _epoch(model, optimiser, content, wanted, trust, train_rows, generator, options)
        epoch += 1
        loss = _loss_on(model, content, targets, trust, held_out, options)
        if math.isnan(loss) or loss < best_loss:
            best, best_loss, stale = weights(model, "best/"), loss, 0
        else:
            stale += 1
        if checkpoint:
            state = {"best_loss": np.array(best_loss), "stale": np.array(stale)}
            checkpoint.write(captured(model, optimiser) | best | state | {"epoch": np.array(epoch)})
        on_epoch(epoch, loss)
    model.load_state_dict(weights_of(best, "best/"))
    return model.eval()


def tower_vectors(model: ItemTowerModel, content: ContentMatrix, rows: Ints) -> Floats:
    """Return vectors [n, d] of items, by content alone."""
    model.eval()
    parts = [np.zeros((0, model.linear.out_features), np.float32)]
    with torch.no_grad():
        for begin in range(0, len(rows), 512):
            dense = torch.from_numpy(content.dense(rows[begin : begin + 512]))
            parts.append(model(dense).numpy())
    return np.concatenate(parts)


def _smoothed(
    targets: Floats, counts: Ints, neighbours: Floats | None, options: TowerOptions
) -> Floats:
    """Return targets, drawn to the neighbours' mean the less is known of the item itself."""
    if neighbours is None:
        return targets
    share = options.smoothing * options.prior / (counts + options.prior)
    share = np.where(neighbours.any(axis=1), share, 0.0)[:, None]
    return ((1 - share) * targets + share * neighbours).astype(np.float32)


def _epoch(
    model: ItemTowerModel,
    optimiser: torch.optim.Optimizer,
    content: ContentMatrix,
    targets: Floats,
    trust: np.ndarray,
    rows: Ints,
    generator: np.random.Generator,
    options: TowerOptions,
) -> None:
    model.train()
    order = generator.permutation(rows)
    for begin in range(0, len(order), options.batch_size):
        batch = order[begin : begin + options.batch_size]
        dense = torch.from_numpy(content.dense(batch, generator))
        loss = _loss(model(dense), targets[batch], trust[batch], options)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()


def _loss(
    made: torch.Tensor, targets: Floats, trust: np.ndarray, options: TowerOptions
) -> torch.Tensor:
    wanted = torch.from_numpy(targets)
    weight = torch.from_numpy(trust.astype(np.float32))
    cosine = torch.nn.functional.cosine_similarity(made, wanted)
    ratio = torch.log(made.norm(dim=1) + 1e-6) - torch.log(wanted.norm(dim=1) + 1e-6)
    each = (1 - cosine) + options.norm_weight * ratio.pow(2)
    return (weight * each).sum() / weight.sum().clamp_min(1e-6)


def _loss_on(
    model: ItemTowerModel,
    content: ContentMatrix,
    targets: Floats,
    trust: np.ndarray,
    rows: Ints,
    options: TowerOptions,
) -> float:
    if not len(rows):
        return math.nan
    made = torch.from_numpy(tower_vectors(model, content, rows))
    return float(_loss(made, targets[rows], trust[rows], options))
