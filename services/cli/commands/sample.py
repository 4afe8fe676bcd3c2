"""`harken sample`: a history to try Harken with, when there is none of one's own."""

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import output
from services.cli.failures import CommandError, clear_failures
from services.simulator.world import FILES, WorldConfig, write_world

_DAY = 86_400
_CLUSTERS = 16


def sample(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; made when it is missing.")],
    items: Annotated[int, typer.Option(min=1, help="Number of items.")] = 500,
    users: Annotated[int, typer.Option(min=1, help="Number of users.")] = 200,
    days: Annotated[int, typer.Option(min=1, help="Length of the history; it ends today.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes another history.")] = 1,
) -> None:
    """Write made-up items and events to try Harken with: items.csv and events.csv.gz.

    Simulated people with drifting tastes rate items. They are as good as real data for trying the
    commands, and say nothing about how good recommendations are.
    """
    with clear_failures():
        for name in FILES:
            if (folder / name).exists():
                raise CommandError(f"{folder / name} is there already: give another folder")
        config = WorldConfig(
            seed, users, items, min(_CLUSTERS, items), float(days), _begins(time.time(), days)
        )
        events = write_world(config, folder)
    console = output()
    console.print(f"{items:,} items and {events:,} events of {users:,} users in {folder}")
    console.print("\nWith `harken up --preset media` running in another terminal, try:")
    for line in _next_commands(folder):
        console.print(f"  {line}", markup=False)


def _begins(now: float, days: int) -> int:
    """Return when a history of `days` begins that ends at the last midnight, UTC."""
    return int(now) // _DAY * _DAY - days * _DAY


def _next_commands(folder: Path) -> list[str]:
    items, events = (shlex.quote(str(folder / name)) for name in FILES)
    return [
        f"harken import items {items}",
        f"harken import events {events} --wait",
        # Every simulated person has events.
        "harken recommend user-0",
    ]
