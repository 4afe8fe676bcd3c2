"""The simulator: one seed, one world, with the structure that recommenders live on."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.simulator.world import World, WorldConfig, write_world

configs = st.builds(
    WorldConfig,
    seed=st.integers(0, 100),
    users=st.integers(1, 8),
    items=st.integers(5, 40),
    clusters=st.integers(1, 5),
    days=st.floats(0.5, 5),
)


@settings(max_examples=25)
@given(configs)
def test_a_world_is_reproducible_in_order_of_time_and_repeats_nothing(config: WorldConfig) -> None:
    world = World(config)
    events = list(world.events())
    assert events == list(world.events()) == list(World(config).events())
    assert [event.second for event in events] == sorted(event.second for event in events)
    assert len({(event.user, event.item) for event in events}) == len(events)
    known = {item.item_id for item in world.catalogue.items}
    ends = config.begins + config.days * 86_400
    for event in events:
        assert event.item in known
        assert 1 <= event.stars <= 5
        assert config.begins <= event.second <= ends


def test_another_seed_is_another_world() -> None:
    assert list(World(WorldConfig(seed=1, users=5)).events()) != list(
        World(WorldConfig(seed=2, users=5)).events()
    )


def test_people_follow_tastes_and_series() -> None:
    """Oracle: co-occurrence counted by hand against what independence would give."""
    config = WorldConfig(users=120, items=200, clusters=8, days=20)
    world = World(config)
    cluster = {item.item_id: item.cluster for item in world.catalogue.items}
    follows = {
        world.catalogue.items[i].item_id: world.catalogue.items[int(after)].item_id
        for i, after in enumerate(world.catalogue.successor)
    }
    by_user: dict[str, list[str]] = {}
    for event in world.events():
        by_user.setdefault(event.user, []).append(event.item)
    pairs = [pair for items in by_user.values() for pair in pairwise(items)]

    same = np.mean([cluster[a] == cluster[b] for a, b in pairs])
    sizes = np.array(list(Counter(cluster.values()).values())) / len(cluster)
    assert same > 2 * float((sizes**2).sum())
    assert np.mean([follows[a] == b for a, b in pairs]) > 0.2


def test_a_world_without_enough_items_is_refused() -> None:
    with pytest.raises(ValueError, match="clusters"):
        World(WorldConfig(items=3, clusters=4))


def test_files_of_a_world_are_the_same_bytes(tmp_path: Path) -> None:
    config = WorldConfig(users=5, items=50)
    assert write_world(config, tmp_path / "a") == write_world(config, tmp_path / "b") > 0
    for name in ("items.csv", "events.csv.gz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
