"""Random histories of a tenant, and the bits of a learner's state."""

import hashlib
from typing import Any

import numpy as np
from hypothesis import strategies as st

from harken.feedback.v1 import generation_pb2
from services.common.content_features import Content, content_features
from services.feedback.bootstrap import BootstrapBuilder, item_tower
from services.feedback.domain.entries import (
    EmbeddingPut,
    Event,
    GenerationActivated,
    ItemDeleted,
    ItemUpserted,
    Kind,
    LogEntry,
    Nothing,
)
from services.feedback.domain.step import States
from services.feedback.domain.tenant_state import TenantState
from services.feedback.frame_conversion import activation_of

DIMENSION = 8
TOWER = item_tower(DIMENSION)
T0_US = 1_700_000_000_000_000


def activation(tenant: str) -> GenerationActivated:
    serialised, _, _ = BootstrapBuilder(DIMENSION)(tenant)
    return activation_of(generation_pb2.GenerationManifest.FromString(serialised), TOWER)


def _upserted(number: int, title: str) -> ItemUpserted:
    item_id = f"i{number}"
    content = Content(item_id, title=title, categories=(f"c{number % 3}",))
    return ItemUpserted(item_id, f"{item_id}/{title}".encode(), content_features(content))


_items = st.integers(0, 11)
_titles = st.sampled_from(["toy", "story", "heat", "alien"])
_events = st.builds(
    lambda user, item, weight, second: Event(
        f"u{user}".encode(), f"i{item}", "view", float("nan"), T0_US + second * 1_000_000, weight
    ),
    st.integers(0, 5),
    _items,
    st.sampled_from([1.0, 1.0, 1.0, 0.5, 2.0, 0.0, -1.0]),
    st.integers(0, 40),
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
_kinds = st.one_of(
    _events,
    _events,
    _events,
    _events,
    st.builds(_upserted, _items, _titles),
    st.builds(lambda number: ItemDeleted(f"i{number}"), _items),
    _puts,
    st.just(Nothing()),
)


@st.composite
def logs(draw: st.DrawFn) -> list[LogEntry]:
    """A log of one or two tenants that begins with some items; see `activated`."""
    tenants = ("a", "b")[: draw(st.integers(1, 2))]
    kinds: list[tuple[str, Kind]] = []
    for tenant in tenants:
        kinds += [(tenant, _upserted(number, "toy")) for number in range(draw(st.integers(1, 8)))]
    kinds += draw(st.lists(st.tuples(st.sampled_from(tenants), _kinds), min_size=5, max_size=60))
    return [
        LogEntry(sequence, tenant, T0_US + sequence, kind)
        for sequence, (tenant, kind) in enumerate(kinds, start=11)
    ]


def activated(log: list[LogEntry]) -> list[LogEntry]:
    """Put before a log the activations of its tenants' generations (too large to draw)."""
    tenants = sorted({entry.tenant for entry in log})
    return [
        LogEntry(sequence, tenant, T0_US, activation(tenant))
        for sequence, tenant in enumerate(tenants, start=1)
    ] + log


def bits(states: States) -> dict[str, Any]:
    """All of the state, down to the bit, without how much memory is allocated for it."""
    result: dict[str, Any] = {}
    for tenant, state in states.items():
        items, users = state.items, state.users
        count, people = len(items), np.arange(len(users))
        histories = users.histories(people)
        arrays = [
            items.vectors[:count], items.bases[:count], items.biases[:count],
            items.pinned[:count], items.exists[:count], items.gramian, state.factor_gramian,
            state.rules.cols[:count], state.rules.vals[:count],
            state.levels[:count], state.counts[:count],
            histories.items, histories.weights, histories.times_us, users.pinned[: len(users)],
        ]  # fmt: skip
        whole = hashlib.sha256(b"".join(np.ascontiguousarray(one).tobytes() for one in arrays))
        result[tenant] = (
            tuple(items.ids), tuple(items.payloads), tuple(users.keys), whole.hexdigest(),
            digest(state).hex(),
        )  # fmt: skip
    return result


def digest(state: TenantState) -> bytes:
    """Return SHA-256 over the sorted ids of existing items, each followed by the bytes of its
    vector and its bias (little-endian float32): what replicas serve.
    """
    result = hashlib.sha256()
    live = np.flatnonzero(state.items.exists[: len(state.items)])
    for item_id, ordinal in sorted(zip(state.items.names(live), live.tolist(), strict=True)):
        result.update(item_id.encode())
        result.update(state.items.vectors[ordinal].astype("<f4").tobytes())
        result.update(state.items.biases[ordinal].astype("<f4").tobytes())
    return result.digest()
