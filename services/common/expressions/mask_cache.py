"""Masks that are good until the items change."""

from collections import OrderedDict

from services.common.arrays import Bools
from services.common.expressions.columns import ItemColumns
from services.common.expressions.expression import Expression
from services.common.expressions.request import Request


class MaskCache:
    """Keeps masks over one catalogue of expressions that read nothing but items. For one thread."""

    def __init__(self, most: int = 256, most_bytes: int = 64 << 20) -> None:
        """Keep up to `most` masks of a byte an item, and one at least, in `most_bytes` together.

        The longest unused goes first.
        """
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Bools] = OrderedDict()
        self._revision: int | None = None

    def mask(self, expression: Expression, columns: ItemColumns, request: Request) -> Bools:
        """Return `expression.mask(columns, request)`: shared, not to be changed.

        `columns` are of the same catalogue in each call.
        """
        if expression.depends_on_request:
            return expression.mask(columns, request)
        if columns.revision != self._revision:
            self._kept.clear()
            self._revision = columns.revision
        kept = self._kept.get(expression.text)
        if kept is not None:
            self._kept.move_to_end(expression.text)
            return kept
        made = expression.mask(columns, request)
        made.flags.writeable = False
        self._kept[expression.text] = made
        most = min(self._most, max(1, self._most_bytes // max(len(made), 1)))
        while len(self._kept) > most:
            self._kept.popitem(last=False)
        return made
