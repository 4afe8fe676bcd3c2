"""The network of SASRec: embeddings, causal self-attention, scores by the item table."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

SIZE = 64
LENGTH = 50
_BLOCKS = 2
_HEADS = 2
_DROPOUT = 0.2
_START_STD = 0.02


class Network(nn.Module):
    """Sequences of items 1..items, 0 for padding on the left -> hidden states [n, l, SIZE]."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.table = nn.Embedding(items + 1, SIZE, padding_idx=0)
        self.places = nn.Embedding(LENGTH, SIZE)
        self.bias = nn.Parameter(torch.zeros(items))
        self.dropout = nn.Dropout(_DROPOUT)
        self.blocks = nn.ModuleList(_Block() for _ in range(_BLOCKS))
        self.norm = nn.LayerNorm(SIZE)
        for embedding in (self.table, self.places):
            nn.init.normal_(embedding.weight, std=_START_STD)

    def start_from(self, table: npt.NDArray[np.float32], bias: npt.NDArray[np.floating]) -> None:
        """Set item vectors [items, SIZE] and biases [items]."""
        with torch.no_grad():
            self.table.weight[1:] = torch.from_numpy(table)
            self.bias[:] = torch.from_numpy(bias.astype(np.float32))

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """Return hidden states of items [n, l], l <= LENGTH; those at padding mean nothing."""
        length = items.shape[1]
        # The latest item is always at the last place.
        places = torch.arange(LENGTH - length, LENGTH)
        hidden = self.dropout(self.table(items) * math.sqrt(SIZE) + self.places(places))
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        mask = causal[None, None] & (items > 0)[:, None, None, :]
        # A place of padding sees itself, or its softmax would be of nothing.
        mask = mask | torch.eye(length, dtype=torch.bool)[None, None]
        for block in self.blocks:
            hidden = block(hidden, mask)
        normed: torch.Tensor = self.norm(hidden)
        return normed

    def logits(self, hidden: torch.Tensor, items: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits [n, items] of hidden states [n, SIZE], or of some items (from 0)."""
        table: torch.Tensor = self.table.weight[1:]
        bias: torch.Tensor = self.bias
        if items is not None:
            table, bias = table[items], bias[items]
        return hidden @ table.T + bias

    def logit_of_each(self, hidden: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return the logit [n] of one item (from 0) each."""
        return (hidden * self.table.weight[1:][items]).sum(dim=1) + self.bias[items]

    def logits_of_last(self, items: torch.Tensor) -> torch.Tensor:
        """Return the logits [n, items] of what comes after sequences [n, l]."""
        return self.logits(self(items)[:, -1])


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(SIZE)
        self.query_key_value = nn.Linear(SIZE, 3 * SIZE)
        self.out = nn.Linear(SIZE, SIZE)
        self.before_feed = nn.LayerNorm(SIZE)
        self.feed = nn.Sequential(
            nn.Linear(SIZE, SIZE), nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(SIZE, SIZE)
        )
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        n, length, _ = hidden.shape
        parts = self.query_key_value(self.before_attention(hidden)).chunk(3, dim=-1)
        query, key, value = (
            part.view(n, length, _HEADS, SIZE // _HEADS).transpose(1, 2) for part in parts
        )
        attended = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=_DROPOUT if self.training else 0.0
        )
        hidden = hidden + self.dropout(self.out(attended.transpose(1, 2).reshape(n, length, SIZE)))
        fed: torch.Tensor = hidden + self.dropout(self.feed(self.before_feed(hidden)))
        return fed
