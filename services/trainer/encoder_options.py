"""Options of learned encoders; free of PyTorch, so that files of parameters need none."""

from dataclasses import dataclass

LOSSES = ("cross_entropy", "sampled", "bce")


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """Options of learned encoders.

    kind: "sasrec" or "gru". length: recent items read, 1..200. hidden: width of the body. blocks,
    heads: of the transformer. dropout: 0..1. learning_rate, decay (weight decay), batch_size (in
    windows of events), epochs (at most), patience (epochs without a better validation before it
    stops). objective: see sequences. train_table: also learn the item table, as a thing that is
    thrown away, to see what a fixed one costs. seed: of all draws.

    loss: "cross_entropy" over all items; "sampled": softmax over the true item and `negatives`
    uniform ones that a batch shares; "bce": binary, over the same; "auto": cross_entropy up to
    50,000 items, sampled beyond.
    """

    kind: str = "sasrec"
    length: int = 50
    hidden: int = 128
    blocks: int = 2
    heads: int = 2
    dropout: float = 0.2
    learning_rate: float = 1e-3
    decay: float = 1e-4
    batch_size: int = 32
    epochs: int = 30
    patience: int = 4
    loss: str = "auto"
    negatives: int = 4096
    objective: str = "next"
    train_table: bool = False
    seed: int = 0

    def loss_for(self, items: int) -> str:
        """Return the loss for a catalogue of this size."""
        if self.loss != "auto":
            return self.loss
        return "cross_entropy" if items <= 50_000 else "sampled"
