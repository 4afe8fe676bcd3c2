"""Building prefixes with the script of the images, and running from them without anything else."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from services.cli.guardian import Guardian
from tests.deploy.image_parts import IMAGES

UID = 65532
MEGABYTES = {"ranker": 350, "feedback": 350, "profile": 150}
"""Bounds of the size of a prefix, by service."""


def build(service: str, prefix: Path, *extra: str) -> None:
    """Run the install script."""
    done = subprocess.run(
        ["sh", str(IMAGES / "install.sh"), service, str(prefix), *extra],
        env={**os.environ, "PYTHON": os.path.realpath(sys._base_executable)},  # type: ignore[attr-defined]
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def bytes_of(folder: Path) -> int:
    """Return the bytes of all files in a folder, each once."""
    files = {}
    for path in folder.rglob("*"):
        found = path.lstat()
        files[found.st_ino] = found.st_size
    return sum(files.values())


# $1: the new root, $2: user and group; the rest: the command. Sources of mounts come as $MOUNTS.
_ENTER = """
set -eu
root=$1 user=$2; shift 2
mount -t tmpfs tmpfs "$root"
for one in $MOUNTS; do
  to=$root${one#*=} from=${one%%=*}
  if [ -d "$from" ]; then mkdir -p "$to"; else mkdir -p "$(dirname "$to")"; : > "$to"; fi
  mount --rbind "$from" "$to"
done
mkdir -p "$root/tmp"
mount -o remount,ro "$root"
exec chroot --userspec="$user" "$root" "$@"
"""


class BareRoot:
    """A root that holds Python, the C libraries and one prefix: no shell, no tool, not writable.

    That is what the base image of the final stages has; the processes run as its user.
    """

    def __init__(
        self,
        folder: Path,
        prefix: Path,
        guardian: Guardian,
        volumes: Mapping[Path, Path] = MappingProxyType({}),
    ) -> None:
        """`volumes`: folders here, which may be written to, by their path in the root."""
        folder.mkdir()
        folder.chmod(0o755)
        self._folder = folder
        self._guardian = guardian
        base = Path(sys.base_prefix)
        libraries = Path(f"/usr/lib/{os.uname().machine}-linux-gnu")
        # In this order: the prefix may lie below a volume, as tests have theirs in /tmp.
        self._mounts = {
            **{here: there for there, here in volumes.items()},
            prefix: prefix,
            base / "lib": base / "lib",
            Path(os.path.realpath(sys._base_executable)): None,  # type: ignore[attr-defined]
            libraries: Path(f"/lib/{libraries.name}"),
            **{path: path for path in Path("/lib64").glob("ld-linux*")},
            **{Path(path): None for path in ("/dev/null", "/dev/urandom", "/proc")},
        }

    def command(self, arguments: Sequence[str]) -> list[str]:
        return [
            "unshare", "--mount", "sh", "-c", _ENTER, "enter",
            str(self._folder), f"{UID}:{UID}", *arguments,
        ]  # fmt: skip

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        mounts = " ".join(f"{source}={to or source}" for source, to in self._mounts.items())
        # What the Dockerfile sets; nothing of this process gets in.
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "MOUNTS": mounts,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **variables,
        }

    def run(self, arguments: Sequence[str], variables: Mapping[str, str]) -> str:
        """Run a command that ends by itself; return its output, fail with it."""
        done = subprocess.run(
            self.command(arguments),
            env=self.environment(variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(
        self, arguments: Sequence[str], variables: Mapping[str, str], log: Path
    ) -> "subprocess.Popen[bytes]":
        """Start a process; it is stopped with the guardian at the latest."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.command(arguments),
                env=self.environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._guardian.watch(process.pid, signal.SIGKILL)
        return process


def why_not() -> str | None:
    """Return why bare roots cannot be made here, None when they can."""
    if os.geteuid() != 0:
        return "root is needed for mounts"
    if shutil.which("unshare") is None or shutil.which("chroot") is None:
        return "unshare (util-linux) and chroot are not installed"
    done = subprocess.run(["unshare", "--mount", "true"], check=False)
    return None if done.returncode == 0 else "mounts are not allowed here"
