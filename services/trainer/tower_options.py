"""Options of the item tower; free of PyTorch, so that files of parameters need none."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TowerOptions:
    """Constants of the tower.

    hidden: width of the MLP. learning_rate, batch_size, epochs (at most), patience (epochs without
    a better validation before it stops), dropout 0..1 of buckets and hidden units, decay: weight
    decay. smoothing: 0..1, share of the neighbours' mean in the target of an item without events;
    prior: events at which an item's own vector weighs as much. norm_weight: of the squared error
    of the log norm beside 1 - cosine.
    """

    hidden: int = 256
    learning_rate: float = 2e-3
    batch_size: int = 128
    epochs: int = 60
    patience: int = 8
    dropout: float = 0.3
    decay: float = 1e-2
    smoothing: float = 0.3
    prior: float = 5.0
    norm_weight: float = 0.3
    seed: int = 0
