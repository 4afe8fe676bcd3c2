"""Several processes apply to one database: each entry once, whoever is first (truth 2)."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.common.database import open_pool
from services.common.position import Position
from services.common.vault.vault import NoVault
from services.feed.entries import Entries
from services.feed.entries_codec import decode
from services.profile.convert import profile_of
from services.profile.entries_applier import EntriesApplier
from services.profile.metrics import ProfileMetrics
from services.profile.process import SCHEMA
from services.profile.store.attribute_store import AttributeStore
from services.profile.store.history_store import HistoryStore
from services.profile.store.link_store import LinkStore
from services.profile.store.profile_store import ProfileStore
from tests.profile.oracle import expected_behaviour, stated_behaviour
from tests.profile.script import Happening, Numbered, Script, key, user

PARTS = {"state", "counters", "seen_item_ids"}


class Race:
    """Some appliers of one database."""

    def __init__(self, appliers: list[EntriesApplier], profiles: ProfileStore) -> None:
        self.appliers = appliers
        self.script = Script()
        self.told: list[Happening] = []
        self._profiles = profiles

    def stretch(self, size: int, script: Script | None = None) -> Entries:
        script = script or self.script
        events = [Happening("ann", f"item-{script.sequence + n}") for n in range(size)]
        self.told += events if script is self.script else []
        return script.stretch(events)

    async def check(self) -> None:
        snapshot = await self._profiles.read("default", [key("ann")])
        profile = profile_of(user("ann"), snapshot.profiles[0], PARTS, {})
        assert stated_behaviour(profile) == expected_behaviour(self.told)
        assert snapshot.position() == Position(0, 1, self.script.sequence).encode()


@pytest_asyncio.fixture
async def race(dsn: str) -> AsyncIterator[Race]:
    pool = await open_pool(dsn, SCHEMA, 3)
    appliers = [
        await EntriesApplier.open(
            HistoryStore(pool),
            AttributeStore(pool, NoVault()),
            LinkStore(pool),
            ProfileMetrics(CollectorRegistry()),
        )
        for _ in range(3)
    ]
    yield Race(appliers, ProfileStore(pool, NoVault()))
    await pool.close()


async def test_stretches_of_other_streams_begin_and_end_elsewhere(race: Race) -> None:
    """Each process is sent stretches of its own; what others applied of one is left out."""
    first, second, third = race.appliers
    small = [race.stretch(size) for size in (3, 4, 5, 6)]
    whole = Script()
    large = [race.stretch(size, whole) for size in (9, 9)]
    await first.apply(small[:2])
    await second.apply(large)
    await first.apply(small[2:])
    await third.apply(small)
    await race.check()
    assert {one.progress.applied.sequence for one in race.appliers} == {18}


async def test_any_order_of_any_stretches(race: Race) -> None:
    rng = random.Random(1)
    for _ in range(40):
        own = [rng.randrange(1, 9) for _ in range(3)]
        ahead = sum(own)
        begun = race.script.sequence
        stretches = [race.stretch(size) for size in own]
        other = Script(sequence=begun)
        others = [race.stretch(size, other) for size in (ahead - 1, 1) if size]
        runs = [(race.appliers[0], [one]) for one in stretches]
        runs += [(race.appliers[1], [one]) for one in others]
        runs += [(race.appliers[2], stretches)]
        # Of one process in order; between them as it comes.
        for applier, given in sorted(runs, key=lambda _: rng.random()):
            applied = applier.progress.applied.sequence
            fresh = [one for one in given if one.through_sequence > applied]
            if not fresh or fresh[0].after_sequence > applied:
                continue
            await applier.apply(fresh)
        await race.appliers[2].apply(stretches)
    await race.check()


async def test_where_a_retraction_is_cannot_be_told_so_it_is_asked_for_again(race: Race) -> None:
    first, second, _ = race.appliers
    told: list[Numbered] = [(1, Happening("ann", "a")), (2, Happening("ann", "b"))]
    begin = race.script.stretch([one for _, one in told])
    gone = race.script.retraction(told[:1])
    await first.apply([begin, decode(gone)])
    # Another stream had both retractions at once, of which one is applied.
    other = Script(sequence=2)
    both = decode(other.retraction(told))
    await second.apply([begin])
    with pytest.raises(ConnectionError):
        await second.apply([both])
    assert second.progress.applied == first.progress.applied
    race.told = [told[1][1]]
    await race.check()
