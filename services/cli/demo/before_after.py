"""A slate before and after a click, side by side."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harken.feedback.v1 import item_pb2
from harken.ranker.v1 import slate_pb2
from services.cli.replay.run import Step
from services.cli.slate_view import reason_text, title_of

_TITLE_WIDTH = 34


def before_after(step: Step, items: Mapping[str, item_pb2.Item]) -> RenderableType:
    """Return both slates of a step that has a slate after; changes are highlighted."""
    assert step.after is not None and step.after_ms is not None
    clicked = ", ".join(title_of(items, event.item) for event in step.group.events[:3])
    more = len(step.group.events) - 3
    before = {slot.item_id for slot in step.before.slots}
    after = {slot.item_id for slot in step.after.slots}
    table = Table(
        "before", f"after {step.after_ms:.1f} ms", "why", expand=False, show_edge=False,
        pad_edge=False,
    )  # fmt: skip
    for place in range(max(len(step.before.slots), len(step.after.slots))):
        old = step.before.slots[place] if place < len(step.before.slots) else None
        new = step.after.slots[place] if place < len(step.after.slots) else None
        table.add_row(
            _cell(old, items, "" if old is not None and old.item_id in after else "dim red strike"),
            _cell(new, items, "" if new is not None and new.item_id in before else "bold green"),
            _why(new, items) if new is not None and new.item_id not in before else "",
        )
    name = step.group.user.partition(":")[2]
    heading = Text.from_markup(
        f"user [bold]{escape(name)}[/] took [bold]{escape(clicked)}[/]"
        + (f" and {more} more" if more > 0 else "")
        + f"; {len(after - before)} of {len(after)} places are new"
    )
    return Group(heading, table)


def _cell(slot: slate_pb2.Slot | None, items: Mapping[str, item_pb2.Item], style: str) -> Text:
    text = Text(title_of(items, slot.item_id) if slot is not None else "", style=style)
    text.truncate(_TITLE_WIDTH, overflow="ellipsis")
    return text


def _why(slot: slate_pb2.Slot, items: Mapping[str, item_pb2.Item]) -> Text:
    source = slot.sources[0].source if slot.sources else "?"
    text = Text(f"{source}: {reason_text(slot, items)}")
    text.truncate(_TITLE_WIDTH + 10, overflow="ellipsis")
    return text
