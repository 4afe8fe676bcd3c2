"""The dictionary of item ids of one frame: columns of ordinals become columns of indices."""

import numpy as np

from services.common.compiled_loops import CompiledLoops
from services.common.runs import distinct
from services.feed.parameters import Ints, RuleCells
from services.feedback.learner.model.item_table import ItemTable
from services.feedback.learner.model.sequential_rules import ChangedCells


class ItemDictionary:
    """Collects the ordinals that a frame refers to."""

    def __init__(
        self, items: ItemTable, columns: list[Ints], core: CompiledLoops | None = None
    ) -> None:
        """Make a dictionary of all ordinals in `columns`; they may hold -1, which has no id, unless
        the compiled core is to do it.
        """
        self._columns = columns
        self._indexed: list[Ints] | None = None
        if core is not None:
            self._ordinals, self._indexed = core.index_ordinals(columns, items.capacity)
            self.item_ids = items.names(self._ordinals)
            return
        together = np.concatenate(columns) if columns else np.zeros(0, np.int64)
        ordinals = distinct(together)
        self._ordinals = ordinals[ordinals.searchsorted(0) :]
        self.item_ids = items.names(self._ordinals)

    def indices(self, ordinals: Ints) -> Ints:
        """Return indices of ordinals that were collected."""
        return self._ordinals.searchsorted(ordinals)

    def column(self, number: int) -> Ints:
        """Return one of the columns, from 0 on, as indices."""
        if self._indexed is not None:
            return self._indexed[number]
        return self.indices(self._columns[number])

    def rule_changes(self, cells: ChangedCells) -> RuleCells | None:
        """Return cells of rules whose rows and columns were collected; None without any."""
        if not cells.rows.size:
            return None
        return RuleCells(
            self.indices(cells.rows.astype(np.int64)),
            cells.slots.astype(np.int64),
            self.indices(cells.cols.astype(np.int64)),
            cells.values,
        )
