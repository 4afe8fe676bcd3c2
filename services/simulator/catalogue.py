"""A catalogue in clusters: items of one cluster are liked by the same people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_GENRES = (
    "Drama", "Comedy", "Thriller", "Romance", "Action", "Documentary", "Animation", "Horror",
    "Western", "Mystery", "Musical", "Fantasy", "Crime", "War", "Adventure", "Noir",
)  # fmt: skip
_FIRST = (
    "Silent", "Golden", "Broken", "Distant", "Hidden", "Burning", "Frozen", "Electric", "Paper",
    "Crimson", "Hollow", "Midnight", "Wandering", "Glass", "Iron", "Velvet",
)  # fmt: skip
_SECOND = (
    "Harbour", "Garden", "Mirror", "River", "Signal", "Orchard", "Station", "Letter", "Horizon",
    "Winter", "Kingdom", "Shadow", "Compass", "Island", "Theatre", "Lantern",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulatedItem:
    """One item. `cluster` is what likes go by; backends see only title, categories and year."""

    item_id: str
    title: str
    categories: Sequence[str]
    year: int
    cluster: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All items, and what only the simulation knows about them, by index of the item.

    `popularity` sums to 1 within each cluster. `successor` is the item that people often take next.
    """

    items: Sequence[SimulatedItem]
    members: Sequence[np.ndarray]
    popularity: np.ndarray
    successor: np.ndarray


def make_catalogue(random: np.random.Generator, items: int, clusters: int) -> Catalogue:
    """Return a catalogue; each cluster has at least one item when `items` >= `clusters`.

    Raises:
        ValueError: there are fewer items than clusters, or no cluster.

    """
    if not 1 <= clusters <= items:
        raise ValueError(f"{items} items cannot make {clusters} clusters")
    cluster_of = np.concatenate(
        [np.arange(clusters), random.integers(0, clusters, items - clusters)]
    )
    popularity = 1.0 / np.arange(1, items + 1) ** 0.7
    random.shuffle(popularity)
    successor = np.arange(items)
    members: list[np.ndarray] = []
    for cluster in range(clusters):
        inside = np.flatnonzero(cluster_of == cluster)
        members.append(inside)
        popularity[inside] /= popularity[inside].sum()
        # One ring through the cluster: series, sequels, "people went on to".
        ring = random.permutation(inside)
        successor[ring] = np.roll(ring, -1)
    return Catalogue(
        [_item(random, index, int(cluster)) for index, cluster in enumerate(cluster_of)],
        members,
        popularity,
        successor,
    )


def _item(random: np.random.Generator, index: int, cluster: int) -> SimulatedItem:
    first, second = random.choice(_FIRST), random.choice(_SECOND)
    genres = [_GENRES[cluster % len(_GENRES)]]
    if random.random() < 0.3:
        genres.append(str(random.choice(_GENRES)))
    return SimulatedItem(
        f"item-{index}",
        f"The {first} {second} {index}",
        tuple(dict.fromkeys(genres)),
        int(random.integers(1950, 2025)),
        cluster,
    )
