"""Slates as `harken export --kind slates` writes them, and probabilities that a user gives."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from services.common.arrays import Float64s
from services.dataset.faults import SourceError
from services.dataset.table.table import Source, open_table
from services.evaluation.off_policy.given_target import GivenTarget
from services.evaluation.off_policy.logged_slate import Candidates, Exploration, LoggedSlate


class SlateFileError(Exception):
    """A file is not what it should be, and where."""


@dataclass(slots=True)
class SlateFile:
    """Reads slates from a file of any format that `harken export` writes.

    reward: weight of an outcome by the type of its events. What an item earns is the sum of the
    weights of the types that it has an event of, however many. surface: only slates of this one.
    left_out: slates that are not read, by why. types: of all events on items of those that are.
    """

    path: Path
    reward: Mapping[str, float]
    surface: str | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    types: set[str] = field(default_factory=set)

    def slates(self) -> Iterator[LoggedSlate]:
        """Yield slates, in order of the file, each once.

        Raises:
            SlateFileError: it cannot be read, or a row is no slate.

        """
        self.left_out.clear()
        self.types.clear()
        seen: set[str] = set()
        for number, row in _rows(self.path):
            try:
                slate = self._slate(row)
            except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
                what = f"{type(error).__name__}: {error}"
                raise SlateFileError(f"{self.path}, row {number}: no slate: {what}") from error
            if slate is None:
                continue
            if slate.slate_id in seen:
                self.left_out["there twice"] += 1
                continue
            seen.add(slate.slate_id)
            yield slate

    def _slate(self, row: Mapping[str, Any]) -> LoggedSlate | None:
        if self.surface is not None and (row.get("surface") or "") != self.surface:
            self.left_out["of another surface"] += 1
            return None
        if not _truth(row["window_over"]):
            # What is to come of them would be missing, and it would seem that less came.
            self.left_out["the window was not over"] += 1
            return None
        item_ids = tuple(_parsed(row["items"]))
        exploration = _exploration(_parsed(row["exploration"]))
        cells = _parsed(row.get("candidates"))
        outcomes = _parsed(row["outcomes"]) or ()
        self.types.update(str(one["type"]) for one in outcomes)
        return LoggedSlate(
            str(row["slate_id"]),
            _user(row),
            item_ids,
            _checked(_floats(_parsed(row["propensities"])), len(item_ids)),
            _rewards(outcomes, len(item_ids), self.reward),
            {name: _floats(column) for name, column in (_parsed(row["predicted"]) or {}).items()},
            None if not cells else _candidates(cells, item_ids),
            exploration,
        )


def given_target(path: Path) -> GivenTarget:
    """Return a target by a table of probabilities: slate_id, place (from 1), item, probability.

    Raises:
        SlateFileError: it cannot be read, or holds what is no probability.

    """
    found: dict[str, dict[tuple[int, str], float]] = {}
    for number, row in _rows(path):
        try:
            slate_id, item = str(row["slate_id"]), str(row["item"])
            place, probability = int(row["place"]), float(row["probability"])
        except (KeyError, TypeError, ValueError) as error:
            raise SlateFileError(f"{path}, row {number}: {error}") from error
        if not (0 <= probability <= 1 and place >= 1):
            raise SlateFileError(f"{path}, row {number}: place is from 1, probability 0 to 1")
        found.setdefault(slate_id, {})[place - 1, item] = probability
    return GivenTarget(path.name, found)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        with open_table(Source((str(path),))) as table:
            for block in table.blocks():
                for fault in block.faults:
                    raise SlateFileError(f"{path}, row {fault.number}: {fault.fault.detail}")
                for index, number in enumerate(block.numbers):
                    yield number, block.row(index)
    except SourceError as error:
        raise SlateFileError(str(error)) from error


def _parsed(cell: Any) -> Any:
    """Return what a cell says: in CSV and Parquet lists and maps are text."""
    return json.loads(cell) if isinstance(cell, str) and cell else cell or None


def _truth(cell: Any) -> bool:
    return cell == "true" if isinstance(cell, str) else bool(cell)


def _user(row: Mapping[str, Any]) -> str:
    return f"u:{row['user']}" if row.get("user") else f"s:{row['session']}"


def _rewards(
    outcomes: Sequence[Mapping[str, Any]], items: int, reward: Mapping[str, float]
) -> Float64s:
    found = np.zeros(items)
    for place, kind in {(int(one["place"]) - 1, str(one["type"])) for one in outcomes}:
        found[place] += reward.get(kind, 0.0)
    return found


def _exploration(cells: Mapping[str, Any]) -> Exploration:
    policy = str(cells["policy"])
    return Exploration(
        policy, float(cells.get(policy) or 0.0), float(cells.get("new_item_share") or 0.0)
    )


def _candidates(cells: Mapping[str, Any], item_ids: Sequence[str]) -> Candidates:
    names = tuple(cells["items"])
    numbers = {name: number for number, name in enumerate(names)}
    barred = np.array([list(base64.b64decode(bits)) for bits in cells["barred"]], np.uint8)
    bits = np.unpackbits(barred, axis=1, count=len(names), bitorder="little")
    if len(bits) != len(item_ids):
        raise ValueError("barred needs an element for each item")
    shown = np.array([numbers[name] for name in item_ids], np.int64)
    allowed = bits == 0
    if not allowed[np.arange(len(shown)), shown].all():
        raise ValueError("an item stands where it is barred")
    predicted = {name: _floats(column) for name, column in (cells["predicted"] or {}).items()}
    drawn = [np.frombuffer(base64.b64decode(draw), "<f2") for draw in cells.get("drawn") or ()]
    if any(draw.size != len(names) for draw in drawn):
        raise ValueError("drawn needs a number for each candidate")
    deviations = np.array(drawn, np.float64).reshape(len(drawn), len(names))
    return Candidates(names, shown, _floats(cells["utilities"]), predicted, allowed, deviations)


def _floats(cells: Sequence[Any]) -> Float64s:
    """Return numbers, NaN where there is none."""
    return np.array([np.nan if cell is None else cell for cell in cells], np.float64)


def _checked(propensities: Float64s, items: int) -> Float64s:
    if propensities.shape != (items,) or not ((propensities > 0) & (propensities <= 1)).all():
        raise ValueError("propensities must be in (0, 1], one an item")
    return propensities
