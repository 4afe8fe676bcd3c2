"""Slates of the log as ExportSlates sends them."""

from collections.abc import Sequence

import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import exported_slate_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.feedback.slates.slate_export import JoinedSlate


def exported_slate(
    joined: JoinedSlate, outcome_names: Sequence[str], subject: subject_pb2.Subject
) -> pb.ExportedSlate:
    """Return a slate with its outcomes; `outcome_names`: of its generation, empty when unknown."""
    slate = joined.slate
    exported = pb.ExportedSlate(
        slate_id=slate.slate_id,
        subject=subject,
        surface=slate.surface,
        generation_id=slate.generation_id,
        policy=slate.policy,
        seed=slate.seed,
        sequence=joined.sequence,
        items=_items(slate),
        outcome_names=outcome_names if slate.probabilities else (),
        exposures=[
            pb.ExportedExposure(
                experiment=one.experiment,
                variant=one.variant,
                revision=one.revision,
                layer=one.layer,
                not_served=one.not_served,
            )
            for one in slate.exposures
        ],
        window_over=joined.window_over,
    )
    exported.serve_time.FromMicroseconds(slate.served_at_us)
    exported.accept_time.FromMicroseconds(joined.accepted_at_us)
    decision = slate.decision
    if decision.exploration.WhichOneof("policy") or decision.exploration.new_item_share:
        exported.decision.surface_revision = decision.surface_revision
        exported.decision.exploration.CopyFrom(decision.exploration)
        exported.decision.candidate_ids.extend(decision.candidate_ids)
        exported.decision.utilities.extend(_floats(decision.utilities))
        exported.decision.predicted.extend(_floats(decision.probabilities))
        exported.decision.barred.extend(decision.barred)
        exported.decision.lowered.extend(decision.lowered)
        exported.decision.lowered_unit = decision.lowered_unit
        exported.decision.new_items = decision.new_items
        exported.decision.drawn.extend(decision.drawn)
    for place, event in joined.outcomes:
        outcome = exported.outcomes.add(item_id=event.item_id, place=place + 1, type=event.type)
        if event.value is not None:
            outcome.value = event.value
        outcome.delay.FromMicroseconds(event.time_us - slate.served_at_us)
    return exported


def _items(slate: entry_pb2.LoggedSlate) -> list[pb.ExportedSlateItem]:
    count = len(slate.item_ids)
    predicted = np.frombuffer(slate.probabilities, "<f4").reshape(count, -1).tolist()
    return [
        pb.ExportedSlateItem(item_id=item_id, propensity=propensity, predicted=row)
        for item_id, propensity, row in zip(
            slate.item_ids, _floats(slate.propensities), predicted, strict=True
        )
    ]


def _floats(column: bytes) -> list[float]:
    floats: list[float] = np.frombuffer(column, "<f4").tolist()
    return floats
