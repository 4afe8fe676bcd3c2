"""Progress of long commands, on standard error."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from services.cli.console import messages

_PLAIN_LINE_SECONDS = 5.0
_LINE_BYTES = 1 << 26


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="cyan")


@contextlib.contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show progress within the block; the function given takes how much is done.

    Without a terminal a line is printed now and then.
    """
    console = messages()
    if not console.is_terminal:
        yield _plain_lines(what, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextlib.contextmanager
def progress_count(what: str) -> Iterator[Callable[[int], None]]:
    """Show how much is done within the block, where nobody knows how much there is."""
    console = messages()
    if not console.is_terminal:
        yield _plain_counts(what)
        return
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed:,.0f}"), _Rate())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done: progress.update(task, completed=done)


def _plain_counts(what: str) -> Callable[[int], None]:
    last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_LINE_SECONDS:
            last = time.monotonic()
            messages().print(f"{what}: {done:,}")

    return show


def _plain_lines(what: str, total: int) -> Callable[[int], None]:
    console = messages()
    began = last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_LINE_SECONDS or done >= total:
            last = now
            left = (now - began) * (total - done) / max(done, 1)
            more = f", about {left:,.0f} s left" if 0 < done < total else ""
            console.print(f"{what}: {done:,} of {total:,}{more}")

    return show


@contextlib.contextmanager
def counting_line(what: str) -> Iterator[Callable[[int], None]]:
    """Show how many rows are done within the block, where their number is not known.

    Nothing is shown of what takes less than a few seconds.
    """
    console = messages()
    last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_LINE_SECONDS:
            last = now
            console.print(f"{what}: {done:,} rows", markup=False)

    yield show


def byte_lines(what: str) -> Callable[[str, int], None]:
    """Return what prints how many bytes are done, by name, where their number is not known.

    A line comes every 64 MiB: "<name>: <done> MiB <what>".
    """
    shown: dict[str, int] = {}

    def show(name: str, done: int) -> None:
        if done // _LINE_BYTES > shown.get(name, 0):
            shown[name] = done // _LINE_BYTES
            messages().print(f"{name}: {done >> 20:,} MiB {what}", markup=False)

    return show
