"""Options that many commands share."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError

DEFAULT_FOLDER = Path(".harken")
MOST_SEED = 2**31 - 1
"""What every library takes that draws numbers here."""

Folder = Annotated[
    Path,
    typer.Option(
        "--folder", envvar="HARKEN_FOLDER", help="Folder of the suite that `harken up` runs."
    ),
]
Tenant = Annotated[str, typer.Option("--tenant", envvar="HARKEN_TENANT", help="Tenant to work in.")]


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """The options that say which suite a command talks to."""

    folder: Folder = DEFAULT_FOLDER
    feedback: Annotated[
        str | None,
        typer.Option("--feedback", envvar="HARKEN_FEEDBACK_TARGET", help="host:port of feedback."),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option("--profile", envvar="HARKEN_PROFILE_TARGET", help="host:port of profile."),
    ] = None
    ranker: Annotated[
        str | None,
        typer.Option(
            "--ranker",
            envvar="HARKEN_RANKER_TARGET",
            help="host:port of rankers, separated by commas.",
        ),
    ] = None

    def endpoints(self) -> Endpoints:
        """Return where the services are: what is given, the rest from the suite in `folder`.

        Raises:
            CommandError: something is neither given nor found.

        """
        running = Endpoints.read(self.folder)
        rankers = tuple(part.strip() for part in (self.ranker or "").split(",") if part.strip())
        if running is None:
            if not (self.feedback and self.profile and rankers):
                raise CommandError(
                    f"no suite runs from {self.folder}: start one with `harken up`, "
                    "or give --feedback, --profile and --ranker"
                )
            return Endpoints(self.feedback, self.profile, rankers)
        return Endpoints(
            self.feedback or running.feedback,
            self.profile or running.profile,
            rankers or running.rankers,
        )


def with_suite_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of SuiteOptions, which it gets as its argument `suite`."""
    return with_options(suite=SuiteOptions)(command)


def with_options(**groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of dataclasses, each of which it gets as one argument.

    typer makes options of parameters, so a parameter `suite` of the group SuiteOptions is replaced
    by one per option.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        options = {name: inspect.signature(group).parameters for name, group in groups.items()}
        own = [one for name, one in signature.parameters.items() if name not in groups]

        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            made = {
                name: group(**{option: arguments.pop(option) for option in options[name]})
                for name, group in groups.items()
            }
            command(**arguments, **made)

        parameters = [*own, *(one for group in options.values() for one in group.values())]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate
