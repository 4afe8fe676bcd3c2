"""A checkpoint: changes that, folded into nothing, give the whole state."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from services.common.ranking.popularity import LEVEL, TREND
from services.feed.parameters import (
    Ints,
    PlaceCells,
    PopularityRows,
    RuleCells,
    TrendRows,
    VectorRollback,
    VectorRows,
)
from services.feedback.learner.model.changes import (
    GRANTED_CODES,
    AllowanceChanges,
    BaseChanges,
    Changes,
    Decisions,
    Held,
    HiddenEvents,
    Influence,
    RecentItems,
    ReferenceRows,
    SpaceChanges,
)
from services.feedback.learner.model.entries import GenerationActivated, GenerationStaged
from services.feedback.learner.model.item_dictionary import ItemDictionary
from services.feedback.learner.model.sequential_rules import EMPTY
from services.feedback.learner.model.slate_learning import SlateChanges
from services.feedback.learner.model.step import States
from services.feedback.learner.model.tenant_state import TenantState
from services.feedback.learner.model.user_table import NO_ITEM
from services.feedback.learner.model.vector_space import VectorSpace
from services.feedback.learner.model.vector_table import VectorTable

_CHUNK_BYTES = 2 * 1024 * 1024
_BYTES_PER_RULE = 16
_BYTES_PER_ALLOWANCE = 64
_BYTES_PER_PLACES = 14 * 12
_BYTES_PER_RECENT = 64


def checkpoint(states: States) -> Iterator[Changes]:
    """Yield the state in chunks of bounded size, in an order that folds.

    Ordinals and rows come out as they are: the order of items is that of their ordinals, deleted
    ones included.
    """
    for tenant in sorted(states):
        state = states[tenant]
        yield from _catalogue(state)
        yield from _documents(state)
        yield from _items(state)
        for name in sorted(state.spaces):
            yield from _space(state, state.spaces[name])
        yield from _users(state)
        yield from _slates(state)


def _catalogue(state: TenantState) -> Iterator[Changes]:
    activated: GenerationActivated | None = state.generation
    for rows in _runs([len(payload) + 64 for payload in state.items.payloads]):
        yield Changes(
            state.tenant,
            active=state.active,
            activated=activated,
            upserted=[(state.items.ids[row], state.items.payloads[row]) for row in rows],
            deleted=[state.items.ids[row] for row in rows if not state.items.exists[row]],
        )
        activated = None


def _documents(state: TenantState) -> Iterator[Changes]:
    documents = [state.documents[key] for key in sorted(state.documents)]
    for rows in _runs([len(one.body) + 64 for one in documents]):
        yield Changes(
            state.tenant, active=state.active, documents=documents[rows.start : rows.stop]
        )


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
    """Yield what all generations share of items."""
    rules = (state.rules.cols[: len(state.items)] != EMPTY).sum(axis=1) * _BYTES_PER_RULE
    for run in _runs((rules + 64 + _BYTES_PER_PLACES).tolist()):
        rows = np.arange(run.start, run.stop)
        slots = np.argwhere(state.rules.cols[rows] != EMPTY)
        sources, places = rows[slots[:, 0]], slots[:, 1].astype(np.int64)
        targets = state.rules.cols[sources, places].astype(np.int64)
        popular = rows[np.isfinite(state.levels[rows])]
        table = state.popular.table
        held = np.argwhere(np.isfinite(table[rows, :LEVEL]))
        placed, at = rows[held[:, 0]], held[:, 1]
        trending = rows[np.isfinite(table[rows, TREND])]
        dictionary = ItemDictionary(state.items, [rows, targets])
        yield Changes(
            state.tenant,
            dictionary.item_ids,
            active=state.active,
            rules=RuleCells(
                dictionary.indices(sources),
                places,
                dictionary.indices(targets),
                state.rules.vals[sources, places],
            ),
            popularity=PopularityRows(
                dictionary.indices(popular), state.levels[popular], state.counts[popular]
            ),
            context_popularity=PlaceCells(dictionary.indices(placed), at, table[placed, at]),
            trends=TrendRows(dictionary.indices(trending), table[trending, TREND]),
        )
    # After the counts, which would say fewer where events were taken back.
    yield Changes(state.tenant, active=state.active, events=state.events)
    yield from _allowance(state)


def _allowance(state: TenantState) -> Iterator[Changes]:
    """Yield what items had of what is shared."""
    allowance = state.allowance
    known = allowance.known()
    for run in _runs([_BYTES_PER_ALLOWANCE] * known.size):
        rows = known[run.start : run.stop]
        dictionary = ItemDictionary(state.items, [rows])
        yield Changes(
            state.tenant,
            dictionary.item_ids,
            active=state.active,
            allowance=AllowanceChanges(
                dictionary.indices(rows),
                allowance.table[rows],
                allowance.figures.copy(),
                allowance.places.copy(),
            ),
        )


def _space(state: TenantState, space: VectorSpace) -> Iterator[Changes]:
    """Yield the vectors of one generation: itself, all rows, the status, and the reference."""
    name = space.generation_id
    if name != state.active:
        yield Changes(
            state.tenant,
            active=state.active,
            staged=GenerationStaged(space.generation, space.start, space.status.now),
        )
    for run in _runs([8 * space.dimension + 64] * len(state.items)):
        rows = np.arange(run.start, run.stop)
        dictionary = ItemDictionary(state.items, [rows])
        own = dictionary.indices(rows)
        part = SpaceChanges(
            name,
            vectors=VectorRows(own, space.vectors[rows], space.biases[rows], space.pinned[rows]),
            bases=BaseChanges(own, space.bases[rows], space.trained[rows]),
        )
        yield Changes(state.tenant, dictionary.item_ids, active=state.active, spaces=[part])
    status = SpaceChanges(name, status=space.status)
    rollback = None
    if space.status.rollbacks and name == state.active:
        rollback = VectorRollback(
            name, space.status.reference_version, "before this snapshot", space.status.rollbacks
        )
    yield Changes(state.tenant, active=state.active, spaces=[status], rollback=rollback)
    if space.reference is not None:
        yield from _reference(state, space, space.reference)
    last = SpaceChanges(
        name,
        gramian=space.gramian.copy(),
        factor_gramian=space.live.factor_gramian.copy(),
        published_gramian=space.published.copy(),
    )
    if space.published.any():
        last.factor = space.generation.encoder.factor(space.published)
    if space.reference is not None:
        last.reference_gramian = space.reference.gramian.copy()
        last.reference_factor_gramian = space.reference.factor_gramian.copy()
    yield Changes(state.tenant, active=state.active, spaces=[last])


def _reference(state: TenantState, space: VectorSpace, reference: VectorTable) -> Iterator[Changes]:
    count = len(state.items)
    other = np.flatnonzero((space.vectors[:count] != reference.vectors[:count]).any(axis=1))
    for run in _runs([4 * space.dimension + 64] * other.size):
        rows = other[run.start : run.stop]
        dictionary = ItemDictionary(state.items, [rows])
        part = SpaceChanges(
            space.generation_id,
            reference=ReferenceRows(dictionary.indices(rows), reference.vectors[rows]),
        )
        yield Changes(state.tenant, dictionary.item_ids, active=state.active, spaces=[part])


def _users(state: TenantState) -> Iterator[Changes]:
    per_user = 64 + _BYTES_PER_RECENT * state.users.length
    for run in _runs([per_user] * len(state.users)):
        rows = np.arange(run.start, run.stop)
        histories = state.users.histories(rows)
        # Oldest first, one user after the other.
        items = histories.items[:, ::-1]
        present = items != NO_ITEM
        flat: Ints = items[present]
        hidden = [(index, past) for index, row in enumerate(rows.tolist())
                  for past in state.users.hidden(row)]  # fmt: skip
        hidden_items = np.array([past.item for _, past in hidden], np.int64)
        held = [(index, *one) for index, row in enumerate(rows.tolist())
                for one in state.held.of(row)]  # fmt: skip
        held_items = np.array([item for _, _, item in held], np.int64)
        dictionary = ItemDictionary(state.items, [flat, hidden_items, held_items])
        yield Changes(
            state.tenant,
            dictionary.item_ids,
            active=state.active,
            recent=RecentItems(
                user_keys=[state.users.keys[row] for row in rows.tolist()],
                items=dictionary.indices(flat),
                weights=histories.weights[:, ::-1][present],
                times_us=histories.times_us[:, ::-1][present],
                sequences=state.users.sequences(rows)[:, ::-1][present],
                lengths=present.sum(axis=1).astype(np.int64),
                pinned_users=np.flatnonzero(state.users.pinned[rows]).astype(np.int64),
                hidden=HiddenEvents(
                    np.array([index for index, _ in hidden], np.int64),
                    dictionary.indices(hidden_items),
                    np.array([past.weight for _, past in hidden], np.float32),
                    np.array([past.time_us for _, past in hidden], np.int64),
                    np.array([past.sequence for _, past in hidden], np.int64),
                ),
                influence=_influence(state, rows),
                held=Held(
                    np.array([index for index, _, _ in held], np.int64),
                    np.array([sequence for _, sequence, _ in held], np.int64),
                    dictionary.indices(held_items),
                ),
                touched_users=np.flatnonzero(
                    [row in state.touched for row in rows.tolist()]
                ).astype(np.int64),
                touched_since_us=state.touched_since_us,
                consents=_consents(state, rows),
                links=[
                    (index, *change)
                    for index, row in enumerate(rows.tolist())
                    for change in state.links.of(state.users.keys[row])
                ],
                merged_events=[
                    (index, *event)
                    for index, row in enumerate(rows.tolist())
                    for event in state.merged_events.of(row).items()
                ],
            ),
        )


def _influence(state: TenantState, rows: Ints) -> Influence:
    days, counts = state.influence.contents(rows)
    beyond = [(index, part) for index, row in enumerate(rows.tolist())
              for part in state.influence.beyond(row)]  # fmt: skip
    return Influence(
        days,
        counts,
        np.array([index for index, _ in beyond], np.int64),
        np.array([part.first for _, part in beyond], np.int64),
        np.array([part.last for _, part in beyond], np.int64),
    )


def _consents(state: TenantState, rows: Ints) -> Decisions:
    found = [(index, one) for index, row in enumerate(rows.tolist())
             for one in state.consents.of(state.users.keys[row])]  # fmt: skip
    return Decisions(
        np.array([index for index, _ in found], np.int64),
        np.array([one.sequence for _, one in found], np.int64),
        np.array([GRANTED_CODES.index(one.granted) for _, one in found], np.int64),
    )


def _slates(state: TenantState) -> Iterator[Changes]:
    """Yield what is learned from slates: the head and what goes with it, then what is pending."""
    whole = state.slates.contents()
    contents = whole.contents
    assert contents is not None
    for run in _runs([pending.slate.size_bytes() for pending in contents.slates]):
        last = run.stop == len(contents.slates)
        part = SlateChanges(
            contents=replace(
                contents,
                slates=contents.slates[run.start : run.stop],
                early=contents.early if last else (),
            )
        )
        if last:
            part.head, part.calibration = whole.head, whole.calibration
        yield Changes(state.tenant, active=state.active, slates=part)
