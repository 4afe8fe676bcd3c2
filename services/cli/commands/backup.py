"""`harken backup`: both schemas as of one point of the feed, while the suite runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.backup.manifest import Manifest, check_files, read_manifest
from services.cli.backup.store_dsns import FeedbackDsn, ProfileDsn, store_dsns
from services.cli.backup.take import take_backup
from services.cli.console import messages, output
from services.cli.failures import clear_failures, run
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.progress_bar import progress_bar


def backup(
    target: Annotated[Path, typer.Argument(help="Folder to write; it must not be there yet.")],
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
            manifest = read_manifest(target)
            checked(manifest, target)
        else:
            with store_dsns(folder, feedback_dsn, profile_dsn) as dsns:
                manifest = run(take_backup(dsns, target, _Bars()))
        print_manifest(manifest, target)


class _Bars:
    """Progress by bytes. What pg_dump will write is not known: the size on disk is a guide."""

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}

    def __call__(self, schema: str, done: int, about: int) -> None:
        """Show it every 64 MiB."""
        if done >> 26 > self._shown.get(schema, 0):
            self._shown[schema] = done >> 26
            messages().print(f"{schema}: {done >> 20:,} MiB written, tables have {about >> 20:,}")


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
