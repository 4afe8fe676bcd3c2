"""RecBole's atomic files: NAME.inter, NAME.item, NAME.user, with types behind column names."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.fields.item_fields import ItemOptions
from services.dataset.presets.preset import EventShape, ItemShape, Preset, UserShape
from services.dataset.table.options import Quoting, ReadOptions

_READ = ReadOptions("\t", quoting=Quoting.NONE)


def _rated(line: str) -> bool:
    return "rating:" in line


RECBOLE = Preset(
    "recbole",
    "RecBole atomic files: .inter, .item, .user; interactions without a rating are views",
    events=(
        EventShape(_READ, EventOptions(constant_type="rating"), _rated),
        EventShape(_READ, EventOptions(constant_type="view", value="")),
    ),
    items=(ItemShape(_READ, ItemOptions(separator=" ")),),
    users=(UserShape(_READ),),
)
