"""MIND (Microsoft News): behaviors.tsv, of which the clicks are events, and news.tsv."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.presets.preset import EventShape, ItemShape, Preset
from services.dataset.table.options import Quoting, ReadOptions
from services.dataset.values.times import TimeOptions


def _clicks(cell: object) -> object:
    """Return the news that were clicked, of impressions such as "N1-0 N2-1"."""
    if not isinstance(cell, str):
        return cell
    parts = [part.rpartition("-") for part in cell.split()]
    return [{"item": item} for item, _, clicked in parts if clicked == "1"]


MIND = Preset(
    "mind",
    "MIND: the clicks of behaviors.tsv (news that were shown only are left out), and news.tsv",
    events=(
        EventShape(
            ReadOptions(
                "\t",
                ("impression_id", "user", "time", "history", "impressions"),
                Quoting.NONE,
                lists="impressions",
                converters={"impressions": (("impressions",), _clicks)},
            ),
            EventOptions(
                user="user",
                item="impressions.item",
                timestamp="time",
                event_id="",
                constant_type="click",
                times=TimeOptions(format="%m/%d/%Y %I:%M:%S %p"),
            ),
        ),
    ),
    items=(
        ItemShape(
            ReadOptions(
                "\t",
                ("item", "category", "subcategory", "title", "abstract", "url", "title_entities",
                 "abstract_entities"),
                Quoting.NONE,
            ),
            ItemOptions(description="abstract", categories="category", tags="subcategory"),
        ),
    ),
)  # fmt: skip
