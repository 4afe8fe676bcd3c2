"""A frame's columns as plain arrays: the domain knows neither protobuf nor bytes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harken.feedback.v1 import item_pb2
from harken.internal.feed.v1 import frame_pb2
from services.feed.parameters_codec import read_vectors
from services.ranker.domain.arrays import Ordinals
from services.ranker.domain.changes import (
    CatalogueChanges,
    FactorChange,
    ItemFacts,
    PlaceChanges,
    PopularityChanges,
    RefusedChangesError,
    RuleChanges,
    TenantChanges,
    VectorChanges,
    VectorRollback,
)
from services.ranker.domain.generation import Generation
from services.ranker.domain.scorer_head import OutcomeFigures, ScorerHead

_NEVER = float("inf")


def tenant_changes(
    changes: frame_pb2.TenantChanges,
    activated: Generation | None,
    staged: Generation | None = None,
) -> TenantChanges:
    """Return one tenant's part of a frame; `activated` and `staged` are what its manifests stand
    for.

    Raises:
        RefusedChangesError: a column is not a whole number of values or rows.

    """
    try:
        return TenantChanges(
            item_ids=tuple(changes.item_ids),
            activated=activated,
            staged=staged,
            retired=tuple(changes.retired_generation_ids),
            catalogue=_catalogue(changes.catalogue),
            vectors=_vectors(changes.item_vectors) if changes.HasField("item_vectors") else None,
            other_vectors=tuple(_vectors(part) for part in changes.other_item_vectors),
            rollback=_rollback(changes.vector_rollback)
            if changes.HasField("vector_rollback")
            else None,
            rules=_rules(changes.rules) if changes.HasField("rules") else None,
            popularity=_popularity(changes.popularity) if changes.HasField("popularity") else None,
            places=(
                _places(changes.place_popularity) if changes.HasField("place_popularity") else None
            ),
            factors=tuple(_factor(part) for part in changes.encoder_factors),
            head=_head(changes.head) if changes.HasField("head") else None,
        )
    except ValueError as error:
        raise RefusedChangesError(f"a column is torn: {error}") from error


def _catalogue(changes: frame_pb2.CatalogueChanges) -> CatalogueChanges:
    return CatalogueChanges(
        tuple(_item(item) for item in changes.items), tuple(changes.deleted_item_ids)
    )


def _item(item: item_pb2.Item) -> ItemFacts:
    return ItemFacts(
        item.item_id,
        tuple(dict.fromkeys(item.categories)),
        item.available if item.HasField("available") else True,
        item.expire_time.seconds + item.expire_time.nanos / 1e9
        if item.HasField("expire_time")
        else _NEVER,
    )


def _vectors(changes: frame_pb2.ItemVectors) -> VectorChanges:
    rows = read_vectors(changes)
    return VectorChanges(changes.generation_id, rows.items, rows.vectors, rows.biases)


def _rollback(rollback: frame_pb2.VectorRollback) -> VectorRollback:
    return VectorRollback(rollback.generation_id, rollback.count)


def _rules(changes: frame_pb2.RuleCells) -> RuleChanges:
    return RuleChanges(
        _indices(changes.sources),
        _indices(changes.slots),
        _indices(changes.targets),
        np.frombuffer(changes.weights, dtype="<f4"),
    )


def _places(changes: frame_pb2.PlacePopularity) -> PlaceChanges:
    return PlaceChanges(
        _indices(changes.items),
        _indices(changes.places),
        np.frombuffer(changes.levels, dtype="<f8"),
    )


def _popularity(changes: frame_pb2.Popularity) -> PopularityChanges:
    return PopularityChanges(
        _indices(changes.items),
        np.frombuffer(changes.levels, dtype="<f8"),
        np.frombuffer(changes.counts, dtype="<f8"),
    )


def _factor(change: frame_pb2.EncoderFactor) -> FactorChange:
    values: npt.NDArray[np.float32] = np.frombuffer(change.factor, dtype="<f4")
    side = math.isqrt(values.size)
    return FactorChange(change.generation_id, values.reshape(side, side))


def _head(changes: frame_pb2.ScorerHead) -> ScorerHead:
    parameters = np.frombuffer(changes.parameters, dtype="<f8")
    if not changes.outcomes:
        raise ValueError("a head without outcomes")
    return ScorerHead(
        changes.generation_id,
        parameters.reshape(len(changes.outcomes), -1),
        changes.slates,
        tuple(
            OutcomeFigures(
                one.surface,
                one.outcome,
                one.examples,
                one.predicted,
                one.actual,
                one.calibration_error,
            )
            for one in changes.figures
        ),
    )


def _indices(column: Sequence[Any]) -> Ordinals:
    return np.fromiter(column, dtype=np.int64, count=len(column))
