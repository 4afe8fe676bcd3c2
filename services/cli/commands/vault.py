"""`harken vault init|status|rotate|rewrap|drop`: keys of pseudonyms, and of what is sealed."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from services.cli.console import messages, output
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.failures import CommandError, clear_failures, run
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.progress_bar import progress_count
from services.cli.vault_files import make_files, pseudonym_file, vault_file
from services.common.database import open_pool
from services.common.vault.key_file import KeyFile, Purpose, read_key_file, write_key_file
from services.common.vault.master_keys import MasterKeys, WrongMasterKeyError
from services.common.vault.rewrapping import rewrap as rewrap_all
from services.common.vault.rewrapping import versions
from services.common.vault.user_keys import SCHEMA, UserKeys

app = typer.Typer(
    help="Keys that make pseudonyms of ids, and seal what belongs to users (docs/privacy.md)."
)

MasterFile = Annotated[
    Path,
    typer.Option(
        "--file", envvar="HARKEN_VAULT_KEY_FILE", help="Master keys, as `vault_key_file` has it."
    ),
]
VaultDsn = Annotated[
    str,
    typer.Option(
        envvar="HARKEN_VAULT_DSN",
        help="PostgreSQL of the vault; default: the embedded one in the folder.",
    ),
]
_OWN = Path()


@app.command()
def init(
    target: Annotated[Path, typer.Argument(help="Folder for both files; what is there stays.")],
) -> None:
    """Make the file of the pseudonym key and that of the master key.

    Keep copies of both where no copy of a database is: without the first nobody is found again,
    without the second nothing is read again.
    """
    with clear_failures():
        make_files(target)
    output().print(f"pseudonym_key_file: {pseudonym_file(target)}", soft_wrap=True)
    output().print(f"vault_key_file: {vault_file(target)}", soft_wrap=True)


@app.command()
def status(file: MasterFile = _OWN, dsn: VaultDsn = "", folder: Folder = DEFAULT_FOLDER) -> None:
    """Print the versions of the master key, and how many users' keys each wraps."""
    with clear_failures():
        path, known = _master(file, folder)
        with _dsn(folder, dsn) as at:
            found = run(_versions(at))
    newest = MasterKeys(known).version
    table = Table("version", "in the file", "state", "wraps", box=SIMPLE_HEAD)
    held = {one.version: one for one in known.keys}
    for version in sorted({*held, *found}):
        state = "wraps what is new" if version == newest else "unwraps"
        if version in held and held[version].since > time.time():
            state = f"wraps in {held[version].since - time.time():,.0f} s"
        if version not in held:
            state = "LOST: what it wraps cannot be read"
        there = "yes" if version in held else "no"
        table.add_row(str(version), there, state, f"{found.get(version, 0):,}")
    output().print(table)
    output().print(str(path), soft_wrap=True)


@app.command()
def rotate(
    file: MasterFile = _OWN,
    after: Annotated[
        int,
        typer.Option(
            min=0,
            help="Seconds until it wraps: every process must have the file by then.",
        ),
    ] = 600,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Add a new version of the master key to the file.

    Then bring the file to all processes (they read it anew), and when its time has come run
    `harken vault rewrap`. Earlier versions go on unwrapping until they are dropped.
    """
    with clear_failures():
        path, known = _master(file, folder)
        made = known.with_new(int(time.time()) + after if after else 0)
        write_key_file(path, made)
    output().print(f"version {made.keys[-1].version} wraps in {after} s; then: harken vault rewrap")


@app.command()
def rewrap(file: MasterFile = _OWN, dsn: VaultDsn = "", folder: Folder = DEFAULT_FOLDER) -> None:
    """Wrap the keys of all users by the newest version, while the suite serves."""
    with clear_failures():
        _, known = _master(file, folder)
        wrapping = MasterKeys(known)
        if wrapping.version != known.keys[-1].version:
            left = known.keys[-1].since - time.time()
            raise CommandError(
                f"version {known.keys[-1].version} wraps in {left:,.0f} s: come again then"
            )
        with _dsn(folder, dsn) as at, progress_count("keys of users") as progress:

            async def work() -> int:
                async with _keys(at) as keys:
                    return await rewrap_all(keys, wrapping, progress)

            try:
                done = run(work())
            except WrongMasterKeyError as error:
                raise CommandError(str(error)) from None
    output().print(f"{done:,} keys of users are wrapped by version {wrapping.version} now")


@app.command()
def drop(
    version: Annotated[int, typer.Argument(help="The version.")],
    file: MasterFile = _OWN,
    dsn: VaultDsn = "",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Take a version of the master key that wraps nothing any more out of the file.

    Without it no copy of the vault from before opens anything, with the keys of users who were
    erased since among them.
    """
    with clear_failures():
        path, known = _master(file, folder)
        if version not in {one.version for one in known.keys}:
            raise CommandError(f"{path} has no version {version}")
        if version == MasterKeys(known).version:
            raise CommandError(f"version {version} wraps what is new: harken vault rotate first")
        with _dsn(folder, dsn) as at:
            left = run(_retired(at, version))
        if left:
            raise CommandError(f"version {version} wraps {left:,} keys: harken vault rewrap first")
        write_key_file(path, known.without(version))
    messages().print(f"version {version} is gone from {path}; destroy its copies, too")


def _master(file: Path, folder: Path) -> tuple[Path, KeyFile]:
    path = vault_file(folder / "keys") if file == _OWN else file
    try:
        return path, read_key_file(Purpose.VAULT, path)
    except RuntimeError as error:
        raise CommandError(str(error)) from None


async def _versions(dsn: str) -> dict[int, int]:
    async with _keys(dsn) as keys:
        return dict(await versions(keys))


async def _retired(dsn: str, version: int) -> int:
    async with _keys(dsn) as keys:
        return await keys.retire(version)


@contextlib.asynccontextmanager
async def _keys(dsn: str) -> AsyncIterator[UserKeys]:
    async with await open_pool(dsn, SCHEMA, 1) as pool:
        yield UserKeys(pool)


@contextlib.contextmanager
def _dsn(folder: Path, dsn: str) -> Iterator[str]:
    """Lend the DSN given, or that of the embedded server in `folder`, which runs meanwhile."""
    if dsn:
        yield dsn
        return
    if not (folder / "postgres").is_dir():
        raise CommandError(f"there is no embedded PostgreSQL in {folder}: give --dsn")
    server = EmbeddedPostgres(folder / "postgres")
    was_running = server.pid is not None
    server.start()
    try:
        yield server.dsn("harken_keys")
    finally:
        if not was_running:
            server.stop()
