"""What a run was measured on: hardware, versions, commit."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.numbers.other_commit import ROOT

_DISTRIBUTIONS = ("numpy", "faiss-cpu", "onnxruntime", "grpcio", "protobuf", "uvloop", "asyncpg",
                  "harken-native")  # fmt: skip


def hardware() -> Mapping[str, str | int]:
    """Return processor, how many of them, memory in GiB, and kernel."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(), "processors": os.cpu_count() or 1,
        "memory_gib": round(pages / 2**30), "system": f"{platform.system()} {platform.release()}",
    }  # fmt: skip


def _processor() -> str:
    found: dict[str, str] = {}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found.get("model name", platform.machine())


def versions() -> Mapping[str, str]:
    """Return the versions of what is measured, by distribution; those that are installed."""
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the short id of the commit that is checked out, with a + when files differ from it."""
    try:
        found = _git("rev-parse", "--short=9", "HEAD")
        return f"{found}+" if _git("status", "--porcelain", "--untracked-files=no") else found
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
