"""Recurrent encoder: Hidasi et al. 2016, "Session-based recommendations with recurrent neural
networks" (GRU4Rec, arXiv 1511.06939), over item vectors.

Without biases, zero input leaves a zero state zero: padding in front needs no mask. The state
after an item depends on the state before it and the item alone, so serving may keep the state and
pay O(1) per event (`one_step`); the exported graph takes the whole history, as the contract says.
"""

import torch
from torch import nn

from services.trainer.encoder_options import EncoderOptions
from services.trainer.sequence_encoder import SequenceEncoder


class GruBody(nn.Module):
    """history [n, l, d], mask [n, l] -> states [n, l, hidden]."""

    def __init__(self, dimension: int, options: EncoderOptions) -> None:
        super().__init__()
        self.gru = nn.GRU(dimension, options.hidden, bias=False, batch_first=True)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, history: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See class; `mask` is in the history already."""
        states, _ = self.gru(self.dropout(_unit(history)))
        dropped: torch.Tensor = self.dropout(states)
        return dropped

    def one_step(self, item: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """Return the state [n, hidden] after one more item [n, d]."""
        _, after = self.gru(_unit(item.unsqueeze(1)), state.unsqueeze(0))
        stepped: torch.Tensor = after[0]
        return stepped


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    length = vectors.pow(2).sum(dim=2, keepdim=True).clamp_min(1e-12).sqrt()
    return vectors / length


def gru(dimension: int, options: EncoderOptions) -> SequenceEncoder:
    """Return a fresh encoder; its weights follow torch's random state."""
    return SequenceEncoder(GruBody(dimension, options), dimension, options)
