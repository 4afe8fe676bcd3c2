"""`harken restore` and `harken new-epoch`: after PostgreSQL goes back, a new epoch begins."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.backup.kept_backups import one_backup
from services.cli.backup.manifest import Manifest, read_manifest
from services.cli.backup.restore import begin_epoch, check_targets, restore_backup
from services.cli.backup.store_dsns import FeedbackDsn, ProfileDsn, StoreDsns, store_dsns
from services.cli.commands.backup import checked, print_manifest
from services.cli.console import output
from services.cli.failures import clear_failures, run
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.progress_bar import byte_lines


def restore(
    source: Annotated[Path, typer.Argument(help="Folder that `harken backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace what the databases hold.")
    ] = False,
    feedback_dsn: FeedbackDsn = "",
    profile_dsn: ProfileDsn = "",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Restore a backup; feedback must be stopped. A new epoch begins, and subscribers resync.

    Nothing is changed unless all files are whole and both databases may be written.
    """
    with clear_failures():
        manifest = read_manifest(one_backup(source))
        checked(manifest, source)
        with store_dsns(folder, feedback_dsn, profile_dsn, create=True) as dsns:
            epoch = run(_restore(manifest, source, dsns, force))
        print_manifest(manifest, source)
        output().print(
            f"restored; epoch {epoch} begins after sequence "
            f"{manifest.part('feedback').at.sequence:,}. Next: migrate both schemas, start feedback"
        )


def new_epoch(
    feedback_dsn: FeedbackDsn = "",
    profile_dsn: ProfileDsn = "",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Begin a new epoch after PostgreSQL went back by other means; feedback must be stopped.

    Needed after a restore that leaves no trace, such as a snapshot of the volume. Restores to
    another server and to a point in time are noticed without it; once more does no harm.
    """
    with clear_failures(), store_dsns(folder, feedback_dsn, profile_dsn) as dsns:
        epoch = run(begin_epoch(dsns))
        output().print(f"epoch {epoch} begins; next: start feedback")


async def _restore(manifest: Manifest, source: Path, dsns: StoreDsns, force: bool) -> int:
    await check_targets(manifest, dsns, force)
    return await restore_backup(manifest, source, dsns, byte_lines("of SQL run"))
