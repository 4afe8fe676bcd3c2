"""Random histories of a tenant, and the bits of a learner's state."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from harken.feedback.v1 import generation_pb2
from services.common.candidate_features import COLUMNS
from services.common.content_features import Content, content_features
from services.feed.parameters import Document
from services.feed.progress import Applied
from services.feedback.generations.bootstrap import BootstrapBuilder
from services.feedback.generations.domain.bootstrap_models import item_tower, prior_scorer
from services.feedback.generations.generation_conversion import (
    FilesOf,
    GenerationFiles,
    activation_of,
)
from services.feedback.learner.frame_conversion import frame_of
from services.feedback.learner.model.changes import Changes
from services.feedback.learner.model.entries import (
    EmbeddingPut,
    Event,
    EventRetracted,
    GenerationActivated,
    ItemDeleted,
    ItemUpserted,
    Kind,
    LearningConsent,
    LogEntry,
    Nothing,
    UserLinked,
)
from services.feedback.learner.model.impression import Impression
from services.feedback.learner.model.item_allowance import AllowanceConfig
from services.feedback.learner.model.outcome_definition import OutcomeDefinition, ReturnWindow
from services.feedback.learner.model.step import States, step, step_length
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from services.feedback.learner.model.vector_space import VectorSpace
from services.feedback.learner.slate_frames import SlatesOf
from services.feedback.slates.slate_conversion import logged_again
from tests.feedback.domain.slates import shown

DIMENSION = 8
TOWER = item_tower(DIMENSION)
OUTCOMES = (
    OutcomeDefinition("view", frozenset({"view"}), None, 1.0),
    OutcomeDefinition("return", frozenset(), None, 2.0, ReturnWindow(1_000_000, 20_000_000)),
)
SCORER = prior_scorer(OUTCOMES)
FILES: FilesOf = {
    (tenant, f"bootstrap-{DIMENSION}"): GenerationFiles(TOWER, scorer=SCORER)
    for tenant in ("a", "b")
}
T0_US = 1_700_000_000_000_000
# So tight that much is held of what these logs say.
TIGHT = AllowanceConfig(
    recent_events=4.0, usual_events=40.0, floor=1.0, hotter=0.5, faster=2.0, proportion=1.0,
    settled=0.0, memory=20.0,
)  # fmt: skip


def activation(tenant: str) -> GenerationActivated:
    serialised, _, _ = BootstrapBuilder(DIMENSION, OUTCOMES)(tenant)
    return activation_of(generation_pb2.GenerationManifest.FromString(serialised), FILES)


def upserted(number: int, title: str) -> ItemUpserted:
    item_id = f"i{number}"
    content = Content(item_id, title=title, categories=(f"c{number % 3}",))
    return ItemUpserted(item_id, f"{item_id}/{title}".encode(), content_features(content))


def _slate(slate_id: str, user: bytes, items: list[str], seed: int, other: bool) -> Impression:
    chance = np.random.default_rng(seed)
    return shown(
        slate_id,
        items,
        user,
        generation_id="other" if other and seed == 0 else f"bootstrap-{DIMENSION}",
        surface="home" if seed % 2 else "",
        logits=chance.standard_normal((5, len(OUTCOMES))).astype(np.float32),
        features=chance.standard_normal((5, len(COLUMNS))).astype(np.float32),
    )


class _TakeBack(int):
    """Retract an earlier event of the tenant, by this number."""


_items = st.integers(0, 11)
_titles = st.sampled_from(["toy", "story", "heat", "alien"])
_events = st.builds(
    lambda user, item, weight, second, slate: Event(
        f"u{user}".encode(), f"i{item}", "view", float("nan"), T0_US + second * 1_000_000, weight,
        slate,
    ),
    st.integers(0, 5),
    _items,
    st.sampled_from([1.0, 1.0, 1.0, 0.5, 2.0, 0.0, -1.0]),
    st.sampled_from([*range(0, 40, 3), *range(40, 140, 2)]),
    st.sampled_from(["", "", "s1", "s2", "s3"]),
)  # fmt: skip
_slates = st.builds(
    lambda number, user, first, seed, other: _slate(
        f"s{number}", f"u{user}".encode(), [f"i{first + n}" for n in range(5)], seed, other
    ),
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(0, 6),
    st.integers(0, 9),
    st.booleans(),
)
_vectors = st.lists(st.floats(-0.75, 0.75, width=32), min_size=DIMENSION, max_size=DIMENSION).map(
    lambda values: np.array(values, np.float32)
)
_puts = st.builds(
    lambda to_user, number, vector, pinned: EmbeddingPut(
        None if to_user else f"i{number}",
        f"u{number % 6}".encode() if to_user else None,
        vector,
        0.0 if to_user else 0.25,
        pinned,
        f"bootstrap-{DIMENSION}",
    ),
    st.booleans(),
    _items,
    _vectors,
    st.booleans(),
)
_documents = st.builds(
    Document,
    st.sampled_from(["surface", "surface", "experiment"]),
    st.sampled_from(["home", "basket"]),
    st.integers(1, 9),
    st.sampled_from([b"one", b"two", b""]),
)
_kinds = st.one_of(
    _events,
    _events,
    _events,
    _events,
    st.builds(upserted, _items, _titles),
    st.builds(lambda number: ItemDeleted(f"i{number}"), _items),
    _puts,
    _documents,
    st.builds(
        lambda user, granted: LearningConsent(f"u{user}".encode(), granted),
        st.integers(0, 6),
        st.sampled_from([False, False, True, None]),
    ),
    st.builds(
        lambda user, into: UserLinked(f"u{user}".encode(), f"u{into}".encode() if into else b""),
        st.integers(3, 6),
        st.sampled_from([0, 1, 2, 1]),
    ),
    st.just(Nothing()),
    _slates,
    _slates,
    st.builds(_TakeBack, st.integers(0, 20)),
)


@st.composite
def logs(draw: st.DrawFn) -> list[LogEntry]:
    """A log of one or two tenants that begins with some items; see `activated`."""
    tenants = ("a", "b")[: draw(st.integers(1, 2))]
    kinds: list[tuple[str, Kind | _TakeBack]] = []
    for tenant in tenants:
        kinds += [(tenant, upserted(number, "toy")) for number in range(draw(st.integers(1, 8)))]
    kinds += draw(st.lists(st.tuples(st.sampled_from(tenants), _kinds), min_size=5, max_size=60))
    log: list[LogEntry] = []
    for sequence, (tenant, drawn) in enumerate(kinds, start=11):
        kind = _taken_back(log, tenant, drawn) if isinstance(drawn, _TakeBack) else drawn
        if isinstance(kind, Impression):
            # Of some the sequence is not known, as in frames of an earlier release.
            kind = replace(kind, sequence=sequence if sequence % 4 else 0)
        # Two seconds apart, so that slates settle.
        log.append(LogEntry(sequence, tenant, T0_US + 2_000_000 * sequence, kind))
    return log


def _taken_back(log: list[LogEntry], tenant: str, number: _TakeBack) -> Kind:
    gone = {entry.kind.sequence for entry in log if isinstance(entry.kind, EventRetracted)}
    left = [
        (entry.sequence, entry.kind)
        for entry in log
        if entry.tenant == tenant and isinstance(entry.kind, Event) and entry.sequence not in gone
    ]
    if not left:
        return Nothing()
    sequence, event = left[number % len(left)]
    return EventRetracted(event, sequence)


def activated(log: list[LogEntry]) -> list[LogEntry]:
    """Put before a log the activations of its tenants' generations (too large to draw)."""
    tenants = sorted({entry.tenant for entry in log})
    return [
        LogEntry(sequence, tenant, T0_US, activation(tenant))
        for sequence, tenant in enumerate(tenants, start=1)
    ] + log


def stepped(log: Sequence[LogEntry], size: int, config: LearningConfig) -> States:
    """Return what a learner makes of a log in steps of so many entries at most."""
    states: States = {}
    done = 0
    while done < len(log):
        end = done + step_length(log[done : done + size])
        step(states, log[done:end], config)
        done = end
    return states


def slates_of(log: Sequence[LogEntry]) -> SlatesOf:
    """Return the slates of a log as whoever folds frames reads them."""
    return {
        entry.sequence: logged_again(entry.kind)
        for entry in log
        if isinstance(entry.kind, Impression)
    }


def bits(states: States) -> dict[str, Any]:
    """All of the state, down to the bit, without how much memory is allocated for it."""
    result: dict[str, Any] = {}
    for tenant, state in states.items():
        items, users = state.items, state.users
        count, people = len(items), np.arange(len(users))
        histories = users.histories(people)
        arrays = [
            items.exists[:count],
            state.rules.cols[:count], state.rules.vals[:count],
            state.popular.table[:count],
            histories.items, histories.weights, histories.times_us, users.pinned[: len(users)],
            users.sequences(people), *state.influence.contents(people),
            *_allowance(state, count), state.allowance.figures, state.allowance.places,
        ]  # fmt: skip
        result[tenant] = (
            tuple(items.ids), tuple(items.payloads), tuple(users.keys), _hash(arrays),
            state.active, {name: _space_bits(space, count) for name, space in state.spaces.items()},
            digest(state).hex(), [tuple(users.hidden(row)) for row in people.tolist()],
            [tuple(state.influence.beyond(row)) for row in people.tolist()],
            [tuple(state.held.of(row)) for row in people.tolist()],
            _slate_bits(state), sorted(state.touched),
             bool(state.touched) and state.touched_since_us, state.events,
             sorted(state.documents.items()),
             [tuple(state.consents.of(key)) for key in users.keys],
             [tuple(state.links.of(key)) for key in users.keys],
             [sorted(state.merged_events.of(row).items()) for row in people.tolist()],
        )  # fmt: skip
    return result


def _allowance(state: TenantState, count: int) -> list[Any]:
    """What items had of what is shared, without how much memory is allocated for it."""
    known = state.allowance.known()
    assert known.size <= count
    return [known, state.allowance.table[known]]


def _space_bits(space: VectorSpace, count: int) -> tuple[Any, ...]:
    arrays = [
        space.vectors[:count], space.bases[:count], space.biases[:count], space.pinned[:count],
        space.trained[:count], space.gramian, space.live.factor_gramian,
        space.published,
    ]  # fmt: skip
    if space.reference is not None:
        reference = space.reference
        arrays += [reference.vectors[:count], reference.gramian, reference.factor_gramian]
    return space.status, _hash(arrays), space.reference is None, space.start is None


def _slate_bits(state: TenantState) -> bytes:
    """What is learned from slates, as a checkpoint has it."""
    contents = Changes(state.tenant, slates=state.slates.contents())
    return frame_of([contents], Applied(), Applied(), 0).SerializeToString(deterministic=True)


def _hash(arrays: list[np.ndarray]) -> str:
    whole = hashlib.sha256(b"".join(np.ascontiguousarray(one).tobytes() for one in arrays))
    return whole.hexdigest()


def digest(state: TenantState) -> bytes:
    """Return SHA-256 over the sorted ids of existing items, each followed by the bytes of its
    vector and its bias (little-endian float32): what replicas serve.
    """
    result = hashlib.sha256()
    live = np.flatnonzero(state.items.exists[: len(state.items)])
    for item_id, ordinal in sorted(zip(state.items.names(live), live.tolist(), strict=True)):
        result.update(item_id.encode())
        result.update(state.space.vectors[ordinal].astype("<f4").tobytes())
        result.update(state.space.biases[ordinal].astype("<f4").tobytes())
    return result.digest()
