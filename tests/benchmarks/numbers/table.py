"""Rows of measured numbers: as a Markdown table, as JSON, and as one line."""

import argparse
import json
import platform
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Number:
    """One number: what, the bar it shall reach, what was measured, and whether it does.

    `met` None: there is no bar. `details` go to the JSON file.
    """

    what: str
    bar: str
    measured: str
    met: bool | None
    details: dict[str, Any] = field(default_factory=dict)


Row = Callable[[argparse.Namespace], Iterator[Number]]


def measured(rows: Mapping[str, tuple[str, Row]], options: argparse.Namespace) -> Iterator[Number]:
    """Measure the rows that `options.rows` names: `rows` say the bar of each, and what measures it.

    A row that cannot be measured fails, and says why.
    """
    for name in options.rows:
        bar, row = rows[name]
        try:
            yield from row(options)
        except Exception as error:
            # Whatever it is, the other rows are worth their time.
            traceback.print_exc()
            why = [type(error).__name__, *str(error).split("\n")[-1:]]
            yield Number(name, bar, f"failed: {': '.join(why)}"[:300], False)


def printed(word: str, numbers: Sequence[Number]) -> str:
    """Return the table, and the line that sums it up."""
    lines = ["| row | bar | measured | met |", "|---|---|---|---|"]
    for number in numbers:
        met = "-" if number.met is None else "yes" if number.met else "**no**"
        lines.append(f"| {number.what} | {number.bar} | {number.measured} | {met} |")
    with_bar = [number for number in numbers if number.met is not None]
    short = [number.what for number in with_bar if not number.met]
    summary = f"{word}: {len(with_bar) - len(short)} of {len(with_bar)} rows met"
    if short:
        summary += f"; short: {'; '.join(short)}"
    return "\n".join([*lines, "", summary])


def written(path: Path, word: str, numbers: Sequence[Number]) -> None:
    """Write all numbers with their details."""
    found = {
        "numbers": word,
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "rows": [asdict(number) for number in numbers],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, default=str) + "\n")
