"""Sequential rules: which item tends to follow which.

Source: Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms"
(arXiv 1803.09587), section "SR": a pair (a, b) with b consumed ``k`` steps after a gains ``1/k``.
Changes that were measured: it gains ``1/sqrt(k)``, and the reverse pair (b, a) half of it, so one
table is half a table of rules and half one of co-occurrences. An item that comes again gains half,
and only with what came since: who does the same every day would say it every day, louder than all
others together. How a replica scores is in services/common/ranking/sources/rules.py.

A row keeps at most ``cap`` successors in fixed slots. In a full row a new pair contests the
weakest slot: it takes it when it is at least as strong, else it wears it down by its gain
(after Misra & Gries 1982), which is worth more than plain replacement (NDCG@10 of the rules .094
against .090). 256 slots are better than 128: slates of .109 against .108 on MovieLens-100k.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.common.compiled_loops import CompiledLoops
from services.common.runs import distinct, grouped, run_lengths, run_starts

EMPTY = -1
_CHUNK = 512
"""Pairs looked up at once: so many that their rows stay in the processor's cache."""
_ROUNDING = 1e-5
"""Less than this is left of a cell by rounding only: the smallest gain is larger by far."""


@dataclass(frozen=True)
class RuleConfig:
    """Constants of the rules.

    cap: successors kept per item, > 0.
    window: how many latest items of a user an event is paired with, > 0.
    reverse: share of a gain that the reverse pair gets, 0..1.
    again: share of a gain that is left where the user had the item among what is remembered.
    """

    cap: int = 256
    window: int = 20
    reverse: float = 0.5
    again: float = 0.5


class ChangedCells(NamedTuple):
    """Cells that a batch wrote, with their new absolute content; each (row, slot) at most once.

    rows, slots, cols: int32 [m]; values: float32 [m]. Sorted by (row, slot).
    """

    rows: npt.NDArray[np.int32]
    slots: npt.NDArray[np.int32]
    cols: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]


class RuleTable:
    """Successor rows of every item ordinal.

    cols: int32 [n_items, cap], EMPTY (-1) where a slot is free.
    vals: float32 [n_items, cap], accumulated gains, 0 where a slot is free.
    """

    def __init__(
        self,
        n_items: int = 0,
        config: RuleConfig | None = None,
        core: CompiledLoops | None = None,
    ) -> None:
        self._core = core
        self.config = config if config is not None else RuleConfig()
        self.cols: npt.NDArray[np.int32] = np.full((n_items, self.config.cap), EMPTY, np.int32)
        self.vals: npt.NDArray[np.float32] = np.zeros((n_items, self.config.cap), np.float32)

    @property
    def n_items(self) -> int:
        """Number of rows."""
        return int(self.cols.shape[0])

    def grow(self, n_items: int) -> None:
        """Make room for ordinals below ``n_items``; never shrinks.

        Exact size: the owner decides how far ahead it allocates.
        """
        extra = n_items - self.n_items
        if extra > 0:
            cap = self.config.cap
            self.cols = np.concatenate([self.cols, np.full((extra, cap), EMPTY, np.int32)])
            self.vals = np.concatenate([self.vals, np.zeros((extra, cap), np.float32)])

    def update_batch(
        self,
        items: npt.NDArray[np.integer],
        histories: npt.NDArray[np.integer],
        weights: npt.NDArray[np.floating],
    ) -> ChangedCells:
        """Learn ``n`` events at once and say which cells changed.

        items: [n] ordinals. histories: [n, >=window] ordinals of the user's items just before
        the event, latest first, -1 padding at the end. weights: [n], events of weight <= 0
        teach nothing.
        """
        if self._core is not None:
            return ChangedCells(
                *self._core.update_rules(
                    self.cols, self.vals, np.asarray(items, np.int64),
                    np.asarray(histories, np.int64), np.asarray(weights, np.float32),
                    self.config.window, self.config.reverse, self.config.again,
                )
            )  # fmt: skip
        rows, cols, gains = pair_gains(items, histories, weights, self.n_items, self.config)
        return self._add(rows, cols, gains)

    def _add(
        self,
        rows: npt.NDArray[np.int64],
        cols: npt.NDArray[np.int64],
        gains: npt.NDArray[np.float32],
    ) -> ChangedCells:
        """Add gains > 0 [n] of distinct pairs; new pairs contest the weakest slots."""
        if rows.size == 0:
            return _no_cells()
        slots, known = self._find(rows, cols)
        self.vals[rows[known], slots[known]] += gains[known]
        kept = known.copy()
        new = np.flatnonzero(~known)
        if new.size:
            placed, place = self._places(rows[new], gains[new])
            new = new[placed]
            slots[new] = place
            kept[new] = True
            held = self.vals[rows[new], place]
            wins = gains[new] >= held
            self.cols[rows[new], place] = np.where(wins, cols[new], self.cols[rows[new], place])
            self.vals[rows[new], place] = np.where(wins, gains[new], held - gains[new])
        touched = distinct(rows[kept] * self.config.cap + slots[kept])
        out_rows, out_slots = np.divmod(touched, self.config.cap)
        return ChangedCells(
            out_rows.astype(np.int32),
            out_slots.astype(np.int32),
            self.cols[out_rows, out_slots],
            self.vals[out_rows, out_slots],
        )

    def _find(
        self, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Slots [n] of pairs [n], and whether they have one."""
        slots = np.zeros(rows.size, np.int64)
        known = np.zeros(rows.size, np.bool_)
        targets = cols.astype(np.int32)
        for start in range(0, rows.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            hit = self.cols[rows[part]] == targets[part, None]
            slots[part] = hit.argmax(axis=1)
            known[part] = hit[np.arange(hit.shape[0]), slots[part]]
        return slots, known

    def _places(
        self, rows: npt.NDArray[np.int64], gains: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Slots that new pairs contest: a row's strongest new pair its weakest slot, and so on.

        Returns (indices of the pairs that found a place, their slots). A row takes at most
        ``cap`` new pairs of one batch; the weaker rest is dropped.
        """
        order = np.lexsort((-gains, rows))
        sorted_rows = rows[order]
        first = run_starts(sorted_rows)
        lengths = run_lengths(first, sorted_rows.size)
        nth = np.arange(sorted_rows.size) - first.repeat(lengths)
        slots = np.empty(sorted_rows.size, np.int64)
        # Most rows get one new pair: finding their weakest slot is much cheaper than sorting.
        single = lengths == 1
        slots[first[single]] = self.vals[sorted_rows[first[single]]].argmin(axis=1)
        group = np.repeat(np.cumsum(~single) - 1, lengths)
        several = np.repeat(~single, lengths)
        fits = nth < self.config.cap
        weakest_first = np.argsort(self.vals[sorted_rows[first[~single]]], axis=1, kind="stable")
        chosen = several & fits
        slots[chosen] = weakest_first[group[chosen], nth[chosen]]
        return order[fits], slots[fits]

    def take_back(
        self,
        rows: npt.NDArray[np.int64],
        cols: npt.NDArray[np.int64],
        gains: npt.NDArray[np.float32],
    ) -> ChangedCells:
        """Take gains [n] of distinct pairs back, where the pair still has its slot, and add those
        below 0; say which cells changed. A cell of which nothing is left stays with weight 0.
        """
        if rows.size == 0:
            return _no_cells()
        added = gains < 0
        more = self._add(rows[added], cols[added], -gains[added])
        rows, cols, gains = rows[~added], cols[~added], gains[~added]
        slots, known = self._find(rows, cols)
        rows, slots, gains = rows[known], slots[known], gains[known]
        left = self.vals[rows, slots] - gains
        self.vals[rows, slots] = np.where(left > _ROUNDING, left, 0)
        out_rows = np.concatenate([more.rows.astype(np.int64), rows])
        out_slots = np.concatenate([more.slots.astype(np.int64), slots])
        return ChangedCells(
            out_rows.astype(np.int32),
            out_slots.astype(np.int32),
            self.cols[out_rows, out_slots],
            self.vals[out_rows, out_slots],
        )

    def assign(self, cells: ChangedCells) -> None:
        """Fold the changes of another table (same row count and cap) into this one."""
        self.cols[cells.rows, cells.slots] = cells.cols
        self.vals[cells.rows, cells.slots] = cells.values


def pair_gains(
    items: npt.NDArray[np.integer],
    histories: npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating],
    n_items: int,
    config: RuleConfig,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Sum the gains of a batch per (row, col): forward ``w/sqrt(k)``, the rest in reverse.

    An item that comes again, ``again * w``, with what came since.
    """
    recent = np.asarray(histories[:, : config.window], dtype=np.int64)
    target = np.asarray(items, dtype=np.int64).repeat(recent.shape[1]).reshape(recent.shape)
    had = np.asarray(histories) == np.asarray(items)[:, None]
    weight = np.asarray(weights, dtype=np.float64) * np.where(had.any(axis=1), config.again, 1.0)
    gain = weight[:, None] / np.sqrt(np.arange(1, recent.shape[1] + 1))
    since = ~np.logical_or.accumulate(had, axis=1)[:, : config.window]
    used = (recent >= 0) & since & (gain > 0)
    before, after, forward = recent[used], target[used], gain[used]
    keys = np.concatenate([before * n_items + after, after * n_items + before])
    pair, inverse = grouped(keys)
    gains = np.bincount(
        inverse, weights=np.concatenate([forward, config.reverse * forward]), minlength=pair.size
    )
    positive = gains > 0
    rows, cols = np.divmod(pair[positive], n_items) if n_items else (pair, pair)
    return rows, cols, gains[positive].astype(np.float32)


def _no_cells() -> ChangedCells:
    none = np.zeros(0, np.int32)
    return ChangedCells(none, none, none, np.zeros(0, np.float32))
