"""Predicted against actual, per surface and outcome: sums in bins, fading with every example.

ECE (expected calibration error; Naeini, Cooper & Hauskrecht 2015, "Obtaining well calibrated
probabilities using Bayesian binning", AAAI) is the mean distance, over examples, between what the
bins predict and what came true. Predictions are those that were served: for the place shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.attribution_joiner import LateOutcome
from services.feedback.learner.model.outcome_definition import GenerationOutcomes
from services.feedback.learner.model.pending_slate import Labels, PendingSlate
from services.feedback.learner.model.returns import KnownReturn

BINS = 10
Doubles = npt.NDArray[np.float64]
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CalibrationConfig:
    """half_life: examples after which one counts half, > 0. max_surfaces: surfaces that are kept
    apart; those beyond count as "other".
    """

    half_life: float = 50_000.0
    max_surfaces: int = 50


@dataclass(slots=True)
class CalibrationSums:
    """Sums by bin of the predicted probability, float64 [3, BINS]: counts, predicted, actual."""

    table: Doubles

    @property
    def counts(self) -> Doubles:
        """Examples [BINS]."""
        return self._row(0)

    @property
    def predicted(self) -> Doubles:
        """Sums of the predicted probability [BINS]."""
        return self._row(1)

    @property
    def actual(self) -> Doubles:
        """Examples that came true [BINS]."""
        return self._row(2)

    def _row(self, number: int) -> Doubles:
        row: Doubles = self.table[number]
        return row

    def copy(self) -> "CalibrationSums":
        """Return the same sums, which go their own way."""
        return CalibrationSums(self.table.copy())

    def figures(self) -> tuple[float, float, float, float]:
        """Return examples, mean predicted, mean actual and ECE; zeros without examples."""
        total, predicted, actual = np.add.reduce(self.table, axis=1).tolist()
        if total <= 0:
            return 0.0, 0.0, 0.0, 0.0
        gap = float(np.add.reduce(np.abs(self.predicted - self.actual)))
        return total, predicted / total, actual / total, gap / total


class Calibration:
    """Sums by (surface, outcome)."""

    def __init__(self, config: CalibrationConfig) -> None:
        self.config = config
        self._sums: dict[_Key, CalibrationSums] = {}
        self._surfaces: dict[str, None] = {}

    def items(self) -> Iterator[tuple[_Key, CalibrationSums]]:
        """Yield what is kept, in order of its first example."""
        yield from self._sums.items()

    def sums(self, key: _Key) -> CalibrationSums:
        """Return the sums of a surface and outcome."""
        return self._sums[key]

    def restore(self, key: _Key, sums: CalibrationSums) -> None:
        """Set the sums of a surface and outcome."""
        self._surfaces[key[0]] = None
        self._sums[key] = sums

    def add(
        self,
        outcomes: GenerationOutcomes,
        settled: Sequence[PendingSlate],
        late: Sequence[LateOutcome],
        known: Sequence[KnownReturn] = (),
    ) -> list[_Key]:
        """Count what became of predictions; return the keys whose sums changed.

        A late outcome turns the example that was counted as not come true. Delayed outcomes
        count once they are `known`, whichever generation made the prediction.
        """
        touched: dict[_Key, None] = {}
        names, delayed = outcomes.names, outcomes.delayed.tolist()
        for back, [fresh] in zip(known, _tables_of_known(known), strict=True):
            slate = back.pending.slate
            key = (self._surface(slate.surface), back.outcome)
            touched[key] = None
            self._count(key, len(slate.item_ids), fresh)
        for pending, tables in zip(settled, _tables_of(settled, len(names)), strict=True):
            surface = self._surface(pending.slate.surface)
            for outcome, fresh, later in zip(names, tables, delayed, strict=True):
                if later:
                    continue
                key = (surface, outcome)
                touched[key] = None
                self._count(key, len(pending.slate.item_ids), fresh)
        for one in late:
            surface = self._surface(one.pending.slate.surface)
            for column in np.flatnonzero(one.labels).tolist():
                key = (surface, names[column])
                touched[key] = None
                served = float(one.pending.slate.probabilities[one.place, column])
                self._of(key).actual[_bin(served)] += 1.0
        return list(touched)

    def _count(self, key: _Key, examples: int, fresh: Doubles) -> None:
        """Add the sums [3, BINS] of so many examples; what was before fades by them."""
        table = self._of(key).table
        table *= 0.5 ** (examples / self.config.half_life)
        table += fresh

    def _surface(self, surface: str) -> str:
        if surface not in self._surfaces:
            if len(self._surfaces) >= self.config.max_surfaces:
                return "other"
            self._surfaces[surface] = None
        return surface

    def _of(self, key: _Key) -> CalibrationSums:
        sums = self._sums.get(key)
        if sums is None:
            sums = CalibrationSums(np.zeros((3, BINS)))
            self._sums[key] = sums
        return sums


def _tables_of(settled: Sequence[PendingSlate], outcomes: int) -> Doubles:
    """Return the sums of each slate by itself, [slates, outcomes, 3, BINS]."""
    if not settled:
        return np.zeros((0, outcomes, 3, BINS))
    predicted = np.concatenate([pending.slate.probabilities for pending in settled])
    actual = np.concatenate([pending.labels for pending in settled])
    lengths = [len(pending.slate.item_ids) for pending in settled]
    return _tables(predicted.astype(np.float64), actual, lengths)


def _tables_of_known(known: Sequence[KnownReturn]) -> Doubles:
    """Return the sums of each delayed outcome by itself, [known, 1, 3, BINS]."""
    if not known:
        return np.zeros((0, 1, 3, BINS))
    predicted = np.concatenate([one.pending.slate.probabilities[:, one.column] for one in known])
    actual = np.concatenate([one.labels for one in known])
    lengths = [one.labels.size for one in known]
    return _tables(predicted.astype(np.float64)[:, None], actual[:, None], lengths)


def _tables(predicted: Doubles, actual: Labels, lengths: Sequence[int]) -> Doubles:
    """Return the sums [slates, outcomes, 3, BINS] of examples [n, outcomes]; n: of all slates."""
    slates, outcomes = len(lengths), predicted.shape[1]
    tables = np.zeros((slates, outcomes, 3, BINS))
    # Where in a row of all tables each example counts.
    cells = np.minimum((predicted * BINS).astype(np.int64), BINS - 1)
    cells += np.arange(outcomes) * BINS
    cells += (np.arange(slates) * (outcomes * BINS)).repeat(lengths)[:, None]
    for row, weights in enumerate((None, predicted.ravel(), actual.ravel())):
        sums = np.bincount(cells.ravel(), weights, slates * outcomes * BINS)
        tables[:, :, row] = sums.reshape(slates, outcomes, BINS)
    return tables


def _bin(predicted: float) -> int:
    return min(int(predicted * BINS), BINS - 1)
