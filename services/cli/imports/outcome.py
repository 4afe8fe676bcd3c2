"""What an import says at its end: a table, notes, and one JSON object for machines."""

import json
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from services.cli.console import messages, output
from services.cli.imports.counts import Counts
from services.cli.imports.rejects import RejectsFile

_SHOWN_REASONS = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """An import that is over. `columns`: which counts the table shows beside the rows."""

    counts: Counts
    columns: tuple[str, ...]
    seconds: float
    resumed_after: int
    rejects: RejectsFile
    position: bytes = b""


def show(outcome: Outcome, as_json: bool) -> None:
    """Print what became of the rows; with `as_json` one object on the last line."""
    counts = outcome.counts
    table = Table("rows", *outcome.columns, "seconds", "rows/s")
    done = counts.rows - outcome.resumed_after
    cells = [f"{getattr(counts, name.replace(' ', '_')):,}" for name in outcome.columns]
    rate = max(0, done) / max(outcome.seconds, 1e-9)
    table.add_row(f"{counts.rows:,}", *cells, f"{outcome.seconds:.1f}", f"{rate:,.0f}")
    console = messages() if as_json else output()
    console.print(table)
    if outcome.resumed_after:
        console.print(f"resumed after row {outcome.resumed_after:,} (--restart starts over)")
    if counts.not_taken:
        parts = [
            f"{number:,} {name}"
            for name, number in (("rejected", counts.rejected), ("quarantined", counts.quarantined))
            if number
        ]
        path = escape(str(outcome.rejects.path))
        console.print(f"[yellow]{' and '.join(parts)} of {counts.rows:,} rows; see {path}[/]")
        for reason, (count, first) in list(outcome.rejects.reasons.items())[:_SHOWN_REASONS]:
            console.print(f"  {count:,} {reason}, first {escape(first)}")
    if outcome.position:
        console.print(f"position {outcome.position.hex()}")
    if as_json:
        found = {
            **counts.as_json(),
            "seconds": round(outcome.seconds, 3),
            "rejects": str(outcome.rejects.path) if counts.not_taken else None,
            "position": outcome.position.hex() or None,
        }
        print(json.dumps(found), flush=True)  # noqa: T201
