"""The parts of images, read: locks and stages of the Dockerfile."""

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "deploy" / "images"
SERVICES = ("profile", "ranker", "feedback")
ALL = (*SERVICES, "cli", "trainer")


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock."""

    name: str
    version: str
    hashes: tuple[str, ...]


def lock_of(image: str) -> dict[str, Pin]:
    """Return the lock of an image; fails on a line that is no pin with hashes."""
    text = (IMAGES / "requirements" / f"{image}.txt").read_text().replace("\\\n", " ")
    found: dict[str, Pin] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        first, *hashes = (part.strip() for part in line.split("--hash="))
        requirement = Requirement(first)
        (only,) = requirement.specifier
        assert only.operator == "==", line
        name = canonicalize_name(requirement.name)
        found[name] = Pin(name, only.version, tuple(hashes))
    return found


def lock_script() -> ModuleType:
    """Return deploy/images/lock.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("harken_lock", IMAGES / "lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its classes look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Stage:
    """One stage of the Dockerfile: what it begins from, and its instructions in order."""

    name: str
    base: str
    instructions: Sequence[tuple[str, str]]

    def all(self, keyword: str) -> list[str]:
        return [value for key, value in self.instructions if key == keyword]


def stages() -> Mapping[str, Stage]:
    """Return the stages of the Dockerfile by name."""
    text = re.sub(r"\\\n\s*", "", (IMAGES / "Dockerfile").read_text())
    found: dict[str, Stage] = {}
    bases: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        keyword, _, value = line.partition(" ")
        assert keyword == keyword.upper()
        if keyword == "FROM":
            base, as_, name = value.split()
            assert as_ == "AS"
            found[name] = Stage(name, bases.get(base, base), [])
        elif not found:
            assert keyword == "ARG", "before the first stage"
            variable, _, default = value.partition("=")
            bases[f"${{{variable}}}"] = default
        else:
            instructions = found[next(reversed(found))].instructions
            assert isinstance(instructions, list)
            instructions.append((keyword, value))
    return found


def command_of(image: str) -> list[str]:
    """Return the entry point of an image, which must be in exec form."""
    (text,) = stages()[image].all("ENTRYPOINT")
    command: list[str] = json.loads(text)
    return command


def labels_of(stage: Stage) -> dict[str, str]:
    """Return the labels that a stage sets."""
    pairs = (part.partition("=") for text in stage.all("LABEL") for part in shlex.split(text))
    return {key: value for key, _, value in pairs}
