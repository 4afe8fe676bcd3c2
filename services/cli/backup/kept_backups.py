"""A folder of backups, each in a folder named by its time: the newest are kept."""

import contextlib
import fcntl
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from services.cli.backup.manifest import FILE_NAME
from services.cli.failures import CommandError

_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"\d{8}T\d{6}Z")
_LEFT_OVER = re.compile(r"\d{8}T\d{6}Z\.partial")
_LOCK = ".lock"


def backups_in(folder: Path) -> list[Path]:
    """Return the complete backups that were written into a folder, the oldest first."""
    return sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if _NAME.fullmatch(path.name) and (path / FILE_NAME).is_file()
    )


def one_backup(folder: Path) -> Path:
    """Return `folder`, which is a backup, or not even that.

    Raises:
        CommandError: it is a folder of several.

    """
    if several := backups_in(folder):
        names = ", ".join(path.name for path in several)
        raise CommandError(f"{folder} holds several backups, name one of them: {names}")
    return folder


@contextlib.contextmanager
def next_backup(folder: Path, keep: int) -> Iterator[Path]:
    """Lend the path of a new backup; when the block ends well, only the newest `keep` stay.

    What else is in the folder is left alone, but for backups that were broken off. At times there
    are `keep` + 1 of them.

    Raises:
        CommandError: another backup is being written into the folder.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"another backup is being written into {folder}") from None
        for path in folder.iterdir():
            if _LEFT_OVER.fullmatch(path.name):
                shutil.rmtree(path)
        yield folder / datetime.now(UTC).strftime(_TIME)
        for old in backups_in(folder)[:-keep]:
            # Half of a backup must not look like one.
            gone = old.rename(old.with_name(f"{old.name}.partial"))
            shutil.rmtree(gone)
