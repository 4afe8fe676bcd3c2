"""Commands that take a history take it in the same way, whatever they do with it."""

import dataclasses

import pytest
import typer.main

from services.cli.app import create_app
from services.cli.history_options import HISTORY

COMMANDS = ("evaluate", "train", "tune")


def options_of(command: str) -> dict[str, tuple[object, ...]]:
    found = typer.main.get_command(create_app()).commands[command].params  # type: ignore[attr-defined]
    return {one.name: (one.opts, one.multiple, one.default, one.help) for one in found
            if one.param_type_name == "option"}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_history_is_read_by_the_same_options(command: str) -> None:
    shared = [one.name for group in HISTORY.values() for one in dataclasses.fields(group)]
    assert "session_column" in shared
    own, wanted = options_of(command), options_of("evaluate")
    for name in shared:
        assert own[name] == wanted[name], name
