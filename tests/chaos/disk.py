"""A small disk for PostgreSQL, which can be full: a tmpfs, where one may be mounted."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SPARE_BYTES = 64 * 1024
_FILLER = "filler"


class Disk:
    """A mounted file system of one campaign."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Take all that is free: whoever writes more gets ENOSPC."""
        free = os.statvfs(self.folder)
        size = free.f_bavail * free.f_frsize - _SPARE_BYTES
        if size > 0:
            with (self.folder / _FILLER).open("wb") as file, contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, size)

    def free(self) -> None:
        """Give it back."""
        (self.folder / _FILLER).unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Disk | None]:
    """Mount a disk of this size at a new folder; None where we may not."""
    folder.mkdir()
    options = f"size={mebibytes}m,mode=0777"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode != 0:
        yield None
        return
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)
