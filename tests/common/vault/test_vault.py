"""The vault of several processes on one database: one key for each user, and few statements."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.common.database import open_pool
from services.common.migrations import migrate
from services.common.reloadable import Reloadable
from services.common.user_key import Pseudonyms
from services.common.vault.key_file import Purpose, new_keys
from services.common.vault.master_keys import KeyWrapping, MasterKeys
from services.common.vault.sealing import BrokenSealError, SealPurpose
from services.common.vault.user_keys import SCHEMA, StoredKey, UserKeys
from services.common.vault.vault import FRESH_SECONDS, Vault, VaultMetrics
from tests.conftest import FreshDatabase

ROOT = Path(__file__).parents[3]
PSEUDONYMS = Pseudonyms([bytes(range(32))])
NAMES = {PSEUDONYMS.key_of_user("a", f"user-{n}"): f"user-{n}" for n in range(1000)}
KEYS = list(NAMES)


class Counted(UserKeys):
    """Counts statements."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.said: list[str] = []

    async def create(self, *arguments: Any) -> tuple[dict[bytes, StoredKey], int]:
        self.said.append("create")
        return await super().create(*arguments)

    async def find(self, *arguments: Any) -> dict[bytes, StoredKey]:
        self.said.append("find")
        return await super().find(*arguments)

    async def changes(self) -> int:
        self.said.append("changes")
        return await super().changes()


class Process:
    """A vault, what it asks the database, and a clock of its own."""

    def __init__(self, pool: asyncpg.Pool, wrapping: KeyWrapping) -> None:
        self.now = 0.0
        self.keys = Counted(pool)
        metrics = VaultMetrics(CollectorRegistry())
        self.vault = Vault(PSEUDONYMS, Reloadable(wrapping), self.keys, metrics, lambda: self.now)

    def heard(self) -> list[str]:
        said, self.keys.said = self.keys.said, []
        return said


@pytest_asyncio.fixture
async def processes(database: FreshDatabase) -> AsyncIterator[tuple[Process, Process]]:
    migrations = ROOT / "services/common/vault/migrations"
    await asyncio.to_thread(migrate, database.keys_dsn, SCHEMA, migrations)
    async with await open_pool(database.keys_dsn, SCHEMA, 4) as pool:
        wrapping = MasterKeys(new_keys(Purpose.VAULT))
        yield Process(pool, wrapping), Process(pool, wrapping)


async def test_two_that_meet_a_user_at_once_have_one_key(
    processes: tuple[Process, Process],
) -> None:
    first, second = processes
    await asyncio.gather(
        *(one.vault.admit("a", NAMES) for one in (first, second) for _ in range(2))
    )
    assert first.vault.pseudonyms is PSEUDONYMS
    seals = await first.vault.seals("a", KEYS)
    sealed = {
        key: seals.seal(key, SealPurpose.CONTEXT, name.encode()) for key, name in NAMES.items()
    }
    seals = await second.vault.seals("a", KEYS)
    for key, one in sealed.items():
        assert one is not None
        assert seals.unseal(key, SealPurpose.CONTEXT, one) == NAMES[key].encode()
    subjects = await second.vault.subjects("a", KEYS)
    assert {key: one.user_id for key, one in subjects.items()} == NAMES
    # Of another tenant nobody is there, and what is moved is refused.
    assert not await second.vault.subjects("b", KEYS)
    moved = sealed[KEYS[0]]
    assert moved is not None
    await second.vault.admit("a", {KEYS[0]: NAMES[KEYS[0]]})
    with pytest.raises(BrokenSealError):
        seals.unseal(KEYS[0], SealPurpose.CONTEXT, moved[:-1] + bytes([moved[-1] ^ 1]))
    # By the name of its key it is one that was sealed before that user's key was destroyed.
    assert seals.unseal(KEYS[1], SealPurpose.CONTEXT, moved) is None


async def test_who_is_known_costs_no_statement(processes: tuple[Process, Process]) -> None:
    first, second = processes
    await first.vault.admit("a", NAMES)
    assert first.heard() == ["changes", "create"]
    for _ in range(3):
        await first.vault.admit("a", NAMES)
        await first.vault.subjects("a", KEYS)
    assert first.heard() == []
    # One question now and then, for everybody.
    first.now += FRESH_SECONDS
    await asyncio.gather(*(first.vault.admit("a", NAMES) for _ in range(20)))
    assert first.heard() == ["changes"]

    # What another one destroyed is let go of, and asked for again.
    await second.vault.admit("a", NAMES)
    assert await second.vault.destroy("a", KEYS[:10]) == 10
    assert len(await second.vault.subjects("a", KEYS)) == 990
    assert await second.vault.destroy("a", KEYS[:10]) == 0
    first.now += FRESH_SECONDS
    assert len(await first.vault.subjects("a", KEYS)) == 990
    assert first.heard() == ["changes", "find"]
