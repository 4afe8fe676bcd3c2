"""How long a newcomer waits for the demo. Its bias: a near package index and warm kernel caches.

Flattering: the index answers from nearby and fast, Python and git are installed, and files of
earlier runs may still be in the page cache. Unkind: pip's cache is empty, and everything runs on
shared cores. Output goes to a file, so the demo does not pause for its readers. Seconds depend on
the network as much as on the machine: compare runs on one machine only. Hardware of the figures in
README and DECISIONS: 2 shared cores of an AMD EPYC.

    python -m tests.benchmarks.first_run [--keep-log FILE]

Clones HEAD (what is not committed is left out, and a line says so) into a temporary folder, runs
`make setup` and then `make demo` there with a fresh venv, and prints the seconds of both.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 900.0
LEFT_OUT = ("PIP_CACHE_DIR", "PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL")


def clone(folder: Path) -> None:
    """Clone HEAD of this working tree, without sharing files with it."""
    subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True
    )
    changed = subprocess.run(
        ["git", "-C", str(ROOT), "status", "--porcelain"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    if changed:
        print(f"{len(changed)} files are not as committed; the clone has them as committed")


def environment() -> dict[str, str]:
    """Return the environment of a newcomer: no cache of pip, no venv, not our paths."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in LEFT_OUT and not name.startswith("HARKEN_")
    }
    return {**kept, "PIP_NO_CACHE_DIR": "1"}


def seconds_of(target: str, folder: Path, log: BinaryIO) -> float:
    """Run a target of the Makefile; return how long it took.

    Raises:
        CalledProcessError: it failed.

    """
    began = time.perf_counter()
    subprocess.run(
        ["make", target, f"PYTHON={sys.executable}"],
        cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=log,
        stderr=subprocess.STDOUT, check=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    return time.perf_counter() - began


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keep-log", type=Path, help="write what was printed meanwhile to a file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="harken-first-run-") as name:
        folder, log_file = Path(name) / "harken", Path(name) / "log"
        clone(folder)
        try:
            with log_file.open("wb") as log:
                set_up = seconds_of("setup", folder, log)
                demo = seconds_of("demo", folder, log)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{' '.join(error.cmd)} failed:\n{log_file.read_text()[-4000:]}")
        finally:
            if given.keep_log is not None:
                shutil.copyfile(log_file, given.keep_log)
    print(f"set-up {set_up:.0f} s, demo {demo:.0f} s, `make demo` as a whole {set_up + demo:.0f} s")


if __name__ == "__main__":
    main()
