"""A checkpoint: changes that, folded into nothing, give the whole state."""

from collections.abc import Iterator

import numpy as np

from services.feedback.domain.changes import (
    BaseChanges,
    Changes,
    Ints,
    PopularityChanges,
    RecentItems,
    RuleChanges,
    VectorChanges,
)
from services.feedback.domain.entries import GenerationActivated
from services.feedback.domain.item_dictionary import ItemDictionary
from services.feedback.domain.sequential_rules import EMPTY
from services.feedback.domain.step import States
from services.feedback.domain.tenant_state import TenantState
from services.feedback.domain.user_table import NO_ITEM

_CHUNK_BYTES = 2 * 1024 * 1024
_BYTES_PER_RULE = 16
_BYTES_PER_RECENT = 24


def checkpoint(states: States) -> Iterator[Changes]:
    """Yield the state in chunks of bounded size, in an order that folds.

    Ordinals and rows come out as they are: the order of items is that of their ordinals, deleted
    ones included.
    """
    for tenant in sorted(states):
        state = states[tenant]
        yield from _catalogue(state)
        yield from _items(state)
        yield from _users(state)
        yield Changes(
            tenant,
            gramian=state.items.gramian.copy(),
            factor_gramian=state.factor_gramian.copy(),
        )


def _catalogue(state: TenantState) -> Iterator[Changes]:
    activated: GenerationActivated | None = state.generation
    for rows in _runs([len(payload) + 64 for payload in state.items.payloads]):
        yield Changes(
            state.tenant,
            activated=activated,
            upserted=[(state.items.ids[row], state.items.payloads[row]) for row in rows],
            deleted=[state.items.ids[row] for row in rows if not state.items.exists[row]],
        )
        activated = None


def _runs(sizes: list[int]) -> Iterator[range]:
    """Yield runs of rows that are together at most a chunk large; at least one, maybe empty."""
    start = size = 0
    for row, own in enumerate(sizes):
        if size + own > _CHUNK_BYTES and row > start:
            yield range(start, row)
            start, size = row, 0
        size += own
    yield range(start, len(sizes))


def _items(state: TenantState) -> Iterator[Changes]:
    vectors = 8 * state.items.dimension + 64
    rules = (state.rules.cols[: len(state.items)] != EMPTY).sum(axis=1) * _BYTES_PER_RULE
    for run in _runs((rules + vectors).tolist()):
        rows = np.arange(run.start, run.stop)
        slots = np.argwhere(state.rules.cols[rows] != EMPTY)
        sources, places = rows[slots[:, 0]], slots[:, 1].astype(np.int64)
        targets = state.rules.cols[sources, places].astype(np.int64)
        popular = rows[np.isfinite(state.levels[rows])]
        dictionary = ItemDictionary(state.items, [rows, targets])
        own = dictionary.indices(rows)
        yield Changes(
            state.tenant,
            dictionary.item_ids,
            vectors=VectorChanges(
                own, state.items.vectors[rows], state.items.biases[rows], state.items.pinned[rows]
            ),
            bases=BaseChanges(own, state.items.bases[rows]),
            rules=RuleChanges(
                dictionary.indices(sources),
                places,
                dictionary.indices(targets),
                state.rules.vals[sources, places],
            ),
            popularity=PopularityChanges(
                dictionary.indices(popular), state.levels[popular], state.counts[popular]
            ),
        )


def _users(state: TenantState) -> Iterator[Changes]:
    per_user = 64 + _BYTES_PER_RECENT * state.users.length
    for run in _runs([per_user] * len(state.users)):
        rows = np.arange(run.start, run.stop)
        histories = state.users.histories(rows)
        # Oldest first, one user after the other.
        items = histories.items[:, ::-1]
        present = items != NO_ITEM
        flat: Ints = items[present]
        dictionary = ItemDictionary(state.items, [flat])
        yield Changes(
            state.tenant,
            dictionary.item_ids,
            recent=RecentItems(
                user_keys=[state.users.keys[row] for row in rows.tolist()],
                items=dictionary.indices(flat),
                weights=histories.weights[:, ::-1][present],
                times_us=histories.times_us[:, ::-1][present],
                lengths=present.sum(axis=1).astype(np.int64),
                pinned_users=np.flatnonzero(state.users.pinned[rows]).astype(np.int64),
            ),
        )
