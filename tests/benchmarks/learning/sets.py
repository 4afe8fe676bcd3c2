"""Histories that learning is measured on: made ones, and real ones from a folder."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from services.cli.history_options import read_contents
from services.cli.reading import EventMapping, Reading, opened_events
from services.common.content_features import Content
from services.dataset.history.event_file import read_events
from services.dataset.history.events import Events
from services.evaluation.protocol import Repeats
from tests.benchmarks.histories.known import HISTORIES

FILMS = ("ml-100k", "ml-latest-small")
REAL: Mapping[str, Repeats] = MappingProxyType(
    {
        **dict.fromkeys(FILMS, Repeats.EXCLUDE),
        "amazon-video-games-orderonly": Repeats.EXCLUDE,
        "diginetica-sample": Repeats.INCLUDE,
    }
)
"""Real histories, and whether rankings over them hold what the user had before."""
GIVEN = "made-sessions"
"""Sessions that a script beside the real histories makes."""
_GIVEN_ARGUMENTS = ("4000", "1500", "7")
SEEDS = (1, 2, 3)
SHOPS = (*(f"shop-{seed}" for seed in SEEDS), "wide-1", "flash-1")
"""Made sessions: three seeds and two other shapes."""
MADE = ("shop-1", "wide-1", "flash-1", "groceries-1", "news-1", "music-1", "check-ins-1",
        "new-places-1")  # fmt: skip
EVERY = (*REAL, GIVEN, *MADE)


@dataclass(frozen=True, slots=True)
class Set:
    """A history, the contents of its items where they are known, and its rule for repeats."""

    name: str
    events: Events
    repeats: Repeats
    contents: Mapping[str, Content] = field(default_factory=dict)


def sets_of(names: Sequence[str], folder: Path) -> Iterator[Set]:
    """Yield histories by name, of REAL and GIVEN those that `folder` has; say which it has not.

    Raises:
        KeyError: there is no such name.

    """
    for name in names:
        if name in REAL or name == GIVEN:
            found = _given(folder / name) if name == GIVEN else _real(folder / name)
            if found is None:
                print(f"no {name} in {folder}: left out", file=sys.stderr, flush=True)
            else:
                yield found
        else:
            kind, _, seed = name.rpartition("-")
            history = HISTORIES[kind](int(seed))
            yield Set(name, history.events, history.repeats)


def _real(folder: Path) -> Set | None:
    files = sorted(folder.glob("events.csv*"))
    if not files:
        return None
    items = folder / "items.csv"
    contents = read_contents([str(items)] if items.exists() else None, None, None)
    return Set(folder.name, _read(files[0]), REAL[folder.name], contents)


def _given(folder: Path) -> Set | None:
    script = folder / "make.py"
    if not script.exists():
        return None
    with tempfile.TemporaryDirectory(prefix="harken-made-") as own:
        subprocess.run(
            [sys.executable, str(script.resolve()), *_GIVEN_ARGUMENTS], cwd=own, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return Set(folder.name, _read(Path(own) / "events.csv"), Repeats.INCLUDE)


def _read(file: Path) -> Events:
    with opened_events([str(file)], Reading(), EventMapping()) as (table, options):
        return read_events(table, options)
