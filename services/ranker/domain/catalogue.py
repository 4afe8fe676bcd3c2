"""Items by ordinal: which exist, which may be served, what is in a category, what is in them."""

from collections.abc import Iterator

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float64s, Ordinals, grown
from services.common.content_codes import NO_CONTENT
from services.common.expressions.expression import Expression
from services.common.expressions.interned import Interned
from services.common.expressions.mask_cache import MaskCache
from services.common.expressions.request import Request
from services.common.ranking.content_table import ContentTable
from services.feed.parameters import CatalogueChanges, ItemFacts
from services.ranker.domain.item_fields.category_column import CategoryColumn
from services.ranker.domain.item_fields.item_fields import ItemFields
from services.ranker.domain.visibility import Overlay, Visible

_NOTHING = ItemFacts("")


class Catalogue:
    """Gives every item id an ordinal for good; a deleted item may come back under its own.

    Frames say which items there are (`catalogued`); what slates go by (`listed`, `servable`) is the
    same with the overlay of newer entries on top.
    """

    def __init__(self, overlay: Overlay | None = None) -> None:
        """Heed `overlay`, whose owner changes it; default: none."""
        self._overlay = overlay or Overlay()
        self._seen_overlay = self._overlay.revision
        self._ordinal_of: dict[str, int] = {}
        self._ids: list[str] = []
        self._categories = CategoryColumn()
        self.fields = ItemFields(Interned(self._ids, self._ordinal_of), self._categories)
        """What expressions read of items; changed by frames alone, not by newer entries."""
        self._masks = MaskCache()
        self.content = ContentTable()
        """What items are like, by ordinal."""
        self._listed: Bools = np.zeros(0, dtype=np.bool_)
        self._available: Bools = np.zeros(0, dtype=np.bool_)
        self._expires_at: Float64s = np.zeros(0, dtype=np.float64)
        self._shown: Bools | None = None
        self._servable: Bools = np.zeros(0, dtype=np.bool_)
        self._servable_from = np.inf
        self._servable_until = -np.inf
        self._unservable_count = 0
        self.catalogued_count = 0
        """How many items frames list."""
        self.revision = 0
        """Changes whenever a frame lists or deletes an item."""

    @property
    def size(self) -> int:
        """How many ordinals are given out."""
        return len(self._ids)

    def item_id(self, ordinal: int) -> str:
        """Return the id of an ordinal."""
        return self._ids[ordinal]

    def item_ids(self) -> list[str]:
        """Return all ids by ordinal: shared, not to be changed."""
        return self._ids

    def find(self, item_id: str) -> int | None:
        """Return the ordinal of an id, or None when it was never heard of."""
        return self._ordinal_of.get(item_id)

    def find_all(self, item_ids: tuple[str, ...] | list[str]) -> Ordinals:
        """Return the ordinals of those ids that were ever heard of."""
        if not item_ids:
            return NO_ORDINALS
        found = map(self._ordinal_of.get, item_ids)
        return np.array([o for o in found if o is not None], dtype=np.int64)

    def ordinals(self, item_ids: tuple[str, ...] | list[str]) -> Ordinals:
        """Return the ordinal of every id; an id not heard of gets one, but is not listed."""
        known = self._ordinal_of
        found = [known.get(item_id, -1) for item_id in item_ids]
        if -1 in found:
            found = [self._take(item_id) for item_id in item_ids]
        return np.array(found, dtype=np.int64)

    def _take(self, item_id: str) -> int:
        ordinal = self._ordinal_of.setdefault(item_id, len(self._ids))
        if ordinal == len(self._ids):
            self._ids.append(item_id)
            self._categories.grow(ordinal + 1)
            self.content.grow(ordinal + 1)
            self._listed = grown(self._listed, ordinal + 1, 0)
            self._available = grown(self._available, ordinal + 1, 0)
            self._expires_at = grown(self._expires_at, ordinal + 1, np.inf)
            self.fields.added()
            self._forget_servable()
        return ordinal

    def fold(self, changes: CatalogueChanges) -> None:
        """Assign what changed."""
        if not changes.upserted and not changes.deleted:
            return
        fields = {self._upsert(item): item for item in changes.upserted}
        fields |= dict.fromkeys(map(self._delete, changes.deleted), _NOTHING)
        self.fields.assign(fields)
        self.revision += 1
        self._forget_servable()

    def _upsert(self, item: ItemFacts) -> int:
        ordinal = self._take(item.item_id)
        self.catalogued_count += not self._listed[ordinal]
        self._listed[ordinal] = True
        self._available[ordinal] = item.available
        self._expires_at[ordinal] = item.expires_at
        self._categories.set(ordinal, item.categories)
        self.content.assign(ordinal, item.content)
        return ordinal

    def _delete(self, item_id: str) -> int:
        ordinal = self._take(item_id)
        self.catalogued_count -= bool(self._listed[ordinal])
        self._listed[ordinal] = False
        self._categories.set(ordinal, ())
        self.content.assign(ordinal, NO_CONTENT)
        return ordinal

    def mask(self, expression: Expression, request: Request) -> Bools:
        """Return the mask [size] of items for which an expression holds: not to be changed."""
        return self._masks.mask(expression, self.fields, request)

    def owned_by(self, owner: str) -> Bools:
        """Return the mask [size] of the items of an owner."""
        owners = self.fields.text("owner")
        try:
            code = owners.values.index(owner)
        except ValueError:
            return np.zeros(self.size, np.bool_)
        owned: Bools = owners.codes == code
        return owned

    def members(self, category: str) -> Ordinals:
        """Return the ordinals of the items in a category, ascending."""
        return self._categories.members(category)

    def lists(self, item_id: str) -> bool:
        """Return whether frames list an item."""
        ordinal = self._ordinal_of.get(item_id)
        return ordinal is not None and bool(self._listed[ordinal])

    def catalogued(self) -> Bools:
        """Return which ordinals frames list, as a view [size]."""
        return self._listed[: self.size]

    def listed(self) -> Bools:
        """Return which ordinals are in the catalogue, as [size]: shared, not to be changed."""
        self._heed_overlay()
        if self._shown is None:
            self._shown = self._listed[: self.size]
            gone = [ordinal for ordinal, visible in self._overlaid() if not visible.listed]
            if gone:
                self._shown = self._shown.copy()
                self._shown[gone] = False
        return self._shown

    def _overlaid(self) -> Iterator[tuple[int, Visible]]:
        """Yield the newer entries of items that frames list."""
        for item_id, visible in self._overlay.items.items():
            ordinal = self._ordinal_of.get(item_id)
            if ordinal is not None and self._listed[ordinal]:
                yield ordinal, visible

    def _heed_overlay(self) -> None:
        if self._overlay.revision != self._seen_overlay:
            self._seen_overlay = self._overlay.revision
            self._forget_servable()

    def servable(self, now: float) -> Bools:
        """Return which ordinals are listed, available and not expired at `now`, as [size].

        The array is shared: copy it before changing it.
        """
        self._refresh_servable(now)
        return self._servable

    def unservable_count(self, now: float) -> int:
        """Return how many items of the catalogue are not servable at `now`."""
        self._refresh_servable(now)
        return self._unservable_count

    def _refresh_servable(self, now: float) -> None:
        """Make the mask anew when something changed or an expiry lies between it and `now`."""
        self._heed_overlay()
        if self._servable_from <= now < self._servable_until:
            return
        available, expires_at = self._available[: self.size], self._expires_at[: self.size]
        newer = list(self._overlaid())
        if newer:
            available, expires_at = available.copy(), expires_at.copy()
            for ordinal, visible in newer:
                available[ordinal], expires_at[ordinal] = visible.available, visible.expires_at
        alive = expires_at > now
        listed = self.listed()
        self._servable = listed & available & alive
        self._unservable_count = int(np.count_nonzero(listed) - np.count_nonzero(self._servable))
        self._servable_from = float(np.max(expires_at, where=~alive, initial=-np.inf))
        self._servable_until = float(np.min(expires_at, where=alive, initial=np.inf))

    def _forget_servable(self) -> None:
        self._shown = None
        self._servable_from, self._servable_until = np.inf, -np.inf
