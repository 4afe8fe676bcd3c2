"""Learned encoders: recent item vectors -> user vector, in the space of the item vectors.

The item table is an input, never a parameter: item vectors go on moving online, new items come,
and the encoder follows. What every encoder shares is here; `sasrec` and `gru` are two of them.

    u = normalise( M (sum_k w_k h_k)  +  W body(h) )         h_k: vector of the k-th latest item

The first term is a learned recency-weighted mean (w_k softmax over places; M starts as the
identity): the encoder begins as the encoder DECAYED_MEAN and learns what is missing. Scores while
training are ``scale * u . v_i + b_i``; the biases b_i take popularity in and are dropped
afterwards, because popularity is a source of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from services.trainer.encoder_options import EncoderOptions
from services.trainer.timeline import NO_ITEM, Floats, Histories


class SequenceEncoder(nn.Module):
    """What encoders share around a causal body (history, mask) -> states [n, l, hidden]."""

    back: torch.Tensor
    past: torch.Tensor

    def __init__(self, body: nn.Module, dimension: int, options: EncoderOptions) -> None:
        super().__init__()
        self.body = body
        self.length = options.length
        self.dimension = dimension
        # By how many places an item lies back.
        self.recency = nn.Parameter(-0.2 * torch.arange(float(options.length)))
        self.mean = nn.Linear(dimension, dimension, bias=False)
        self.out = nn.Linear(options.hidden, dimension, bias=False)
        back = torch.arange(options.length)[:, None] - torch.arange(options.length)[None, :]
        self.register_buffer("back", back.clamp_min(0), persistent=False)
        self.register_buffer("past", (back >= 0).float(), persistent=False)
        with torch.no_grad():
            self.mean.weight.copy_(torch.eye(dimension))
            self.out.weight.mul_(0.1)

    def forward(self, history: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return unit vectors [n, d] after the newest item; zero where the mask is empty.

        history: [n, l, d], newest last, padding in front. mask: [n, l], 1 or 0.
        """
        history = history * mask.unsqueeze(2)
        weights = torch.exp(self.recency.flip(0)) * mask
        recent = (weights.unsqueeze(2) * history).sum(dim=1)
        recent = recent / weights.sum(dim=1, keepdim=True).clamp_min(1e-9)
        return self._made(recent, self.body(history, mask)[:, -1]) * mask[:, -1:]

    def all_places(self, history: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return unit vectors [n, l, d] after every item, each from what came until then."""
        history = history * mask.unsqueeze(2)
        weights = torch.exp(self.recency)[self.back] * self.past
        weights = weights.unsqueeze(0) * mask.unsqueeze(1)
        recent = weights @ history / weights.sum(dim=2, keepdim=True).clamp_min(1e-9)
        return self._made(recent, self.body(history, mask))

    def _made(self, recent: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        raw = self.mean(recent) + self.out(state)
        made: torch.Tensor = raw / raw.pow(2).sum(dim=-1, keepdim=True).clamp_min(1e-12).sqrt()
        return made


class EncoderUsers:
    """Histories -> user vectors by an encoder over one table of item vectors [N, d]."""

    def __init__(self, encoder: SequenceEncoder, table: Floats) -> None:
        self._encoder = encoder.eval()
        # The last row stands for padding.
        zero = np.zeros((1, table.shape[1]), np.float32)
        self._table = torch.from_numpy(np.concatenate([table, zero]))

    def __call__(self, histories: Histories) -> Floats:
        """Return vectors [n, d]."""
        items = np.ascontiguousarray(histories.items[:, : self._encoder.length][:, ::-1])
        made = [np.zeros((0, self._encoder.dimension), np.float32)]
        with torch.no_grad():
            for begin in range(0, len(items), 512):
                ordinals = torch.from_numpy(items[begin : begin + 512])
                made.append(self._encoder(self._table[ordinals], mask_of(ordinals)).numpy())
        return np.concatenate(made)


def mask_of(ordinals: torch.Tensor) -> torch.Tensor:
    """Return 1 where there is an item, 0 for padding."""
    return (ordinals != NO_ITEM).float()


@dataclass(slots=True)
class TrainingLog:
    """What training did: loss and validation per epoch, oldest first, and which epoch was kept."""

    losses: list[float] = field(default_factory=list)
    validations: list[float] = field(default_factory=list)
    best_epoch: int = 0


OnEpoch = Callable[[int, float, float], None]
"""Epochs done, mean loss, validation NDCG@10."""
