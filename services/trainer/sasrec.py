"""Transformer over the recent items: Kang & McAuley 2018, "Self-attentive sequential
recommendation" (arXiv 1808.09781), trained with the full cross-entropy (Klenitskiy & Vasilev 2023,
arXiv 2309.07602).

Places are told by how far they lie back (a bias per head and distance, as in T5, arXiv 1910.10683)
and not by their number in the window: training sees places in the middle of a window, serving the
last one.
"""

import torch
from torch import nn

from services.trainer.encoder_options import EncoderOptions
from services.trainer.sequence_encoder import SequenceEncoder


class _Block(nn.Module):
    """Pre-norm attention and feed-forward, written out so that it exports to plain operators."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(hidden)
        self.queries = nn.Linear(hidden, hidden)
        self.keys = nn.Linear(hidden, hidden)
        self.values = nn.Linear(hidden, hidden)
        self.mixed = nn.Linear(hidden, hidden)
        self.norm_forward = nn.LayerNorm(hidden)
        self.forward_in = nn.Linear(hidden, 2 * hidden)
        self.forward_out = nn.Linear(2 * hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, state: torch.Tensor, ban: torch.Tensor) -> torch.Tensor:
        """state: [n, l, hidden]. ban: [n, heads, l, l], added to scores of attention."""
        normed = self.norm_attention(state)
        queries, keys, values = (
            part(normed).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.queries, self.keys, self.values)
        )
        scores = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5 + ban
        mixed = (torch.softmax(scores, dim=-1) @ values).transpose(1, 2).flatten(2)
        state = state + self.dropout(self.mixed(mixed))
        inner = torch.nn.functional.gelu(self.forward_in(self.norm_forward(state)))
        after: torch.Tensor = state + self.dropout(self.forward_out(self.dropout(inner)))
        return after


class SasRecBody(nn.Module):
    """history [n, l, d], mask [n, l] -> states [n, l, hidden], each of what came until then."""

    back: torch.Tensor
    future: torch.Tensor

    def __init__(self, dimension: int, options: EncoderOptions) -> None:
        super().__init__()
        self.enter = nn.Linear(dimension, options.hidden)
        self.distance = nn.Parameter(torch.zeros(options.heads, options.length))
        self.blocks = nn.ModuleList(
            _Block(options.hidden, options.heads, options.dropout) for _ in range(options.blocks)
        )
        self.norm = nn.LayerNorm(options.hidden)
        self.dropout = nn.Dropout(options.dropout)
        back = torch.arange(options.length)[:, None] - torch.arange(options.length)[None, :]
        self.register_buffer("back", back.clamp_min(0), persistent=False)
        self.register_buffer("future", (back < 0).float(), persistent=False)

    def forward(self, history: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See class."""
        # Unit rows: the length of an item vector says how sure it is, not what it is.
        length = history.pow(2).sum(dim=2, keepdim=True).clamp_min(1e-12).sqrt()
        state = self.dropout(self.enter(history / length))
        # A finite ban keeps rows that may look nowhere finite.
        hidden = torch.maximum(self.future.unsqueeze(0), 1.0 - mask.unsqueeze(1))
        ban = self.distance[:, self.back].unsqueeze(0) - 1e9 * hidden.unsqueeze(1)
        for block in self.blocks:
            state = block(state, ban)
        normed: torch.Tensor = self.norm(state)
        return normed


def sasrec(dimension: int, options: EncoderOptions) -> SequenceEncoder:
    """Return a fresh encoder; its weights follow torch's random state."""
    return SequenceEncoder(SasRecBody(dimension, options), dimension, options)
