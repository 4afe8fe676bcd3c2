"""Where a Unix socket can live: its path has a limit of about a hundred bytes."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

_MAX_PATH_BYTES = 103
"""The smallest limit of the systems we run on (macOS; Linux has 107)."""


def socket_folder(folder: Path, socket_name: str, user: str | None) -> Path:
    """Return `folder` when the path of a socket in it fits, else a private folder under /tmp.

    The latter belongs to `user` (default: us) and is noted in `folder`, so that every later call
    returns the same.
    """
    if len(os.fsencode(folder / socket_name)) <= _MAX_PATH_BYTES:
        return folder
    note = folder / "socket_folder"
    if note.exists():
        known = Path(note.read_text())
        if _is_private(known):
            return known
    created = Path(tempfile.mkdtemp(prefix="harken-", dir="/tmp"))
    if user is not None:
        shutil.chown(created, user)
    note.write_text(str(created))
    return created


def _is_private(folder: Path) -> bool:
    """Return whether a folder is still there, and nobody but its owner can have touched it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    ours = os.geteuid() in (found.st_uid, 0)
    return stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700 and ours
