"""Asks before something is deleted."""

import sys
from collections.abc import Callable

import typer

from services.cli.failures import CommandError


def confirm_deletion(question: str, show: Callable[[], None] = lambda: None) -> None:
    """Return when what is asked may be deleted; `show`, where there is somebody, prints it before.

    Raises:
        CommandError: it may not, or there is nobody to ask.

    """
    if not sys.stdin.isatty():
        raise CommandError("nothing was deleted: without a terminal to ask on, say --yes")
    show()
    if not typer.confirm(question, err=True):
        raise CommandError("nothing was deleted")
