"""A replay while it runs: progress and both curves."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.console import messages
from services.cli.replay.report import curves
from services.evaluation.comparison import ALL, Comparison

_REFRESH_SECONDS = 0.25
_PLAIN_LINE_SECONDS = 5.0


@contextlib.contextmanager
def live_view(comparison: Comparison, total: int) -> Iterator[Callable[[int], None]]:
    """Show a replay within the block; the function given takes how many events are done.

    Without a terminal a line is printed now and then.
    """
    console = messages()
    if not console.is_terminal:
        yield _plain(comparison, total)
        return
    progress = Progress(
        TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
    task = progress.add_task("replay", total=total)
    last = 0.0
    with Live(progress, console=console, auto_refresh=False, transient=True) as live:

        def show(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _REFRESH_SECONDS or done == total:
                last = now
                progress.update(task, completed=done)
                live.update(Group(curves(comparison.curve), progress), refresh=True)

        yield show


def _plain(comparison: Comparison, total: int) -> Callable[[int], None]:
    console = messages()
    last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_LINE_SECONDS or done == total:
            last = time.monotonic()
            pair = comparison.pair(ALL)
            console.print(
                f"replay: {done:,} of {total:,}; NDCG@10 full {pair.full.ndcg:.4f}, "
                f"frozen_state {pair.frozen_state.ndcg:.4f}"
            )

    return show
