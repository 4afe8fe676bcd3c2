"""A slate as a table: titles, scores, sources and reasons in words."""

from collections.abc import Iterable, Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from harken.feedback.v1 import catalog_service_pb2, item_pb2
from harken.ranker.v1 import slate_pb2
from services.cli.clients import CALL_SECONDS, Clients

_BATCH = 100
"""So many items always fit into an answer."""


async def items_by_id(
    clients: Clients, tenant: str, item_ids: Iterable[str]
) -> dict[str, item_pb2.Item]:
    """Return the items that exist, by id."""
    wanted = list(dict.fromkeys(item_ids))
    found: dict[str, item_pb2.Item] = {}
    for begin in range(0, len(wanted), _BATCH):
        answer = await clients.catalog.GetItems(
            catalog_service_pb2.GetItemsRequest(
                tenant=tenant, item_ids=wanted[begin : begin + _BATCH]
            ),
            timeout=CALL_SECONDS,
        )
        found.update((item.item_id, item) for item in answer.items)
    return found


def named_items(slots: Iterable[slate_pb2.Slot]) -> list[str]:
    """Return all items that slots name, those of their reasons included."""
    names: list[str] = []
    for slot in slots:
        names.append(slot.item_id)
        if slot.reason.because_item_id:
            names.append(slot.reason.because_item_id)
    return names


def title_of(items: Mapping[str, item_pb2.Item], item_id: str) -> str:
    """Return the title of an item, its id when it has none."""
    item = items.get(item_id)
    return (item.title if item is not None else "") or item_id


def reason_text(slot: slate_pb2.Slot, items: Mapping[str, item_pb2.Item]) -> str:
    """Return why an item is in a slate, in words."""
    because = title_of(items, slot.reason.because_item_id) if slot.reason.because_item_id else ""
    match slot.reason.code:
        case slate_pb2.REASON_CODE_FOLLOWS:
            return f"others went on to it from {because}"
        case slate_pb2.REASON_CODE_SIMILAR:
            return f"resembles {because}"
        case slate_pb2.REASON_CODE_TASTE:
            return "fits the recent taste"
        case slate_pb2.REASON_CODE_POPULAR:
            return "popular now"
        case slate_pb2.REASON_CODE_LATEST:
            return "published lately"
        case _:
            return ""


def sources_text(slot: slate_pb2.Slot) -> str:
    """Return the sources that proposed an item, with the item's rank in each."""
    return ", ".join(f"{source.source} #{source.rank}" for source in slot.sources)


def rules_text(slot: slate_pb2.Slot) -> str:
    """Return what rules did to a slot."""
    return "; ".join(f"{applied.rule}: {applied.effect}" for applied in slot.applied_rules)


def explanation_text(slot: slate_pb2.Slot, most: int = 3) -> str:
    """Return the largest contributions, and the place without rules."""
    parts = [
        f"{one.feature} {one.contribution:+.2f}" for one in slot.explanation.contributions[:most]
    ]
    return f"{', '.join(parts)}; #{slot.explanation.place_without_rules} without rules"


def slate_table(
    slots: Sequence[slate_pb2.Slot],
    items: Mapping[str, item_pb2.Item],
    title: str | None = None,
    new: frozenset[str] = frozenset(),
) -> Table:
    """Return a slate as a table, items in `new` highlighted."""
    table = Table("#", "id", "item", "score", "sources", "why", title=title, title_justify="left")
    with_rules = any(slot.applied_rules for slot in slots)
    by_chance = any(slot.propensity < 1 for slot in slots)
    explained = any(slot.HasField("explanation") for slot in slots)
    for name, there in (("rules", with_rules), ("chance", by_chance), ("by", explained)):
        if there:
            table.add_column(name)
    for place, slot in enumerate(slots, 1):
        style = "bold green" if slot.item_id in new else ""
        table.add_row(
            str(place),
            escape(slot.item_id),
            escape(title_of(items, slot.item_id)),
            f"{slot.score:.3f}",
            sources_text(slot),
            escape(reason_text(slot, items)),
            *([escape(rules_text(slot))] if with_rules else []),
            *([f"{slot.propensity:.3f}"] if by_chance else []),
            *([escape(explanation_text(slot))] if explained else []),
            style=style,
        )
    return table
