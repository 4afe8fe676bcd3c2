"""Pages show only commands and options that `harken` has."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from services.cli.app import create_app

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
)
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(?:\$ )?(harken [^`]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@cache
def harken() -> Any:
    return typer.main.get_command(create_app())


def shown_in(page: Path) -> set[str]:
    """Return command lines from `harken` on, without comments."""
    text = page.read_text()
    lines = [line.split("#")[0] for block in BLOCK.findall(text)
             for line in block.replace("\\\n", " ").splitlines()]  # fmt: skip
    found = {line[line.index("harken ") :] for line in lines if re.match(r"\s*harken ", line)}
    return found | {one.replace("\n", " ") for one in INLINE.findall(re.sub(BLOCK, "", text))}


def command_of(line: str) -> tuple[Any, str]:
    """Return the command that a line calls, and its words. Groups end where words are no name."""
    command = harken()
    words = re.split(r"[\s|]+", line)[1:]
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None or word not in commands:
            break
        command = commands[word]
    return command, words[0]


def options_of(command: Any) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {
        "--help"
    }


def test_lines_are_found() -> None:
    assert len(shown_in(ROOT / "README.md")) > 20
    assert any("harken tune" in line for line in shown_in(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_are_there(page: Path) -> None:
    top = harken().commands
    for line in sorted(shown_in(page)):
        command, first = command_of(line)
        # `harken ...` is any command.
        assert first in top or first.startswith("-") or first == "...", line
        if not hasattr(command, "commands"):
            unknown = set(OPTION.findall(line)) - options_of(command)
            assert not unknown, f"{line}: {unknown}"
