"""What the demo shows while the history streams."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from harken.feedback.v1 import item_pb2
from services.cli.console import output
from services.cli.demo.before_after import before_after
from services.cli.replay.report import curves
from services.cli.replay.run import Step
from services.evaluation.comparison import Comparison

_LOOK_SECONDS = 2.0
"""How long a pair of slates stays, so that people can read it."""

_REFRESH_SECONDS = 0.2
_PLAIN_PAIRS = 2


@contextlib.contextmanager
def stage(
    comparison: Comparison, items: Mapping[str, item_pb2.Item], total: int
) -> Iterator[Callable[[Step], None]]:
    """Show slates before and after clicks, and both curves, within the block.

    Without a terminal two pairs of slates are printed, and that is all.
    """
    console = output()
    if not console.is_terminal:
        shown = 0

        def show_plain(step: Step) -> None:
            nonlocal shown
            if shown < _PLAIN_PAIRS and _worth_showing(step):
                shown += 1
                console.print(before_after(step, items), "")

        yield show_plain
        return
    progress = Progress(TextColumn("real events streamed"), BarColumn(), MofNCompleteColumn())
    task = progress.add_task("", total=total)
    pair: RenderableType = ""
    pair_since = drawn = 0.0
    with Live(progress, console=console, auto_refresh=False) as live:

        def show(step: Step) -> None:
            nonlocal pair, pair_since, drawn
            progress.advance(task, len(step.group.events))
            now = time.monotonic()
            if _worth_showing(step) and now - pair_since >= _LOOK_SECONDS:
                pair, pair_since = before_after(step, items), now
            if now - drawn >= _REFRESH_SECONDS:
                drawn = now
                live.update(Group(pair, "", curves(comparison.curve), progress), refresh=True)

        yield show
        live.update(Group(pair, "", curves(comparison.curve), progress), refresh=True)


def _worth_showing(step: Step) -> bool:
    return step.after is not None and len(step.group.events) <= 3
