"""Checks of a frame's changes, all made before anything is folded.

A rejected update changes nothing (truth 7), so whatever could fail half-way is looked for here.
"""

import math
from collections.abc import Mapping

import numpy as np

from services.common.norm_slack import NORM_SLACK
from services.common.place_in_history import PLACES
from services.ranker.domain.arrays import Float32s, Ordinals
from services.ranker.domain.changes import (
    CatalogueChanges,
    FactorChange,
    PlaceChanges,
    PopularityChanges,
    RefusedChangesError,
    RuleChanges,
    TenantChanges,
    VectorChanges,
)
from services.ranker.domain.generation import Generation
from services.ranker.domain.rule_table import MAX_SLOTS
from services.ranker.domain.scorer_head import ScorerHead


def check_changes(
    changes: TenantChanges, generation: Generation | None, others: Mapping[str, Generation]
) -> None:
    """Check everything against `generation`, the one that serves once the changes are folded, and
    `others`, those that are built besides.

    Raises:
        RefusedChangesError: something is wrong; the message says what.

    """
    item_count = len(changes.item_ids)
    _check_catalogue(changes.catalogue)
    if changes.vectors is not None:
        _check_item_vectors(changes.vectors, item_count, generation)
    for vectors in changes.other_vectors:
        own = others.get(vectors.generation_id)
        if own is None:
            _refuse(f"item vectors of generation {vectors.generation_id!r}, which is not built")
        _check_item_vectors(vectors, item_count, own)
    if changes.rules is not None:
        _check_rules(changes.rules, item_count)
    if changes.popularity is not None:
        _check_popularity(changes.popularity, item_count)
    if changes.places is not None:
        _check_places(changes.places, item_count)
    for factor in changes.factors:
        _check_factor(factor, others.get(factor.generation_id))
    if changes.head is not None:
        _check_head(changes.head, generation)


def _refuse(what: str) -> None:
    raise RefusedChangesError(what)


def _check_catalogue(changes: CatalogueChanges) -> None:
    for item in changes.upserted:
        if not item.item_id:
            _refuse("an item without id")
        if math.isnan(item.expires_at):
            _refuse(f"expire time of item {item.item_id!r} is not a number")


def _check_item_vectors(
    changes: VectorChanges, item_count: int, generation: Generation | None
) -> None:
    if changes.items.size == 0:
        return
    if generation is None:
        raise RefusedChangesError("item vectors before any generation was activated")
    if changes.generation_id != generation.generation_id:
        _refuse(
            f"item vectors of generation {changes.generation_id!r}, "
            f"{generation.generation_id!r} serves"
        )
    _check_indices("item_vectors.items", changes.items, item_count)
    _check_lengths("item_vectors", changes.items, changes.vectors, changes.biases)
    _check_vectors("item_vectors.vectors", changes.vectors, generation)
    largest = float(np.abs(changes.biases).max())
    if not largest <= generation.max_norm * (1 + NORM_SLACK):
        _refuse(f"item_vectors.biases: {largest} is not within {generation.max_norm}")


def _check_rules(changes: RuleChanges, item_count: int) -> None:
    if changes.sources.size == 0:
        return
    _check_lengths("rules", changes.sources, changes.slots, changes.targets, changes.weights)
    _check_indices("rules.sources", changes.sources, item_count)
    _check_indices("rules.targets", changes.targets, item_count)
    _check_indices("rules.slots", changes.slots, MAX_SLOTS)
    _check_not_negative("rules.weights", changes.weights)


def _check_places(changes: PlaceChanges, item_count: int) -> None:
    if changes.items.size == 0:
        return
    _check_lengths("place_popularity", changes.items, changes.places, changes.levels)
    _check_indices("place_popularity.items", changes.items, item_count)
    _check_indices("place_popularity.places", changes.places, 2 * PLACES)
    largest = float(changes.levels.max())
    if not largest < math.inf:
        _refuse(f"place_popularity.levels: {largest} is not a level")


def _check_popularity(changes: PopularityChanges, item_count: int) -> None:
    if changes.items.size == 0:
        return
    _check_lengths("popularity", changes.items, changes.levels, changes.counts)
    _check_indices("popularity.items", changes.items, item_count)
    _check_not_negative("popularity.counts", changes.counts)
    largest = float(changes.levels.max())
    if not largest < math.inf:
        _refuse(f"popularity.levels: {largest} is not a level")


def _check_factor(change: FactorChange, generation: Generation | None) -> None:
    if generation is None:
        raise RefusedChangesError(
            f"encoder factor of generation {change.generation_id!r}, which is not built"
        )
    wanted = (generation.dimension, generation.dimension)
    if change.factor.shape != wanted:
        _refuse(f"encoder_factors.factor: shape {change.factor.shape}, wanted {wanted}")
    if not np.isfinite(change.factor).all():
        _refuse("encoder_factors.factor: a value is not finite")


def _check_head(head: ScorerHead, generation: Generation | None) -> None:
    if generation is None or head.generation_id != generation.generation_id:
        # One of a generation that does not serve: nobody uses it.
        return
    wanted = (len(generation.scorer.outcomes), len(generation.scorer.features) + 3)
    if head.parameters.shape != wanted:
        _refuse(f"head.parameters: shape {head.parameters.shape}, wanted {wanted}")
    if not np.isfinite(head.parameters).all():
        _refuse("head.parameters: a value is not finite")


def _check_lengths(what: str, *columns: np.ndarray) -> None:
    lengths = {column.shape[0] for column in columns}
    if len(lengths) > 1:
        _refuse(f"{what}: columns differ in length")


def _check_indices(what: str, indices: Ordinals, bound: int) -> None:
    # Indices come from unsigned columns: none is negative.
    largest = int(indices.max())
    if largest >= bound:
        _refuse(f"{what}: {largest} is not below {bound}")


def _check_not_negative(what: str, values: np.ndarray) -> None:
    # NaN compares false with everything, so it makes the sum below fail as infinity does.
    smallest = float(values.min())
    if not smallest >= 0 or not math.isfinite(float(values.max())):
        _refuse(f"{what}: a value is negative or not finite")


def _check_vectors(what: str, vectors: Float32s, generation: Generation) -> None:
    if vectors.shape[1] != generation.dimension:
        _refuse(f"{what}: {vectors.shape[1]} values a row, wanted {generation.dimension}")
    # The largest squared norm is NaN or infinite when any value is.
    largest = float(np.einsum("nd,nd->n", vectors, vectors).max())
    bound = generation.max_norm * (1 + NORM_SLACK)
    if not largest <= bound * bound:
        _refuse(f"{what}: norm {math.sqrt(largest)} is not within {generation.max_norm}")
