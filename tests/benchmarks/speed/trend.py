"""The trend file: one line of JSON for each run that was asked to be kept."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.numbers.other_commit import ROOT
from tests.benchmarks.speed.figures import Figure, spread

FILE = ROOT / "docs" / "benchmarks" / "trend.jsonl"


@dataclass(frozen=True, slots=True)
class Kept:
    """One run. `ratios`: median and noise of each figure, by name; `values`: product's medians."""

    date: str
    commit: str
    bench: str
    hardware: Mapping[str, str | int]
    versions: Mapping[str, str]
    rounds: int
    ratios: Mapping[str, tuple[float, float]]
    values: Mapping[str, str]


def kept(
    figures: Sequence[Figure], tree: str, *, date: str, commit: str, bench: str,
    hardware: Mapping[str, str | int], versions: Mapping[str, str],
) -> Kept:  # fmt: skip
    """Return what is kept of a run."""
    found = {figure.name: spread(figure.ratios(tree)) for figure in figures}
    return Kept(
        date, commit, bench, hardware, versions, min(len(one.floor) for one in figures),
        {name: (round(one.median, 4), round(one.noise, 4)) for name, one in found.items()},
        {one.name: f"{statistics.median(one.products[tree]):.4g} {one.unit}" for one in figures},
    )  # fmt: skip


def append(one: Kept, file: Path = FILE) -> None:
    """Add a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write(json.dumps(asdict(one)) + "\n")


def read(bench: str, hardware: Mapping[str, str | int], file: Path = FILE) -> list[Kept]:
    """Return the runs of a bench on the same processor, as many of it, oldest first.

    Raises:
        ValueError: a line is not one.

    """
    if not file.exists():
        return []
    found = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        try:
            fields = json.loads(line)
            ratios = {name: (value, noise) for name, (value, noise) in fields.pop("ratios").items()}
            one = Kept(**fields, ratios=ratios)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{file.name}, line {number}: {error}") from error
        if one.bench == bench and _same(one.hardware, hardware):
            found.append(one)
    return found


def _same(one: Mapping[str, str | int], other: Mapping[str, str | int]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("processor", "processors"))
