"""SASRec: a causal transformer over what the user did last.

Kang & McAuley 2018 (ICDM, arXiv 1808.09781), trained with cross-entropy over all items, which makes
it far stronger than with one negative (Klenitskiy & Vasilev 2023, arXiv 2309.07602; Petrov &
Macdonald 2023, arXiv 2308.07192). d = 64, the last 50 events, 2 blocks, dropout 0.2, Adam 1e-3. It
is stopped early by NDCG on the last tenth of training, then trained anew on all of it for as many
epochs. Items of one user and second are shuffled every epoch, as their order is arbitrary. Beyond
50,000 items the softmax is sampled. Optionally the item table starts from iALS, scaled to a
standard deviation of 0.05, with half of log popularity as bias.
"""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from services.evaluation.baselines.fallback import Fallback
from services.evaluation.baselines.registry import BaselineContext, RefusedError
from services.evaluation.baselines.sasrec_network import LENGTH, SIZE, Network
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.baselines.validation import head_of, ndcg
from services.system.timeline import Codes, Ints

EPOCHS = 60
_PATIENCE = 4
_LEAST_EPOCHS = 8
_WINDOWS = 64
_LOGITS = 60_000_000
"""Logits in one batch, at most: fewer windows with many items."""
_SAMPLED_FROM = 50_000
_NEGATIVES = 2_000
_RATE = 1e-3
_TABLE_STD = 0.05
Table = npt.NDArray[np.float32]


class SasRec:
    """A trained network; items are numbered from 1 within it, 0 is padding."""

    def __init__(self, network: Network, code_of: Ints, items: Ints, fallback: Fallback) -> None:
        self._network = network
        self._code_of = code_of
        self._items = items
        self._fallback = fallback

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        """Return logits; what training did not see comes last."""
        history = self._code_of[items[-2 * LENGTH :]]
        history = history[history > 0][-LENGTH:]
        if history.size == 0:
            return self._fallback.alone()
        with torch.inference_mode():
            logits = self._network.logits_of_last(torch.from_numpy(history)[None, :])[0]
        scores = self._fallback.alone() - 1e6
        scores[self._items] = logits.numpy()
        return scores


class _Trainer:
    """Trains on one part of the history."""

    def __init__(self, train: TrainPart, seed: int, table: Table | None) -> None:
        """`table` [n_items, SIZE] is where item vectors start; None: at random."""
        torch.manual_seed(seed)
        self._random = np.random.default_rng(seed)
        counts = train.counts()
        self._items = np.flatnonzero(counts)
        self._code_of = np.zeros(train.n_items, np.int64)
        self._code_of[self._items] = np.arange(1, self._items.size + 1)
        self._fallback = Fallback(train)
        self._codes = self._code_of[train.items]
        self._users = train.users
        self._seconds = train.times_us // 1_000_000
        self._network = Network(self._items.size)
        if table is not None:
            own = table[self._items]
            self._network.start_from(own * (_TABLE_STD / max(float(own.std()), 1e-12)),
                                     0.5 * np.log(counts[self._items]))  # fmt: skip
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=_RATE, betas=(0.9, 0.98))

    def epoch(self, progress: Callable[[float], None]) -> None:
        """Train on every event once; `progress` hears the share done."""
        windows = self._windows()
        self._random.shuffle(windows)
        tokens = np.count_nonzero(windows) / max(len(windows), 1)
        size = int(np.clip(_LOGITS / max(tokens * self._items.size, 1), 4, _WINDOWS))
        self._network.train()
        for begin in range(0, len(windows), size):
            batch = torch.from_numpy(windows[begin : begin + size])
            loss = self._loss(batch[:, :-1], batch[:, 1:])
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
            self._optimizer.step()
            progress(min(1.0, (begin + size) / len(windows)))
        self._network.eval()

    def _windows(self) -> Ints:
        """Return all sequences cut into windows [n, LENGTH + 1], padded on the left with 0.

        Where the cuts lie is drawn anew each time; windows overlap by one, so no pair is lost.
        """
        shuffled = np.lexsort((self._random.random(self._codes.size), self._seconds, self._users))
        codes = self._codes[shuffled]
        ends = np.append(np.flatnonzero(np.diff(self._users[shuffled])) + 1, codes.size)
        rows = []
        begin = 0
        for end in ends.tolist():
            # The last window of a long sequence is shorter by chance, then whole ones before it.
            whole = LENGTH + 1
            size = int(self._random.integers(2, whole + 1)) if end - begin > whole else whole
            last = end
            while last - begin >= 2:
                first = max(begin, last - size)
                row = np.zeros(whole, np.int64)
                row[whole - (last - first) :] = codes[first:last]
                rows.append(row)
                last, size = first + 1, whole
            begin = end
        return np.stack(rows) if rows else np.zeros((0, LENGTH + 1), np.int64)

    def _loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        there = (targets > 0) & (inputs > 0)
        hidden = self._network(inputs)[there]
        wanted = targets[there] - 1
        if self._items.size <= _SAMPLED_FROM:
            return torch.nn.functional.cross_entropy(self._network.logits(hidden), wanted)
        negatives = torch.randint(0, self._items.size, (_NEGATIVES,))
        # Each drawn item stands for so many.
        share = float(np.log(self._items.size / _NEGATIVES))
        others = self._network.logits(hidden, negatives) + share
        others = others.masked_fill(negatives[None, :] == wanted[:, None], -torch.inf)
        own = self._network.logit_of_each(hidden, wanted)
        return (torch.logsumexp(torch.cat([own[:, None], others], 1), 1) - own).mean()

    def scorer(self) -> SasRec:
        """Return the network as it is now; it changes with further epochs."""
        return SasRec(self._network, self._code_of, self._items, self._fallback)


def fit(train: TrainPart, context: BaselineContext, from_ials: bool = False) -> SasRec:
    """Return the baseline.

    Raises:
        RefusedError: the first epoch shows that it would take too long.

    """
    head = head_of(train)
    table_of = _table_maker(train, context) if from_ials else _random
    epochs = _best_epochs(train, _Trainer(head, context.seed, table_of(head)), context)
    trainer = _Trainer(train, context.seed, table_of(train))
    for done in range(epochs):
        trainer.epoch(_share_of(context, EPOCHS + done))
    return trainer.scorer()


def _best_epochs(train: TrainPart, trainer: _Trainer, context: BaselineContext) -> int:
    """Train until NDCG on the last tenth falls; return the epoch where it was best."""
    best, best_epoch, epoch, most = -1.0, 0, 0, EPOCHS
    while epoch < most and epoch - best_epoch < _PATIENCE:
        began = time.perf_counter()
        trainer.epoch(_share_of(context, epoch))
        value = ndcg(train, trainer.scorer(), 400)
        epoch += 1
        if epoch == 1:
            took = time.perf_counter() - began
            # As many epochs again on everything.
            most = min(EPOCHS, int(context.budget_seconds / (2 * took)))
            if most < _LEAST_EPOCHS:
                raise RefusedError(f"an epoch takes {took:.0f} s; {2 * EPOCHS} may be needed")
            context.say(f"about {took:.1f} s an epoch, at most {2 * most} epochs")
        if value > best:
            best, best_epoch = value, epoch
    context.say(f"{best_epoch} epochs" + (", cut short by the time given" if epoch == most else ""))
    return best_epoch


def _random(_part: TrainPart) -> Table | None:
    return None


def _table_maker(train: TrainPart, context: BaselineContext) -> Callable[[TrainPart], Table | None]:
    """Return what fits iALS on a part of the history and gives its item vectors."""
    # Only this variant needs the library.
    from services.evaluation.baselines import ials

    options = ials.choose_options(train, context, SIZE)

    def table_of(part: TrainPart) -> Table:
        fitted = ials.fit_ials(part, sweeps=ials.SWEEPS, seed=context.seed, factors=SIZE, **options)
        table: Table = fitted.item_vectors
        return table

    return table_of


def _share_of(context: BaselineContext, done: int) -> Callable[[float], None]:
    return lambda share: context.progress(int(done + share), 2 * EPOCHS)
