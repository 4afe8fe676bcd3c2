"""The compiled core is built where it can be, and left out in one line where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

from tests.deploy.image_parts import ROOT, stages

INSTALL = ROOT / "native" / "install.sh"


def installed(python: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(INSTALL), python],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_set_up_without_a_compiler_goes_on_and_says_so_in_one_line() -> None:
    done = installed(sys.executable, CXX="no-such-compiler")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "The compiled core is left out, NumPy does its work, slower: there is no compiler of C++17"
        f" (no-such-compiler). Later: sh native/install.sh {sys.executable}\n"
    )


def test_a_set_up_whose_build_fails_goes_on_and_says_so_in_one_line(tmp_path: Path) -> None:
    """A compiler that only checks, as where a library is missing; a Python whose pip fails."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\nif [ "$1" = -m ]; then echo first; echo last; exit 1; fi\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\nexit 0\n")
    compiler.chmod(0o755)
    done = installed(str(python), CXX=str(compiler))
    assert done.returncode == 0
    assert done.stdout.endswith("NumPy does its work, slower: last\n")
    assert done.stdout.count("\n") == 1


def test_only_the_stage_that_builds_has_a_compiler() -> None:
    for name, stage in stages().items():
        assert any("g++" in run for run in stage.all("RUN")) == (name == "build"), name
    assert any(text.split() == ["native", "native"] for text in stages()["build"].all("COPY"))
