"""One tenant's part of a frame, read and checked: the domain knows neither protobuf nor bytes."""

from collections.abc import Mapping

from harken.internal.feed.v1 import frame_pb2
from services.feed import parameters_codec as codec
from services.feed.parameters import RefusedParametersError
from services.ranker.domain.changes import TenantChanges
from services.ranker.domain.generation import Generation
from services.ranker.domain.order_posterior import OrderPosterior
from services.ranker.domain.scorer_head import ScorerHead


def tenant_changes(
    changes: frame_pb2.TenantChanges,
    activated: Generation | None,
    staged: Generation | None = None,
) -> TenantChanges:
    """Return one tenant's part of a frame; `activated` and `staged` are what its manifests stand
    for.

    Raises:
        RefusedParametersError: a column is not a whole number of values or rows.

    """
    try:
        return TenantChanges(
            item_ids=tuple(changes.item_ids),
            activated=activated,
            staged=staged,
            retired=tuple(changes.retired_generation_ids),
            catalogue=codec.read_catalogue(changes.catalogue),
            documents=codec.read_documents(changes),
            vectors={
                part.generation_id: codec.read_vectors(part) for part in codec.all_vectors(changes)
            },
            factors={
                part.generation_id: codec.read_factor(part) for part in changes.encoder_factors
            },
            rollback=codec.read_rollback(changes.vector_rollback)
            if changes.HasField("vector_rollback")
            else None,
            head=ScorerHead.of(codec.read_head(changes.head)) if changes.HasField("head") else None,
            order_posterior=OrderPosterior.of(codec.read_posterior(changes.order_posterior))
            if changes.HasField("order_posterior")
            else None,
            **codec.read_columns(changes),
        )
    except ValueError as error:
        raise RefusedParametersError(f"a column is torn: {error}") from error


def check_changes(
    changes: TenantChanges, serving: Generation | None, built: Mapping[str, Generation]
) -> None:
    """Check everything against `built`, the generations that are there once the changes are folded,
    and `serving`, the one of them that serves then.

    Raises:
        RefusedParametersError: something is wrong; the message says what.

    """
    item_count = len(changes.item_ids)
    codec.check_catalogue(changes.catalogue)
    codec.check_documents(changes.documents)
    for name, rows in changes.vectors.items():
        own = _built("item vectors", name, built)
        codec.check_vectors(rows, item_count, own.dimension, own.max_norm)
    for name, factor in changes.factors.items():
        codec.check_factor(factor, _built("encoder factor", name, built).dimension)
    codec.check_columns(changes, item_count)
    head, posterior = changes.head, changes.order_posterior
    # That of a generation that does not serve is used by nobody.
    if head is not None and serving is not None and head.generation_id == serving.generation_id:
        outcomes, columns = len(serving.scorer.outcomes), len(serving.scorer.features)
        codec.check_head(head.parameters, outcomes, columns)
    if (
        posterior is not None
        and serving is not None
        and posterior.generation_id == serving.generation_id
        and len(posterior.spread) != len(serving.scorer.features)
    ):
        codec.refuse(f"order_posterior.precisions: of {len(posterior.spread)} columns")


def _built(what: str, name: str, built: Mapping[str, Generation]) -> Generation:
    own = built.get(name)
    if own is None:
        codec.refuse(f"{what} of generation {name!r}, which is not built")
    return own
