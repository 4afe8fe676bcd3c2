"""What `python -m services.<name>` does, alike for every service.

Exit code 0: stopped by SIGTERM or SIGINT, or migrated. 1: could not go on, said in one line of the
log. 2: the configuration or the command line is wrong, one line on standard error per key.
"""

import argparse
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import uvloop
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from services.common.errors import HarkenError
from services.common.logs import configure_logs, logger
from services.common.service_settings import ServiceSettings

CANNOT_GO_ON = 1
WRONG_SETTINGS = 2

_Settings = TypeVar("_Settings", bound=ServiceSettings)
_NO_OPTIONS: Mapping[str, Sequence[str]] = MappingProxyType({})


def run_service(
    name: str,
    settings_type: type[_Settings],
    serve: Callable[[_Settings], Coroutine[Any, Any, None]],
    *,
    migrate: Callable[[_Settings], None] | None = None,
    options: Mapping[str, Sequence[str]] = _NO_OPTIONS,
) -> int:
    """Read arguments and environment, then serve or migrate; return the exit code.

    `migrate`, when given, is what --migrate does. `options` maps names of settings that may also
    be given on the command line, as --name, to the values they take; these go before the
    environment.
    """
    arguments = _arguments(name, options, with_migrations=migrate is not None)
    given = {
        option: value
        for option in options
        if (value := getattr(arguments, option)) is not None
    }  # fmt: skip
    try:
        settings = settings_type(**given)
    except ValidationError as error:
        sys.stderr.writelines(f"{line}\n" for line in _fault_lines(settings_type, error))
        return WRONG_SETTINGS
    configure_logs(settings.log_level)
    log = logger(name)
    if migrate is not None and arguments.migrate:
        try:
            migrate(settings)
        except (HarkenError, RuntimeError, OSError) as error:
            log.error("migration failed", error=str(error))  # noqa: TRY400
            return CANNOT_GO_ON
        return 0
    try:
        # One thread for matrix work: what we compute is small and runs on the event loop, pools of
        # idle threads would spin beside it, and bits must not depend on scheduling.
        with threadpool_limits(limits=1):
            uvloop.run(serve(settings))
    except (HarkenError, RuntimeError, OSError) as error:
        log.error("cannot go on", kind=type(error).__name__, error=str(error))  # noqa: TRY400
        return CANNOT_GO_ON
    return 0


def _arguments(
    name: str, options: Mapping[str, Sequence[str]], with_migrations: bool
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{name}",
        description=f"The {name} service. Configured by HARKEN_{name.upper()}_*.",
    )
    for option, values in options.items():
        parser.add_argument(f"--{option}", choices=values)
    if with_migrations:
        parser.add_argument("--migrate", action="store_true", help="apply migrations and exit")
    return parser.parse_args()


def _fault_lines(settings_type: type[ServiceSettings], error: ValidationError) -> list[str]:
    """Return a line per fault: environment variable, place within its value if any, what is wrong.

    Values are not shown: some are secret.
    """
    prefix = settings_type.model_config.get("env_prefix", "")
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        field, *inner = map(str, fault["loc"] or ("",))
        place = f"{prefix}{field.upper()}" + (f" at {'.'.join(inner)}" if inner else "")
        lines.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
    return lines
