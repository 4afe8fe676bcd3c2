"""Faults as one clear line, and exit code 1."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import grpc
import typer
from rich.markup import escape

from services.cli.console import messages
from services.cli.embedded_postgres import PostgresError
from services.cli.postgres_binaries import PostgresMissingError
from services.cli.service_process import ProcessFailedError
from services.common.status import violations_of
from services.dataset.faults import ColumnError, SourceError

Result = TypeVar("Result")


class CommandError(Exception):
    """A command cannot do what it was asked to; the message says why and what to do."""


_EXPECTED = (
    CommandError,
    ColumnError,
    SourceError,
    PostgresError,
    PostgresMissingError,
    ProcessFailedError,
    OSError,
)


@contextlib.contextmanager
def clear_failures() -> Iterator[None]:
    """Turn expected faults into a line on standard error and exit code 1."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        fail(describe(error))
    except _EXPECTED as error:
        fail(str(error))


def fail(message: str) -> None:
    """Print a message and exit with code 1."""
    messages().print(f"[bold red]error:[/] {escape(message)}")
    raise typer.Exit(1)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine, with faults as `clear_failures` shows them."""
    with clear_failures(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)
    raise AssertionError("clear_failures always raises")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes fast event loops, None where there is only the standard one."""
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def describe(error: grpc.aio.AioRpcError) -> str:
    """Return a gRPC fault as one line: status, message, and each field violation."""
    line = f"{error.code().name}: {error.details()}"
    found = [f"{one.field}: {one.description}" for one in violations_of(error)]
    # The message of our own services names the violations already.
    extra = [text for text in found if text not in (error.details() or "")]
    return f"{line} ({'; '.join(extra)})" if extra else line
