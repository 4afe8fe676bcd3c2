"""Sections of a frame to and from the wire, and the checks of what came.

One section after the other: how it is written, read and checked. A rejected update changes nothing
(truth 7), so whatever could fail half-way is looked for here.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from harken.feedback.v1 import item_pb2
from harken.internal.feed.v1 import frame_pb2 as pb
from services.common.content_codes import content_code
from services.common.content_features import content_features
from services.common.history_context import PLACES
from services.common.item_content import content_of
from services.common.norm_slack import NORM_SLACK
from services.common.validation import MAX_TIME_US, MIN_TIME_US
from services.feed.columns import (
    MAX_BITS,
    bits_of,
    from_packed,
    from_upper,
    to_bytes,
    to_ints,
    to_packed,
    to_rows,
    to_upper,
)
from services.feed.parameters import (
    MAX_SLOTS,
    CatalogueChanges,
    ColumnSections,
    Document,
    Doubles,
    Floats,
    HeadParameters,
    Ints,
    ItemFacts,
    OutcomeFigures,
    PlaceCells,
    PopularityRows,
    PosteriorParameters,
    RefusedParametersError,
    RuleCells,
    TrendRows,
    UserVectors,
    VectorRollback,
    VectorRows,
)

_NO_NUMBERS: Mapping[str, float] = MappingProxyType({})


# The catalogue.


def read_catalogue(wire: pb.CatalogueChanges) -> CatalogueChanges:
    """Return what the catalogue section says to who filters."""
    return CatalogueChanges(tuple(map(_facts, wire.items)), tuple(wire.deleted_item_ids))


def _facts(item: item_pb2.Item) -> ItemFacts:
    return ItemFacts(
        item.item_id,
        tuple(dict.fromkeys(item.categories)),
        item.available if item.HasField("available") else True,
        _us(item.expire_time) if item.HasField("expire_time") else None,
        item.title,
        item.owner,
        tuple(dict.fromkeys(item.tags)),
        dict(item.numbers) if item.numbers else _NO_NUMBERS,
        _us(item.publish_time) if item.HasField("publish_time") else None,
        _us(item.update_time) if item.HasField("update_time") else None,
        content_code(content_features(content_of(item))),
    )


def _us(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1000


def check_catalogue(changes: CatalogueChanges) -> None:
    """Raise RefusedParametersError when something is wrong."""
    for item in changes.upserted:
        if not item.item_id:
            refuse("an item without id")
        if not all(map(math.isfinite, item.numbers.values())):
            refuse(f"a number of item {item.item_id!r} is not finite")
        for time in (item.expire_time_us, item.publish_time_us, item.update_time_us):
            if time is not None and not MIN_TIME_US <= time <= MAX_TIME_US:
                refuse(f"a time of item {item.item_id!r} is not in the years 1 to 9999")


# What is configured by name.


def write_documents(documents: Iterable[Document], wire: pb.TenantChanges) -> None:
    """Write documents."""
    for one in documents:
        wire.documents.add(**one._asdict())


def read_documents(wire: pb.TenantChanges) -> tuple[Document, ...]:
    """Return the documents that changed."""
    return tuple(Document(one.kind, one.name, one.revision, one.body) for one in wire.documents)


def check_documents(documents: Iterable[Document]) -> None:
    """Raise RefusedParametersError when something is wrong. Any kind is right: a newer feedback
    may know more of them.
    """
    for one in documents:
        if not (one.kind and one.name and one.revision):
            refuse(f"a document without kind, name or revision: {one[:3]}")


# Item vectors, and what user vectors are encoded with.


def write_vectors(generation_id: str, rows: VectorRows, wire: pb.ItemVectors) -> None:
    """Write the vectors of one generation."""
    wire.generation_id = generation_id
    wire.items.extend(rows.items.tolist())
    if rows.unit:
        steps = np.rint(rows.vectors / np.float32(rows.unit)).astype(np.int16)
        wire.step_bits = bits_of(steps)
        wire.steps = to_packed(steps, wire.step_bits)
        wire.unit = rows.unit
    else:
        wire.vectors = to_bytes(rows.vectors, "<f4")
    wire.biases = to_bytes(rows.biases, "<f4")
    wire.pinned.extend(rows.pinned.tolist())
    wire.learned = rows.learned


def read_vectors(wire: pb.ItemVectors) -> VectorRows:
    """Return vectors, down to the bit as they were written. Raises ValueError when torn."""
    items = to_ints(wire.items)
    if wire.steps:
        steps = from_packed(wire.steps, wire.step_bits or MAX_BITS, items.size)
        vectors = steps.astype(np.float32) * np.float32(wire.unit)
    else:
        vectors = to_rows(np.frombuffer(wire.vectors, "<f4"), items.size)
    return VectorRows(
        items,
        vectors,
        np.frombuffer(wire.biases, "<f4"),
        np.array(wire.pinned, np.bool_),
        wire.learned,
        wire.unit,
    )


def all_vectors(wire: pb.TenantChanges) -> Iterator[pb.ItemVectors]:
    """Yield the vectors of all generations, those of the one that serves first."""
    if wire.HasField("item_vectors"):
        yield wire.item_vectors
    yield from wire.other_item_vectors


def check_vectors(rows: VectorRows, item_count: int, dimension: int, max_norm: float) -> None:
    """Raise RefusedParametersError when they are not vectors of a generation so made."""
    if rows.items.size == 0:
        return
    _check_indices("item_vectors.items", rows.items, item_count)
    _check_lengths("item_vectors", rows.items, rows.vectors, rows.biases)
    check_norms("item_vectors.vectors", rows.vectors, dimension, max_norm)
    largest = float(np.abs(rows.biases).max())
    if not largest <= max_norm * (1 + NORM_SLACK):
        refuse(f"item_vectors.biases: {largest} is not within {max_norm}")


def write_factor(generation_id: str, factor: Floats, wire: pb.TenantChanges) -> None:
    """Write what users of a generation are encoded with: [d, d]."""
    wire.encoder_factors.add(generation_id=generation_id, factor=to_bytes(factor, "<f4"))


def read_factor(wire: pb.EncoderFactor) -> Floats:
    """Return what users are encoded with. Raises ValueError when it is no square."""
    values = np.frombuffer(wire.factor, "<f4")
    side = math.isqrt(values.size)
    return values.reshape(side, side)


def check_factor(factor: Floats, dimension: int) -> None:
    """Raise RefusedParametersError when it is not of a generation so made."""
    if factor.shape != (dimension, dimension):
        refuse(f"encoder_factors: shape {factor.shape}, wanted {(dimension, dimension)}")
    if not np.isfinite(factor).all():
        refuse("encoder_factors: a value is not finite")


def write_rollback(rollback: VectorRollback, wire: pb.VectorRollback) -> None:
    """Write that vectors go back."""
    wire.generation_id = rollback.generation_id
    wire.to_version = rollback.to_version
    wire.reason = rollback.reason
    wire.count = rollback.count


def read_rollback(wire: pb.VectorRollback) -> VectorRollback:
    """Return that vectors go back."""
    return VectorRollback(wire.generation_id, wire.to_version, wire.reason, wire.count)


# Sections that are columns and nothing else.


@dataclass(frozen=True, slots=True)
class ColumnSection:
    """How a section is written, read, checked and merged: all follows from its columns.

    columns: their kinds by name, ITEMS (indices of items), NUMBERS or a kind of float. key: which
    columns tell rows apart, so that of two frames the newer row wins. bounds: of NUMBERS, what they
    must be below. check: what else must hold of its rows, one at least.
    """

    rows: type
    wanted_by: pb.Section
    columns: Mapping[str, str]
    key: Sequence[str]
    bounds: Mapping[str, int]
    check: Callable[[Any], None]

    def write(self, rows: Any, wire: Any) -> None:
        """Write rows into the field of the frame."""
        for name, kind in self.columns.items():
            column = getattr(rows, name)
            if kind in (ITEMS, NUMBERS):
                getattr(wire, name).extend(column.tolist())
            else:
                setattr(wire, name, to_bytes(column, kind))

    def read(self, wire: Any) -> Any:
        """Return the rows of the field of a frame. Raises ValueError when torn."""
        return self.rows(*(
            to_ints(getattr(wire, name))
            if kind in (ITEMS, NUMBERS)
            else np.frombuffer(getattr(wire, name), kind)
            for name, kind in self.columns.items()
        ))  # fmt: skip

    def refuse_wrong(self, field: str, rows: Any, item_count: int) -> None:
        """Raise RefusedParametersError when something is wrong."""
        columns = {name: getattr(rows, name) for name in self.columns}
        _check_lengths(field, *columns.values())
        if not next(iter(columns.values())).size:
            return
        for name, kind in self.columns.items():
            if kind in (ITEMS, NUMBERS):
                bound = item_count if kind == ITEMS else self.bounds[name]
                _check_indices(f"{field}.{name}", columns[name], bound)
        self.check(rows)

    def merged(self, parts: Sequence[tuple[Ints, Any]]) -> Any:
        """Return one of several, in order, each with what its indices of items become."""
        whole = {
            name: np.concatenate([
                items[getattr(rows, name)] if kind == ITEMS else getattr(rows, name)
                for items, rows in parts
            ])
            for name, kind in self.columns.items()
        }  # fmt: skip
        key = np.zeros(len(next(iter(whole.values()))), np.int64)
        for name in self.key:
            key = key * (int(whole[name].max(initial=0)) + 1) + whole[name]
        kept = last_of_each(key)
        return self.rows(*(column[kept] for column in whole.values()))


ITEMS, NUMBERS = "items", "numbers"


def _check_rules(cells: RuleCells) -> None:
    _check_not_negative("rules.weights", cells.weights)


def _check_popularity(rows: PopularityRows) -> None:
    _check_not_negative("popularity.counts", rows.counts)
    _check_levels("popularity.levels", rows.levels)


def _check_trends(rows: TrendRows) -> None:
    _check_levels("trends.levels", rows.levels)


def _check_places(cells: PlaceCells) -> None:
    _check_levels("context_popularity.levels", cells.levels)


COLUMNS: Mapping[str, ColumnSection] = MappingProxyType(
    {
        "rules": ColumnSection(
            RuleCells,
            pb.SECTION_RULES,
            {"sources": ITEMS, "slots": NUMBERS, "targets": ITEMS, "weights": "<f4"},
            ("sources", "slots"),
            {"slots": MAX_SLOTS},
            _check_rules,
        ),
        "popularity": ColumnSection(
            PopularityRows,
            pb.SECTION_POPULARITY,
            {"items": ITEMS, "levels": "<f8", "counts": "<f8"},
            ("items",),
            {},
            _check_popularity,
        ),
        "context_popularity": ColumnSection(
            PlaceCells,
            pb.SECTION_POPULARITY,
            {"items": ITEMS, "places": NUMBERS, "levels": "<f8"},
            ("items", "places"),
            {"places": 2 * PLACES},
            _check_places,
        ),
        "trends": ColumnSection(
            TrendRows,
            pb.SECTION_POPULARITY,
            {"items": ITEMS, "levels": "<f8"},
            ("items",),
            {},
            _check_trends,
        ),
    }
)
"""By the name of the field in frames and in ColumnSections."""


def write_columns(sections: ColumnSections, wire: pb.TenantChanges) -> None:
    """Write the sections that there are."""
    for name, section in COLUMNS.items():
        rows = getattr(sections, name)
        if rows is not None:
            section.write(rows, getattr(wire, name))


def read_columns(wire: pb.TenantChanges) -> dict[str, Any]:
    """Return the sections that there are, by name. Raises ValueError when torn."""
    return {
        name: section.read(getattr(wire, name))
        for name, section in COLUMNS.items()
        if wire.HasField(name)
    }


def check_columns(sections: ColumnSections, item_count: int) -> None:
    """Raise RefusedParametersError when something is wrong."""
    for name, section in COLUMNS.items():
        rows = getattr(sections, name)
        if rows is not None:
            section.refuse_wrong(name, rows, item_count)


# The head of the scorer.


def write_head(head: HeadParameters, wire: pb.ScorerHead) -> None:
    """Write the head."""
    wire.generation_id = head.generation_id
    wire.outcomes.extend(head.outcomes)
    wire.parameters = to_bytes(head.parameters, "<f8")
    wire.slopes = to_bytes(head.slopes, "<f8")
    wire.slates = head.slates
    for one in head.figures:
        wire.figures.add(**one._asdict())


def read_head(wire: pb.ScorerHead) -> HeadParameters:
    """Return the head. Raises ValueError when torn."""
    parameters = np.frombuffer(wire.parameters, "<f8")
    if not wire.outcomes:
        raise ValueError("a head without outcomes")
    outcomes = len(wire.outcomes)
    slopes = np.frombuffer(wire.slopes, "<f8") if wire.slopes else np.ones(outcomes)
    if slopes.shape != (outcomes,) or not (slopes > 0).all():
        raise ValueError(f"a head of {outcomes} outcomes with slopes {slopes.tolist()}")
    return HeadParameters(
        wire.generation_id,
        tuple(wire.outcomes),
        parameters.reshape(outcomes, -1),
        slopes,
        wire.slates,
        tuple(
            OutcomeFigures(
                one.surface, one.outcome, one.examples, one.predicted, one.actual,
                one.calibration_error,
            )
            for one in wire.figures
        ),
    )  # fmt: skip


def check_head(parameters: Doubles, outcomes: int, columns: int) -> None:
    """Raise RefusedParametersError when they are not of a scorer so made."""
    wanted = (outcomes, columns + 3)
    if parameters.shape != wanted:
        refuse(f"head.parameters: shape {parameters.shape}, wanted {wanted}")
    if not np.isfinite(parameters).all():
        refuse("head.parameters: a value is not finite")


def write_posterior(posterior: PosteriorParameters, wire: pb.OrderPosterior) -> None:
    """Write how sure the order is."""
    wire.generation_id = posterior.generation_id
    wire.precisions = to_upper(posterior.precisions)
    wire.temperature = posterior.temperature


def read_posterior(wire: pb.OrderPosterior) -> PosteriorParameters:
    """Return how sure the order is. Raises ValueError when torn, or no numbers of it."""
    values = len(wire.precisions) // 4
    # Of n columns there are n (n + 1) / 2 values.
    columns = (math.isqrt(8 * values + 1) - 1) // 2
    precisions = from_upper(wire.precisions, columns)
    if not (np.isfinite(precisions).all() and 0 < wire.temperature < math.inf):
        raise ValueError(f"an order of which is known {precisions}, {wire.temperature}")
    return PosteriorParameters(wire.generation_id, precisions, wire.temperature)


# What user vectors have become.


def write_user_vectors(generation_id: str, users: UserVectors, wire: pb.LearnedUserVectors) -> None:
    """Write vectors of users."""
    wire.generation_id = generation_id
    wire.user_keys.extend(users.user_keys)
    wire.vectors = to_bytes(users.vectors, "<f2")


def read_user_vectors(wire: pb.LearnedUserVectors) -> UserVectors:
    """Return vectors of users. Raises ValueError when torn."""
    values = np.frombuffer(wire.vectors, "<f2").astype(np.float32)
    return UserVectors(list(wire.user_keys), to_rows(values, len(wire.user_keys)))


# What sections have in common.


def check_norms(what: str, vectors: Floats, dimension: int, max_norm: float) -> None:
    """Raise RefusedParametersError when vectors [n, d] are not of a generation so made."""
    if vectors.shape[1] != dimension:
        refuse(f"{what}: {vectors.shape[1]} values a row, wanted {dimension}")
    # The largest squared norm is NaN or infinite when any value is.
    largest = float(np.einsum("nd,nd->n", vectors, vectors).max())
    bound = max_norm * (1 + NORM_SLACK)
    if not largest <= bound * bound:
        refuse(f"{what}: norm {math.sqrt(largest)} is not within {max_norm}")


def last_of_each(keys: Ints) -> Ints:
    """Return the places of the last of each value, ascending."""
    _, backwards = np.unique(keys[::-1], return_index=True)
    return np.sort(keys.size - 1 - backwards)


def refuse(what: str) -> NoReturn:
    """Raise RefusedParametersError."""
    raise RefusedParametersError(what)


def _check_lengths(what: str, *columns: np.ndarray) -> None:
    if len({column.shape[0] for column in columns}) > 1:
        refuse(f"{what}: columns differ in length")


def _check_indices(what: str, indices: Ints, bound: int) -> None:
    # Indices come from unsigned columns: none is negative.
    largest = int(indices.max())
    if largest >= bound:
        refuse(f"{what}: {largest} is not below {bound}")


def _check_not_negative(what: str, values: np.ndarray) -> None:
    # NaN compares false with everything, so it makes the sum below fail as infinity does.
    smallest = float(values.min())
    if not smallest >= 0 or not math.isfinite(float(values.max())):
        refuse(f"{what}: a value is negative or not finite")


def _check_levels(what: str, levels: np.ndarray) -> None:
    largest = float(levels.max())
    if not largest < math.inf:
        refuse(f"{what}: {largest} is not a level")
