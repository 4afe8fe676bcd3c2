"""Opening a vault: files of keys and the database are held against each other first."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from prometheus_client import CollectorRegistry

from services.common.access.watched_files import WatchedFiles
from services.common.database import one_row, open_pool, session
from services.common.migrations import migrate
from services.common.reloadable import Reloadable
from services.common.user_key import Pseudonyms, WrongPseudonymKeyError
from services.common.vault.key_file import Purpose, parse_keys
from services.common.vault.master_keys import KeyWrapping, MasterKeys
from services.common.vault.pseudonym_key import pseudonyms_of
from services.common.vault.sealing import UserSecret
from services.common.vault.user_keys import SCHEMA, UserKeys
from services.common.vault.vault import NoVault, UserVault, Vault, VaultMetrics
from services.common.vault.vault_settings import VaultSettings

_MIGRATIONS = Path(__file__).parent / "migrations"
_CONNECTIONS = 3
_NOBODY = b""


def migrate_vault(settings: VaultSettings) -> None:
    """Bring the schema of the vault up to date, where there is one. Raises as `migrate`."""
    if settings.vault_dsn is not None:
        migrate(settings.vault_dsn, SCHEMA, _MIGRATIONS)


@contextlib.asynccontextmanager
async def opened_vault(
    settings: VaultSettings, registry: CollectorRegistry
) -> AsyncIterator[UserVault]:
    """Lend the vault that settings name, and follow its file of master keys; NoVault without.

    Raises:
        RuntimeError: a file is away or wrong, or holds another key than the database was made with.
        StoreUnavailableError: the database is away.

    """
    metrics = VaultMetrics(registry)
    pseudonyms = pseudonyms_of(settings.pseudonym_key_file)
    if settings.vault_dsn is None or settings.vault_key_file is None:
        yield NoVault()
        return
    masters = WatchedFiles(
        (settings.vault_key_file,),
        lambda contents: MasterKeys(parse_keys(Purpose.VAULT, contents)),
    )
    wrapping: Reloadable[KeyWrapping] = masters.live.map(lambda keys: keys)
    async with await open_pool(settings.vault_dsn, SCHEMA, _CONNECTIONS) as pool:
        await check_vault(pool, pseudonyms, wrapping.value)
        looking = asyncio.create_task(masters.run())
        try:
            yield Vault(pseudonyms, wrapping, UserKeys(pool), metrics)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def check_vault(pool: asyncpg.Pool, pseudonyms: Pseudonyms, wrapping: KeyWrapping) -> None:
    """Hold keys against those that the vault was first opened with.

    Raises:
        RuntimeError: they are others.
        StoreUnavailableError: the database is away.

    """
    probe = wrapping.wrap("", _NOBODY, UserSecret.new())
    try:
        async with session(pool) as connection:
            await connection.execute(
                "UPDATE vault SET probe = coalesce(probe, $1),"
                " pseudonyms = coalesce(pseudonyms, $2) WHERE probe IS NULL OR pseudonyms IS NULL",
                probe, pseudonyms.check_value,
            )  # fmt: skip
            row = await one_row(connection, "SELECT probe, pseudonyms FROM vault")
    except asyncpg.UndefinedTableError:
        raise RuntimeError(
            "the vault has no tables of ours: run python -m services.feedback --migrate"
        ) from None
    wrapping.unwrap("", _NOBODY, row["probe"])
    if row["pseudonyms"] != pseudonyms.check_value:
        raise WrongPseudonymKeyError(
            "the vault was made with another pseudonym key than that of pseudonym_key_file"
        )


async def check_pseudonyms(
    pool: asyncpg.Pool, pseudonyms: Pseudonyms, schema: str, any_user: str
) -> None:
    """Hold our key against that which a database was first filled with, and note it there when it
    is the first. `schema`: what the service and its schema are called; `any_user`: a query for
    whether it holds any user.

    Raises:
        RuntimeError: the schema was never migrated.
        WrongPseudonymKeyError: it is another one, or there was none and there are users.
        StoreUnavailableError: the database is away.

    """
    async with session(pool) as connection:
        try:
            found = await connection.fetchval("SELECT check_value FROM pseudonym_check")
        except asyncpg.UndefinedTableError:
            raise RuntimeError(
                f"the database lacks tables of ours: run python -m services.{schema} --migrate"
            ) from None
        if found is None and pseudonyms.keyed:
            if await connection.fetchval(any_user):
                raise WrongPseudonymKeyError(
                    "the database holds users by their ids: go on without pseudonym_key_file, or"
                    " with a new database"
                )
            await connection.execute(
                "INSERT INTO pseudonym_check (check_value) VALUES ($1) ON CONFLICT DO NOTHING",
                pseudonyms.check_value,
            )
            found = await connection.fetchval("SELECT check_value FROM pseudonym_check")
    if (found or b"") == pseudonyms.check_value:
        return
    if not pseudonyms.keyed:
        raise WrongPseudonymKeyError(
            "the database holds pseudonyms: give pseudonym_key_file, vault_dsn and vault_key_file"
        )
    raise WrongPseudonymKeyError(
        "the database holds pseudonyms of another key than that of pseudonym_key_file"
    )
