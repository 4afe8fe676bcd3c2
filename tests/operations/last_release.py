"""The code of the last release, which `.ci/last-release` names, from this clone's history."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def last_release() -> str:
    """Return the commit of the last release; skip the test when this clone does not have it."""
    version, commit = (ROOT / ".ci" / "last-release").read_text().split()
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode != 0:
        pytest.skip(f"commit {commit[:7]} of release {version} is not in this clone: git fetch")
    return commit


def unpack(commit: str, folder: Path) -> None:
    """Write the files of a commit below `folder`."""
    archive = _git("archive", "--format=tar", commit)
    assert archive.returncode == 0, archive.stderr.decode()
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def migrations_of(commit: str) -> dict[str, str]:
    """Return the migrations of a commit: content by path."""
    listed = _git("ls-tree", "-r", "--name-only", commit, "services").stdout.decode().splitlines()
    paths = [path for path in listed if "/migrations/" in path and path.endswith(".sql")]
    return {path: _git("show", f"{commit}:{path}").stdout.decode() for path in paths}


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("git is missing")
