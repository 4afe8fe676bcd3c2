"""Measures the numbers that issues ask for, prints a table, and fails when a row falls short.

    python -m tests.benchmarks.numbers WORD [OPTIONS OF IT]      or: make numbers ONLY=WORD

A Markdown table of row, bar, measured, met; everything else in numbers/WORD.json; a last line that
sums up. Exit code 1 when a row falls short.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.benchmarks.numbers import data, hardening, lanes, learning, slates, speed, trust
from tests.benchmarks.numbers.table import Number, printed, written

FOLDER = Path(".harken") / "numbers"


def measures() -> Mapping[str, Callable[[list[str]], Iterator[Number]]]:
    """Return what can be measured, by word."""
    return {
        "data": data.numbers, "hardening": hardening.numbers, "lanes": lanes.numbers,
        "learning": learning.numbers, "slates": slates.numbers, "speed": speed.numbers,
        "trust": trust.numbers,
    }  # fmt: skip


def main(arguments: list[str]) -> int:
    """Measure what is named; return the exit code."""
    known = measures()
    if not arguments or arguments[0] not in known:
        print(f"say what: {', '.join(known)}", file=sys.stderr)
        return 2
    word = arguments[0]
    found: list[Number] = []
    for number in known[word](arguments[1:]):
        found.append(number)
        # What is measured is kept, whatever comes after it.
        written(FOLDER / f"{word}.json", word, found)
        print(f"{number.what}: {number.measured}", flush=True)
    print()
    print(printed(word, found))
    return 0 if all(number.met is not False for number in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
