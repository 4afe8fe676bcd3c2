"""An earlier commit beside this tree, to be measured in the same run."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FIRST = "2c9e538"
"""The commit that issues measure against."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout of Harken, run with the distributions of this environment."""

    name: str
    folder: Path
    more: Sequence[Path] = ()
    """Folders with modules that are not of the environment, such as the compiled core."""

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `harken` of this tree."""
        return [sys.executable, "-m", "services.cli", *arguments]

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment in which modules of this tree are found first."""
        paths = (self.folder, self.folder / "protos" / "gen", *self.more)
        return {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths)}

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run `harken` and return what it printed.

        Raises:
            subprocess.CalledProcessError: it failed.

        """
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment, check=True,
            capture_output=True, text=True,
        )  # fmt: skip


def this_tree() -> Tree:
    """Return the tree that this file is in."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return Tree("this", ROOT, [Path(path).resolve() for path in given if path])


@contextmanager
def tree_of(commit: str = FIRST) -> Iterator[Tree]:
    """Check out a commit into a temporary folder.

    Raises:
        subprocess.CalledProcessError: the commit is not in this clone.

    """
    with tempfile.TemporaryDirectory(prefix="harken-commit-") as name:
        folder = Path(name)
        archive = subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x"], cwd=folder, stdin=archive.stdout, check=True)
        if archive.wait() != 0:
            raise subprocess.CalledProcessError(archive.returncode, "git archive")
        yield Tree(commit, folder, _compiled(folder))


def _compiled(folder: Path) -> Sequence[Path]:
    """Build the compiled core of a checkout, if it has one; return where it is.

    Raises:
        subprocess.CalledProcessError: it cannot be built here.

    """
    if not (folder / "native" / "pyproject.toml").exists():
        return ()
    built = folder / ".native"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--target", str(built), str(folder / "native")],
        check=True,
    )  # fmt: skip
    return [built]


@contextmanager
def suite_of(tree: Tree, folder: Path, preset: str = "shopping") -> Iterator[Path]:
    """Run `harken up` of a tree; yield the folder that commands find the suite by."""
    with suite_process(tree, folder, preset):
        yield folder


@contextmanager
def suite_process(
    tree: Tree, folder: Path, preset: str = "shopping", options: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Run `harken up` of a tree, with more options of it; yield its process once all is ready.

    Raises:
        RuntimeError: it ended before.

    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            tree.command(
                "up", "--preset", preset, "--ephemeral-ports", "--folder", str(folder), *options
            ),
            cwd=tree.folder, env=tree.environment, stdout=subprocess.PIPE, stderr=said, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("ready"):
                    break
            else:
                said.seek(0)
                raise RuntimeError(f"harken up of {tree.name} ended: {said.read().strip()[-2000:]}")
            yield process
        finally:
            process.terminate()
            process.wait()
