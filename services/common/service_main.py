"""What `python -m services.<name>` does, alike for every service.

Exit code 0: stopped by SIGTERM or SIGINT, or migrated, or --check-config found nothing. 1: could
not go on, said in one line of the log. 2: the configuration or the command line is wrong, one line
on standard error per key.
"""

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry
from threadpoolctl import threadpool_limits

from services.common.errors import HarkenError
from services.common.logs import Logger, configure_logs, log_faults_of_tasks, logger
from services.common.reloadable import Reloadable
from services.common.settings_reload import ReloadMetrics, SettingsReload, log_doubts
from services.common.settings_source import Settings, SettingsError, SettingsSource
from services.common.settings_text import reference_lines, value_lines

CANNOT_GO_ON = 1
WRONG_SETTINGS = 2
_GARBAGE_AFTER = 50_000
"""Objects made before cycles are looked for. Python's default of 700 goes over a catalogue of small
objects many times a second, and finds next to nothing."""

Serve = Callable[[Reloadable[Settings], CollectorRegistry], Coroutine[Any, Any, None]]
"""Serves until SIGTERM or SIGINT, following changes of the settings."""

_NO_OPTIONS: Mapping[str, Sequence[str]] = MappingProxyType({})


def run_service(
    name: str,
    settings_type: type[Settings],
    serve: Serve[Settings],
    *,
    migrate: Callable[[Settings], None] | None = None,
    options: Mapping[str, Sequence[str]] = _NO_OPTIONS,
) -> int:
    """Read arguments and settings, then serve, migrate or say what they are; return the exit code.

    `migrate`, when given, is what --migrate does. `options` maps names of settings that may also
    be given on the command line, as --name, to the values they take; these go before the
    environment.
    """
    arguments = _arguments(name, options, with_migrations=migrate is not None)
    if arguments.describe_config:
        _write(sys.stdout, reference_lines(settings_type))
        return 0
    given = {
        option: value
        for option in options
        if (value := getattr(arguments, option)) is not None
    }  # fmt: skip
    source = SettingsSource(settings_type, given)
    if arguments.check_config:
        return _check(source)
    # Without a handler, asking for a reload too early would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        loaded = source.load()
    except SettingsError as error:
        _write(sys.stderr, error.faults)
        return WRONG_SETTINGS
    settings = loaded.settings
    configure_logs(settings.log_level)
    log = logger(name)
    if migrate is not None and arguments.migrate:
        try:
            migrate(settings)
        except (HarkenError, RuntimeError, OSError) as error:
            log.error("migration failed", error=str(error))  # noqa: TRY400
            return CANNOT_GO_ON
        return 0
    log_doubts(loaded)
    try:
        gc.set_threshold(_GARBAGE_AFTER, 20, 50)
        # One thread for matrix work: what we compute is small and runs on the event loop, pools of
        # idle threads would spin beside it, and bits must not depend on scheduling.
        with threadpool_limits(limits=1):
            uvloop.run(_serve(serve, source, settings, log))
    except (HarkenError, RuntimeError, OSError) as error:
        log.error("cannot go on", kind=type(error).__name__, error=str(error))  # noqa: TRY400
        return CANNOT_GO_ON
    except Exception as error:
        # The interpreter would write the message out, and it may hold anything.
        log.error("cannot go on", kind=type(error).__name__, exc_info=error)  # noqa: TRY400
        return CANNOT_GO_ON
    return 0


async def _serve(
    serve: Serve[Settings], source: SettingsSource[Settings], settings: Settings, log: Logger
) -> None:
    log_faults_of_tasks(asyncio.get_running_loop(), log)
    registry = CollectorRegistry()
    live = Reloadable(settings)
    reload = SettingsReload(source, live, ReloadMetrics(registry), configure_logs)
    reloading = asyncio.create_task(reload.run())
    freeze_garbage()
    try:
        await serve(live, registry)
    finally:
        reloading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reloading


def freeze_garbage() -> None:
    """Never look for cycles again in what there is now: code, and what was loaded to stay."""
    gc.collect()
    gc.freeze()


def _check(source: SettingsSource[Settings]) -> int:
    """Write faults to standard error, or the values in force to standard output."""
    try:
        loaded = source.load()
    except SettingsError as error:
        _write(sys.stderr, error.faults)
        return WRONG_SETTINGS
    for key in loaded.hidden:
        sys.stderr.write(f"note: {key} is set in the file in vain, the environment goes first\n")
    for key in loaded.links:
        sys.stderr.write(f"note: {key} is of Kubernetes, ignored; set enableServiceLinks: false\n")
    if loaded.unknown:
        _write(sys.stderr, loaded.unknown)
        return WRONG_SETTINGS
    _write(sys.stdout, value_lines(loaded.settings))
    return 0


def _write(file: Any, lines: Iterable[object]) -> None:
    file.writelines(f"{line}\n" for line in lines)


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
    parser.add_argument(
        "--check-config", action="store_true", help="say what is wrong with the settings and exit"
    )
    parser.add_argument(
        "--describe-config", action="store_true", help="write a table of all settings and exit"
    )
    return parser.parse_args()
