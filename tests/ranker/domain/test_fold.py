"""Folding frames: as in a dictionary, whole or not at all (truth 7), same everywhere (truth 6)."""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2
from services.feed.frames_client import FrameRefusedError
from services.feed.progress import Applied
from services.ranker.domain.item_index import digest_of
from services.ranker.domain.tenant_replica import TenantReplica
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import DIMENSION, MAX_NORM, manifest
from tests.ranker.replicas import folded, new_folder

IDS = [f"i{n}" for n in range(8)]


@dataclass
class Model:
    """What a fold must come to, kept in dictionaries."""

    generation_id: str = ""
    listed: set[str] = field(default_factory=set)
    vectors: dict[str, bytes] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)
    rules: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict)
    documents: dict[tuple[str, str], tuple[int, bytes]] = field(default_factory=dict)

    def fold(self, changes: Changes) -> None:
        if changes.activated is not None:
            self.generation_id = changes.activated.generation_id
            self.vectors = {}
        self.listed |= {item.item_id for item in changes.items}
        self.listed -= set(changes.deleted)
        for item_id, values, bias in changes.vectors:
            self.vectors[item_id] = np.array([*values, bias], "<f4").tobytes()
        self.levels.update((item_id, level) for item_id, level, _ in changes.popular)
        self.rules.update(((row, slot), (to, weight)) for row, slot, to, weight in changes.rules)
        for kind, name, revision, body in changes.documents:
            self.documents[kind, name] = revision, body

    def configured(self) -> dict[tuple[str, str], tuple[int, bytes]]:
        return {key: one for key, one in self.documents.items() if one[1]}

    def digest(self) -> bytes:
        there = sorted(self.listed & set(self.vectors))
        return hashlib.sha256(b"".join(i.encode() + self.vectors[i] for i in there)).digest()


ID = st.sampled_from(IDS)
DOCUMENT = st.tuples(
    st.sampled_from(["surface", "experiment", "of a newer release"]),
    st.sampled_from(["home", "basket"]),
    st.integers(1, 9),
    st.sampled_from([b"one", b"two", b""]),
)
VECTOR = st.lists(st.integers(-2, 2).map(float), min_size=DIMENSION, max_size=DIMENSION)


@st.composite
def histories(draw: st.DrawFn) -> list[Changes]:
    """Changes of successive frames of one tenant; the first activates a generation."""
    history = []
    generation_id = ""
    for number in range(draw(st.integers(1, 6))):
        activates = number == 0 or draw(st.integers(0, 5)) == 0
        if activates:
            generation_id = f"g{number}"
        changes = Changes(generation_id=generation_id)
        if activates:
            changes.activated = manifest(generation_id)
        for item_id in draw(st.lists(ID, max_size=4)):
            changes.item(item_id)
        changes.deleted = draw(st.lists(ID, max_size=1))
        for item_id, values in draw(st.lists(st.tuples(ID, VECTOR), max_size=4)):
            changes.vector(item_id, values, float(draw(st.integers(-2, 2))))
        for row, slot, to in draw(st.lists(st.tuples(ID, st.integers(0, 3), ID), max_size=4)):
            changes.rule(row, slot, to, float(draw(st.integers(0, 3))))
        for item_id, level in draw(st.lists(st.tuples(ID, st.floats(-9, 9)), max_size=3)):
            changes.popularity(item_id, level)
        for document in draw(st.lists(DOCUMENT, max_size=3)):
            changes.document(*document)
        history.append(changes)
    return history


ReplicaState = tuple[
    str | None, bytes, set[str], dict[str, float], list[tuple[str, str, float]],
    dict[tuple[str, str], tuple[int, bytes]],
]  # fmt: skip
"""Generation, digest, listed items, levels of popularity, rules, documents."""


def digest(replica: TenantReplica) -> bytes:
    item_ids, ordinals = replica.digest_order()
    return digest_of(item_ids, replica.index.copy_rows(ordinals))


def state_of(replica: TenantReplica) -> ReplicaState:
    """Everything a replica holds, by item id, so that replicas can be compared."""
    catalogue = replica.catalogue
    everything = np.arange(catalogue.size)
    names = [catalogue.item_id(ordinal) for ordinal in range(catalogue.size)]
    steps, targets, weights = replica.rules.successors(everything)
    levels = replica.popularity.levels(everything, 0.0)
    return (
        None if replica.generation is None else replica.generation.generation_id,
        digest(replica),
        {name for name, there in zip(names, catalogue.listed(), strict=True) if there},
        {names[o]: level for o, level in enumerate(levels) if level > -math.inf},
        sorted(
            (names[step], names[target], weight)
            for step, target, weight in zip(steps, targets, weights, strict=True)
        ),
        {key: (one.revision, one.body) for key, one in replica.documents.items()},
    )


def frames_of(history: Sequence[Changes]) -> list[frame_pb2.Frame]:
    return [frame(version, changes) for version, changes in enumerate(history, 1)]


@given(histories())
def test_state_is_the_fold_of_the_frames(history: list[Changes]) -> None:
    model = Model()
    for changes in history:
        model.fold(changes)
    folder = folded(frames_of(history))
    generation_id, found, listed, levels, rules, documents = state_of(folder.replicas["default"])
    assert generation_id == model.generation_id
    assert found == model.digest()
    assert listed == model.listed
    assert levels == model.levels
    assert rules == sorted((row, to, w) for (row, _), (to, w) in model.rules.items() if w > 0)
    assert documents == model.configured()
    assert folder.progress.applied == Applied(1, len(history), len(history))


async def given_in_turn(chunks: Sequence[frame_pb2.Frame]) -> AsyncIterator[frame_pb2.Frame]:
    for chunk in chunks:
        yield chunk


def snapshot_of(history: Sequence[Changes], version: int, pieces: int) -> list[frame_pb2.Frame]:
    """Make a snapshot by hand: last values only, in chunks, items in another order than live."""
    vectors: dict[str, tuple[Sequence[float], float]] = {}
    levels: dict[str, float] = {}
    rules: dict[tuple[str, int], tuple[str, float]] = {}
    items: set[str] = set()
    documents: dict[tuple[str, str], tuple[int, bytes]] = {}
    activated = history[0].activated
    for changes in history:
        if changes.activated is not None:
            activated, vectors = changes.activated, {}
        items |= {item.item_id for item in changes.items}
        items -= set(changes.deleted)
        vectors.update((item_id, (values, bias)) for item_id, values, bias in changes.vectors)
        levels.update((item_id, level) for item_id, level, _ in changes.popular)
        rules.update(((row, slot), (to, weight)) for row, slot, to, weight in changes.rules)
        documents.update((one[:2], one[2:]) for one in changes.documents)
    assert activated is not None
    chunks = [Changes(generation_id=activated.generation_id) for _ in range(pieces)]
    chunks[0].activated = activated
    for place, item_id in enumerate(sorted(items, reverse=True)):
        chunks[place % pieces].item(item_id)
    for place, (item_id, (values, bias)) in enumerate(sorted(vectors.items(), reverse=True)):
        chunks[place % pieces].vector(item_id, values, bias)
    for place, (item_id, level) in enumerate(sorted(levels.items())):
        chunks[place % pieces].popularity(item_id, level)
    for (row, slot), (to, weight) in rules.items():
        chunks[-1].rule(row, slot, to, weight)
    for place, (key, (revision, body)) in enumerate(documents.items()):
        if body:
            chunks[place % pieces].document(*key, revision, body)
    made = [frame(version, changes) for changes in chunks]
    for chunk in made:
        chunk.after_version = 0
    return made


@given(histories(), st.data())
def test_snapshot_and_tail_give_the_same_state_as_all_frames(
    history: list[Changes], data: st.DataObject
) -> None:
    """Truth 6: replicas at the same version have the same digest (and the same of all else)."""
    frames = frames_of(history)
    at = data.draw(st.integers(1, len(frames)))
    pieces = data.draw(st.integers(1, 3))
    live = folded(frames)

    late = folded([frame(1, Changes(activated=manifest("old")).item("left over"))])

    async def boot() -> None:
        await late.restart(given_in_turn(snapshot_of(history[:at], at, pieces)))
        await late.apply(frames[at:])

    asyncio.run(boot())
    assert state_of(late.replicas["default"]) == state_of(live.replicas["default"])
    assert late.progress.applied == live.progress.applied


def good_changes() -> Changes:
    return (
        Changes(activated=manifest())
        .item("a").item("b")
        .vector("a", [1, 0, 0, 0]).vector("b", [0, 1, 0, 0], 0.5)
        .rule("a", 0, "b", 1.0)
        .popularity("a", 2.0)
        .document("surface", "home", 1, b"one")
    )  # fmt: skip


def tamper(change: Callable[[frame_pb2.TenantChanges], None]) -> frame_pb2.Frame:
    """Return a frame that would change every part of the state, with one thing wrong in it."""
    changes = (
        Changes(deleted=["b"]).item("new")
        .vector("a", [9, 0, 0, 0]).vector("new", [1, 1, 1, 1])
        .rule("a", 0, "new", 5.0)
        .popularity("a", 9.0)
        .document("surface", "home", 2, b"two")
        .factor(np.eye(DIMENSION).tolist())
    )  # fmt: skip
    made = frame(
        2, Changes(tenant="another").item("x"), changes, Changes(tenant="a third").item("x")
    )
    change(made.tenants[1])
    return made


def set_value(column: str, place: int, value: float) -> Callable[[frame_pb2.TenantChanges], None]:
    section, _, name = column.partition(".")
    kind = "<f8" if section == "popularity" else "<f4"

    def change(changes: frame_pb2.TenantChanges) -> None:
        message = getattr(changes, section)
        values = np.frombuffer(getattr(message, name), kind).copy()
        values[place] = value
        setattr(message, name, values.tobytes())

    return change


def cut(column: str, left: int) -> Callable[[frame_pb2.TenantChanges], None]:
    section, _, name = column.partition(".")

    def change(changes: frame_pb2.TenantChanges) -> None:
        message = getattr(changes, section)
        setattr(message, name, getattr(message, name)[:left])

    return change


def set_index(column: str, value: int) -> Callable[[frame_pb2.TenantChanges], None]:
    section, _, name = column.partition(".")

    def change(changes: frame_pb2.TenantChanges) -> None:
        getattr(getattr(changes, section), name)[-1] = value

    return change


def factor(
    values: np.ndarray, generation_id: str = "g1"
) -> Callable[[frame_pb2.TenantChanges], None]:
    def change(changes: frame_pb2.TenantChanges) -> None:
        changes.encoder_factors[0].factor = values.astype("<f4").tobytes()
        changes.encoder_factors[0].generation_id = generation_id

    return change


def other_generation(changes: frame_pb2.TenantChanges) -> None:
    changes.item_vectors.generation_id = "g2"


def empty_document(field: str) -> Callable[[frame_pb2.TenantChanges], None]:
    return lambda changes: changes.documents[0].ClearField(field)


def no_item_id(changes: frame_pb2.TenantChanges) -> None:
    changes.catalogue.items[0].item_id = ""


@pytest.mark.parametrize(
    "change",
    [
        set_value("item_vectors.vectors", 5, math.nan),
        set_value("item_vectors.vectors", 5, math.inf),
        set_value("item_vectors.vectors", 5, -math.inf),
        set_value("item_vectors.vectors", 5, MAX_NORM * 1.01),
        set_value("item_vectors.vectors", 5, 3e38),
        set_value("item_vectors.biases", 1, math.nan),
        set_value("item_vectors.biases", 1, -MAX_NORM * 1.01),
        cut("item_vectors.vectors", -4),
        cut("item_vectors.vectors", -1),
        cut("item_vectors.vectors", 0),
        cut("item_vectors.vectors", 16),
        cut("item_vectors.biases", 4),
        set_index("item_vectors.items", 99),
        other_generation,
        set_value("rules.weights", 0, math.nan),
        set_value("rules.weights", 0, -1.0),
        cut("rules.weights", 0),
        set_index("rules.slots", 1 << 31),
        set_index("rules.targets", 99),
        set_value("popularity.levels", 0, math.nan),
        set_value("popularity.levels", 0, math.inf),
        set_value("popularity.counts", 0, -1.0),
        cut("popularity.levels", 7),
        set_index("popularity.items", 99),
        factor(np.full(16, math.nan)),
        factor(np.ones(9)),
        factor(np.ones(15)),
        factor(np.ones(16), "g2"),
        no_item_id,
        empty_document("kind"),
        empty_document("name"),
        empty_document("revision"),
    ],
)
def test_a_refused_frame_changes_nothing(
    change: Callable[[frame_pb2.TenantChanges], None],
) -> None:
    """Truth 7: NaN, Inf, wrong dimension, out-of-bound norm are refused with a reason."""
    folder = folded([frame(1, good_changes(), Changes(tenant="another").item("y"))])
    replica = folder.replicas["default"]
    before = {tenant: state_of(one) for tenant, one in folder.replicas.items()}
    size = replica.catalogue.size

    with pytest.raises(FrameRefusedError) as refusal:
        asyncio.run(folder.apply([tamper(change)]))

    assert refusal.value.version == 2
    assert "default" in refusal.value.reason
    assert {tenant: state_of(one) for tenant, one in folder.replicas.items()} == before
    assert replica.catalogue.size == size
    assert folder.progress.applied.version == 1

    assert set(folder.replicas) == {"default", "another"}

    asyncio.run(folder.apply([tamper(lambda changes: None)]))
    assert set(folder.replicas) == {"default", "another", "a third"}
    for tenant, one in before.items():
        assert state_of(folder.replicas[tenant]) != one


def test_frames_before_a_refused_one_are_folded() -> None:
    folder = folded([frame(1, good_changes())])
    bad = tamper(other_generation)
    bad.after_version, bad.version = 2, 3
    with pytest.raises(FrameRefusedError):
        asyncio.run(folder.apply([frame(2, Changes().item("c")), bad]))
    assert folder.progress.applied.version == 2
    assert folder.replicas["default"].catalogue.find("c") is not None


def test_a_norm_a_hair_above_the_bound_is_rounding() -> None:
    changes = good_changes().vector("a", [MAX_NORM * (1 + 1e-6), 0, 0, 0])
    assert folded([frame(1, changes)]).progress.applied.version == 1


def test_a_snapshot_that_breaks_off_changes_nothing() -> None:
    folder = folded([frame(1, good_changes())])
    before = state_of(folder.replicas["default"])

    async def broken() -> AsyncIterator[frame_pb2.Frame]:
        yield frame(9, Changes(activated=manifest("g2")).item("z"))
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        asyncio.run(folder.restart(broken()))
    assert state_of(folder.replicas["default"]) == before
    assert folder.progress.applied.version == 1


def test_tenants_do_not_show_in_each_other() -> None:
    """Truth 15: index, generation and dimension are per tenant."""
    other = Changes(tenant="t2", generation_id="h", activated=manifest("h", 2))
    other.item("a").vector("a", [1, 2]).item("only here")
    folder = folded([frame(1, good_changes(), other)])
    first, second = folder.replicas["default"], folder.replicas["t2"]
    assert first.index.dimension == DIMENSION
    assert second.index.dimension == 2
    assert first.catalogue.find("only here") is None
    assert second.catalogue.find("b") is None
    assert digest(first) != digest(second)


@settings(max_examples=25)
@given(histories())
def test_a_new_folder_is_empty(history: list[Changes]) -> None:
    folded(frames_of(history))
    assert not new_folder().replicas
