"""Programs that a wheel brings into this Python's environment, or that lie on PATH."""

import shutil
import sys
from pathlib import Path

import pytest


def program(name: str) -> str | None:
    """Return the path of a program, None when this machine lacks it."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def needs(name: str, source: str) -> pytest.MarkDecorator:
    """Skip, by name, where the program is missing. `source` says where it comes from."""
    return pytest.mark.skipif(program(name) is None, reason=f"{name} missing ({source})")


def required(name: str) -> str:
    """Return the path of a program that `needs` has asked for."""
    found = program(name)
    assert found is not None, f"{name} is missing"
    return found
