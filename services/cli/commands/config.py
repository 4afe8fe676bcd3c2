"""`harken config check|reference|access`: the settings of the services, and who may call."""

import difflib
import os
import sys
from typing import Annotated

import typer

from services.cli.access_page import access_page
from services.cli.configuration_page import configuration_page
from services.cli.failures import clear_failures
from services.cli.service_settings_report import SERVICES, ask
from services.common.settings_reload import WATCH_SECONDS

WRONG_SETTINGS = 2
_LEAST_LIKENESS = 0.7
app = typer.Typer(help="The settings of the services: what is wrong with them, which there are.")


@app.command()
def check(
    service: Annotated[
        str | None, typer.Argument(help="feedback, profile or ranker; all when left out.")
    ] = None,
) -> None:
    """Read the settings as the services would; print them, or what is wrong with them.

    Passwords are masked. Exit code 0: all is well. Exit code 2: something is wrong, one line each.
    """
    if service is not None and service not in SERVICES:
        raise typer.BadParameter(f"must be one of {', '.join(SERVICES)}")
    asked = SERVICES if service is None else (service,)
    faults = _misspelt_services() if service is None else []
    with clear_failures():
        reports = {name: ask(name, "--check-config", {}) for name in asked}
    for name, report in reports.items():
        sys.stderr.writelines(f"{line}\n" for line in report.faults)
        if report.code == 0:
            sys.stdout.write(f"# {name}: ok\n")
            sys.stdout.writelines(f"{line}\n" for line in report.lines)
    sys.stderr.writelines(f"{line}\n" for line in faults)
    if faults or any(report.code for report in reports.values()):
        raise typer.Exit(WRONG_SETTINGS)


@app.command()
def reference() -> None:
    """Print the page deploy/configuration.md: all settings there are."""
    with clear_failures():
        tables = {name: ask(name, "--describe-config", {}).lines for name in SERVICES}
    sys.stdout.write(configuration_page(tables, WATCH_SECONDS))


@app.command()
def access() -> None:
    """Print the page docs/access.md: who may call what."""
    sys.stdout.write(access_page())


def _misspelt_services() -> list[str]:
    """Return a line for each variable that is almost one of a service."""
    faults = []
    for key in sorted(os.environ):
        first, *others = key.upper().split("_")
        if first != "HARKEN" or len(others) < 2 or others[0].lower() in SERVICES:
            continue
        alike = difflib.get_close_matches(others[0].lower(), SERVICES, 1, _LEAST_LIKENESS)
        if alike:
            meant = "_".join((first, alike[0].upper(), *others[1:]))
            faults.append(f"{key}: is no setting; did you mean {meant}?")
    return faults
