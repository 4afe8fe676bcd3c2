"""A frame's columns as plain arrays: the domain knows neither protobuf nor bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harken.feedback.v1 import frame_pb2, item_pb2
from services.ranker.domain.arrays import Float32s, Ordinals
from services.ranker.domain.changes import (
    CatalogueChanges,
    ItemFacts,
    PopularityChanges,
    RefusedChangesError,
    RuleChanges,
    TenantChanges,
    UserChanges,
    VectorChanges,
)
from services.ranker.domain.generation import Generation

_NEVER = float("inf")


def tenant_changes(changes: frame_pb2.TenantChanges, activated: Generation | None) -> TenantChanges:
    """Return one tenant's part of a frame; `activated` is what its manifest stands for.

    Raises:
        RefusedChangesError: a column is not a whole number of values or rows.

    """
    try:
        return TenantChanges(
            item_ids=tuple(changes.item_ids),
            activated=activated,
            catalogue=_catalogue(changes.catalogue),
            vectors=_vectors(changes.item_vectors) if changes.HasField("item_vectors") else None,
            rules=_rules(changes.rules) if changes.HasField("rules") else None,
            popularity=_popularity(changes.popularity) if changes.HasField("popularity") else None,
            users=_users(changes.users) if changes.HasField("users") else None,
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
    items = _indices(changes.items)
    return VectorChanges(
        changes.generation_id,
        items,
        _rows(changes.vectors, items.size),
        np.frombuffer(changes.biases, dtype="<f4"),
    )


def _rules(changes: frame_pb2.RuleCells) -> RuleChanges:
    return RuleChanges(
        _indices(changes.sources),
        _indices(changes.slots),
        _indices(changes.targets),
        np.frombuffer(changes.weights, dtype="<f4"),
    )


def _popularity(changes: frame_pb2.Popularity) -> PopularityChanges:
    return PopularityChanges(
        _indices(changes.items),
        np.frombuffer(changes.levels, dtype="<f8"),
        np.frombuffer(changes.counts, dtype="<f8"),
    )


def _users(changes: frame_pb2.UserDeltas) -> UserChanges:
    vector_users = _indices(changes.vector_users)
    return UserChanges(
        tuple(changes.user_keys),
        _indices(changes.event_users),
        _indices(changes.event_items),
        np.frombuffer(changes.event_weights, dtype="<f4"),
        _indices(changes.event_times_us) / 1e6,
        changes.generation_id,
        vector_users,
        _rows(changes.vectors, vector_users.size),
    )


def _indices(column: Sequence[Any]) -> Ordinals:
    return np.fromiter(column, dtype=np.int64, count=len(column))


def _rows(column: bytes, rows: int) -> Float32s:
    values: npt.NDArray[np.float32] = np.frombuffer(column, dtype="<f4")
    if rows == 0 and values.size:
        raise ValueError("vectors of nobody")
    return values.reshape(rows, values.size // rows if rows else 0)
