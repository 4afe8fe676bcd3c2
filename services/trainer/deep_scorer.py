"""A deep scorer: attention over the user's recent items beside the candidate features.

Source: Zhou et al. 2018, "Deep interest network for click-through rate prediction" (DIN, arXiv
1706.06978), section 4.3: recent items are weighted by a small network of (item, candidate, item *
candidate), not normalised by softmax. The linear path starts as the fitted conditional logit and
the rest at zero, so that training starts where the linear scorer is.

It needs more inputs than the graph of a generation's scorer has: beside features [n, columns]
candidates [n, d], history [n, l, d] and mask [n, l]. So it is measured and written beside the
generation; rankers serve the linear one until the contract has these inputs.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from services.trainer.ranking import Quality
from services.trainer.scorer import Doubles, group_quality
from services.trainer.scorer_data import CandidateGroup
from services.trainer.timeline import NO_ITEM, Floats, Ints

DEEP_INPUTS = ("features", "candidates", "history", "mask")


class DeepScorer(nn.Module):
    """features [n, c], candidates [n, d], history [n, l, d], mask [n, l] -> score [n, 1]."""

    def __init__(self, columns: int, dimension: int, hidden: int = 32) -> None:
        super().__init__()
        self.linear = nn.Linear(columns, 1, bias=False)
        self.attend = nn.Sequential(
            nn.Linear(3 * dimension, hidden), nn.GELU(), nn.Linear(hidden, 1)
        )
        self.inner = nn.Sequential(
            nn.Linear(columns + 2 * dimension, 2 * hidden), nn.GELU(), nn.Dropout(0.1)
        )
        self.last = nn.Linear(2 * hidden, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self,
        features: torch.Tensor,
        candidates: torch.Tensor,
        history: torch.Tensor,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        """See class."""
        repeated = candidates.unsqueeze(1).expand_as(history)
        pairs = torch.cat([history, repeated, history * repeated], dim=2)
        weights = torch.sigmoid(self.attend(pairs)).squeeze(2) * mask
        interest = (weights.unsqueeze(2) * history).sum(dim=1)
        inner = self.inner(torch.cat([features, interest, interest * candidates], dim=1))
        scores: torch.Tensor = self.linear(features) + self.last(inner)
        return scores


def train_deep_scorer(
    groups: Sequence[CandidateGroup],
    validation: Sequence[CandidateGroup],
    histories: Callable[[CandidateGroup], Ints],
    table: Floats,
    weights: Doubles,
    epochs: int = 6,
    at_most: int = 100,
    seed: int = 0,
    on_epoch: Callable[[int, float], None] = lambda _, __: None,
) -> tuple[DeepScorer, Quality]:
    """Return the scorer of the best epoch on `validation`, and its quality there.

    histories: recent items [l] of a group's user before it, NO_ITEM in front. table: [N, d] item
    vectors. weights: [columns], where the linear path starts. Per group the items taken and up to
    `at_most` other candidates are trained on.
    """
    torch.manual_seed(seed)
    generator = np.random.Generator(np.random.Philox(key=seed))
    model = DeepScorer(groups[0].features.shape[1], table.shape[1])
    with torch.no_grad():
        model.linear.weight.copy_(torch.from_numpy(weights[None, :]).float())
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    useful = [group for group in groups if group.taken.size]
    best = deep_quality(model, validation, histories, table)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in range(epochs):
        model.train()
        for number in generator.permutation(len(useful)).tolist():
            group = useful[number]
            others = np.setdiff1d(np.arange(len(group.items)), group.taken)
            drawn = generator.permutation(others)[:at_most]
            rows = np.concatenate([group.taken, drawn])
            scores = model(*inputs_of(group, rows, histories(group), table))[:, 0]
            taken = len(group.taken)
            # Each taken item against what was not taken.
            rest = torch.logsumexp(scores[taken:], dim=0) if len(drawn) else torch.tensor(-1e9)
            loss = (torch.logaddexp(scores[:taken], rest) - scores[:taken]).mean()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        quality = deep_quality(model, validation, histories, table)
        on_epoch(epoch + 1, quality.ndcg)
        if quality.ndcg > best.ndcg:
            best = quality
            kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return model.eval(), best


def deep_quality(
    model: DeepScorer,
    groups: Sequence[CandidateGroup],
    histories: Callable[[CandidateGroup], Ints],
    table: Floats,
) -> Quality:
    """Return how high it ranks what was taken."""
    model.eval()
    scores = []
    with torch.no_grad():
        for group in groups:
            rows = np.arange(len(group.items))
            scores.append(model(*inputs_of(group, rows, histories(group), table))[:, 0].numpy())
    return group_quality(groups, scores)


def inputs_of(
    group: CandidateGroup, rows: Ints, history: Ints, table: Floats
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the model's inputs for rows of a group."""
    items = group.items[rows]
    candidates = np.where(items[:, None] >= 0, table[items], 0).astype(np.float32)
    present = history != NO_ITEM
    recent = np.where(present[:, None], table[history], 0).astype(np.float32)
    count = len(rows)
    return (
        torch.from_numpy(group.features[rows]),
        torch.from_numpy(candidates),
        torch.from_numpy(recent).expand(count, -1, -1),
        torch.from_numpy(present.astype(np.float32)).expand(count, -1),
    )
