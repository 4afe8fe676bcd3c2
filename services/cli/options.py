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
from services.common.access.certificates import read_pem
from services.common.channel_identity import ChannelIdentity
from services.common.reloadable import Reloadable

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

    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca",
            envvar="HARKEN_CA_FILE",
            help="Whom to trust, a PEM file of authorities; without it calls are in clear.",
        ),
    ] = None
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", envvar="HARKEN_CERTIFICATE_FILE", help="Ours, a PEM file."),
    ] = None
    key: Annotated[
        Path | None, typer.Option("--key", envvar="HARKEN_KEY_FILE", help="Its key, a PEM file.")
    ] = None
    token: Annotated[
        Path | None,
        typer.Option(
            "--token", envvar="HARKEN_TOKEN_FILE", help="File with an API key or a token (JWT)."
        ),
    ] = None

    def identity(self) -> ChannelIdentity | None:
        """Return what we show when we call; None: nothing, in clear.

        Raises:
            CommandError: files are away, wrong or do not belong together.

        """
        if self.ca is None:
            if self.certificate or self.key or self.token:
                raise CommandError("--certificate, --key and --token need --ca")
            return None
        if (self.certificate is None) != (self.key is None):
            raise CommandError("--certificate and --key belong together")
        files = [one for one in (self.ca, self.certificate, self.key) if one is not None]
        try:
            pem = read_pem([one.read_bytes() for one in files])
        except ValueError as error:
            raise CommandError(f"{', '.join(map(str, files))}: {error}") from None
        token = "" if self.token is None else self.token.read_text().strip()
        return ChannelIdentity(Reloadable(pem), token)

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
            return Endpoints(self.feedback, self.profile, rankers, self.identity())
        return Endpoints(
            self.feedback or running.feedback,
            self.profile or running.profile,
            rankers or running.rankers,
            self.identity(),
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
