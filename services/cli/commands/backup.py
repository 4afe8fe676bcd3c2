"""`harken backup`: both schemas as of one point of the feed, while the suite runs."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.backup.kept_backups import next_backup, one_backup
from services.cli.backup.manifest import Manifest, check_files, read_manifest
from services.cli.backup.store_dsns import FeedbackDsn, ProfileDsn, store_dsns
from services.cli.backup.take import take_backup
from services.cli.console import output
from services.cli.failures import clear_failures, run
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.progress_bar import byte_lines, progress_bar


def backup(
    target: Annotated[Path, typer.Argument(help="Folder to write; it must not be there yet.")],
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            min=1,
            help="TARGET holds backups, each named by its time: add one, then keep the newest N.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the backup in the folder; take none.")
    ] = False,
    feedback_dsn: FeedbackDsn = "",
    profile_dsn: ProfileDsn = "",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Back up everything that PostgreSQL holds, consistently, while the suite serves.

    The folder gets a dump per schema (pg_dump's custom format) and manifest.json. It appears when
    it is complete.
    """
    with clear_failures():
        if check:
            manifest = read_manifest(one_backup(target))
            checked(manifest, target)
            print_manifest(manifest, target)
            return
        place = contextlib.nullcontext(target) if keep is None else next_backup(target, keep)
        with place as path, store_dsns(folder, feedback_dsn, profile_dsn) as dsns:
            manifest = run(take_backup(dsns, path, _progress()))
        print_manifest(manifest, path)


def _progress() -> Callable[[str, int, int], None]:
    """What pg_dump will write is not known: the size on disk is a guide."""
    show = byte_lines("written")
    return lambda schema, done, about: show(f"{schema} ({about >> 20:,} MiB of tables)", done)


def checked(manifest: Manifest, folder: Path) -> None:
    """Compare the files with the manifest, with progress.

    Raises:
        CommandError: a file is damaged.

    """
    with progress_bar("checking", sum(part.size for part in manifest.parts)) as progress:
        check_files(manifest, folder, progress)


def print_manifest(manifest: Manifest, folder: Path) -> None:
    """Print what a backup holds."""
    table = Table("schema", "epoch", "version", "log sequence", "rows", "bytes", "sha256")
    for part in manifest.parts:
        table.add_row(
            part.schema, str(part.at.epoch), f"{part.at.version:,}", f"{part.at.sequence:,}",
            f"{sum(part.rows.values()):,}", f"{part.size:,}", part.sha256[:12],
        )  # fmt: skip
    output().print(table)
    output().print(f"{escape(str(folder))}: backup of {manifest.created_at}")
