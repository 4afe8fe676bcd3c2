"""A whole simulated history, from one seed."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.simulator.behaviour import SimulatedEvent, simulate
from services.simulator.catalogue import Catalogue, make_catalogue

FILES = ("items.csv", "events.csv.gz")
"""What write_world writes."""


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """How large a world is. The same config always gives the same world, on the same NumPy."""

    seed: int = 1
    users: int = 300
    items: int = 800
    clusters: int = 16
    days: float = 30.0
    begins: int = 1_700_000_000


class World:
    """Items and the history of all users."""

    def __init__(self, config: WorldConfig) -> None:
        """Make the catalogue.

        Raises:
            ValueError: the config has fewer items than clusters, or no cluster.

        """
        self._config = config
        of_catalogue, self._of_people = np.random.SeedSequence(config.seed).spawn(2)
        self.catalogue: Catalogue = make_catalogue(
            np.random.default_rng(of_catalogue), config.items, config.clusters
        )

    def events(self) -> Iterator[SimulatedEvent]:
        """Yield the history in order of time, the same at every call."""
        config = self._config
        # Spawning from a seed sequence changes it, so each call gets a fresh one.
        state = np.random.SeedSequence(config.seed, spawn_key=self._of_people.spawn_key)
        random = np.random.default_rng(state)
        return simulate(self.catalogue, config.users, config.days, config.begins, random)


def write_world(config: WorldConfig, folder: Path) -> int:
    """Write the FILES of a world into `folder`; return the number of events."""
    items, events = (folder / name for name in FILES)
    folder.mkdir(parents=True, exist_ok=True)
    world = World(config)
    with items.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "title", "year", "genres"])
        for item in world.catalogue.items:
            writer.writerow([item.item_id, item.title, item.year, "|".join(item.categories)])
    count = 0
    # No time in the gzip header: the same world is the same bytes.
    with (
        gzip.GzipFile(events, "wb", mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        writer = csv.writer(text)
        writer.writerow(["user", "item", "timestamp", "event", "value"])
        for event in world.events():
            writer.writerow([event.user, event.item, event.second, "rating", event.stars])
            count += 1
    return count
