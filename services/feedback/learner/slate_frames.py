"""What frames say of slates, the head and calibration: to and from the wire."""

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from harken.internal.feed.v1 import frame_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.feed import parameters_codec as codec
from services.feed.columns import from_upper, to_bytes, to_upper
from services.feed.parameters import Doubles, HeadParameters, OutcomeFigures, PosteriorParameters
from services.feedback.learner.model.attribution_joiner import JoinerItem
from services.feedback.learner.model.calibration import CalibrationSums
from services.feedback.learner.model.choices.learning import ChoiceChanges
from services.feedback.learner.model.impression import Impression, SlateEvent, Visit
from services.feedback.learner.model.pending_slate import AwaitedReturn, PendingSlate
from services.feedback.learner.model.slate_learning import (
    CalibrationChanges,
    HeadChanges,
    JoinerChanges,
    JoinerContents,
    SlateChanges,
)
from services.feedback.slates.slate_conversion import impression, logged_again

SlatesOf = Mapping[int, entry_pb2.LoggedSlate]
"""Slates by their sequence in the log."""


def slates_to_wire(changes: SlateChanges, wire: pb.TenantChanges) -> None:
    """Write what changed into a tenant's part of a frame."""
    if changes.input is not None:
        wire.learner.joiner_input.now_us = changes.input.now_us
        for item in changes.input.items:
            _item_to_wire(item, wire.learner.joiner_input.items.add())
    if changes.contents is not None:
        wire.learner.joiner.CopyFrom(_contents_to_wire(changes.contents))
    if changes.head is not None:
        head = changes.head
        figures = tuple(
            OutcomeFigures(one.surface, one.outcome, *one.sums.figures())
            for one in changes.calibration
        )
        codec.write_head(
            HeadParameters(
                head.generation_id, head.outcomes, head.parameters, head.slopes, head.slates,
                figures,
            ),
            wire.head,
        )  # fmt: skip
        training = wire.learner.head_training
        if head.slope_squares is not None:
            training.slope_squares = to_bytes(head.slope_squares, "<f8")
        if head.accumulators is not None:
            training.accumulators = to_bytes(head.accumulators, "<f8")
        if head.choices is not None:
            training.choice_weights = to_bytes(head.choices.weights, "<f8")
            if head.choices.precisions is not None:
                training.choice_precisions = to_upper(head.choices.precisions)
            training.choice_temperature = head.choices.temperature
            training.choice_figures = to_bytes(head.choices.figures, "<f8")
            if head.tell_posterior and head.choices.precisions is not None:
                told = PosteriorParameters(
                    head.generation_id, head.choices.precisions, head.choices.temperature
                )
                codec.write_posterior(told, wire.order_posterior)
    for one in changes.calibration:
        wire.learner.calibration.add(
            surface=one.surface,
            outcome=one.outcome,
            counts=to_bytes(one.sums.counts, "<f8"),
            predicted=to_bytes(one.sums.predicted, "<f8"),
            actual=to_bytes(one.sums.actual, "<f8"),
        )


def named_slates(frame: pb.Frame) -> list[int]:
    """Return the log sequences of the slates that a frame names."""
    named = []
    for tenant in frame.tenants:
        learner = tenant.learner
        items = (*learner.joiner_input.items, *learner.joiner.early)
        named += [item.slate_sequence for item in items if item.HasField("slate_sequence")]
        named += [pending.sequence for pending in learner.joiner.logged_slates]
    return named


def slates_from_wire(wire: pb.TenantChanges, slates: SlatesOf) -> SlateChanges | None:
    """Return what a tenant's part of a frame says, None when nothing.

    slates: those that the frame names. One that the log no longer holds is left out.
    """
    learner = wire.learner
    changes = SlateChanges()
    if learner.HasField("joiner_input"):
        part = learner.joiner_input
        changes.input = JoinerChanges(part.now_us, tuple(_items_from_wire(part.items, slates)))
    if learner.HasField("joiner"):
        changes.contents = _contents_from_wire(learner.joiner, slates)
    if wire.HasField("head"):
        head, training = codec.read_head(wire.head), learner.head_training
        squares = training.slope_squares
        changes.head = HeadChanges(
            head.generation_id,
            head.outcomes,
            head.parameters,
            _rows(training.accumulators, len(head.outcomes)),
            head.slopes,
            np.frombuffer(squares, "<f8") if squares else None,
            head.slates,
            _choices_from_wire(training),
        )
    changes.calibration = [
        CalibrationChanges(
            one.surface,
            one.outcome,
            CalibrationSums(
                np.stack(
                    [
                        np.frombuffer(column, "<f8")
                        for column in (one.counts, one.predicted, one.actual)
                    ]
                )
            ),
        )
        for one in learner.calibration
    ]
    return changes if changes.anything else None


def _rows(content: bytes, rows: int) -> Doubles | None:
    return np.frombuffer(content, "<f8").reshape(rows, -1) if content else None


def _choices_from_wire(wire: pb.HeadTraining) -> ChoiceChanges | None:
    if not wire.choice_figures:
        return None
    weights = np.frombuffer(wire.choice_weights, "<f8")
    precisions = wire.choice_precisions
    return ChoiceChanges(
        weights,
        from_upper(precisions, weights.size + 1) if precisions else None,
        wire.choice_temperature,
        np.frombuffer(wire.choice_figures, "<f8"),
    )


def _item_to_wire(item: JoinerItem, wire: pb.JoinerItem) -> None:
    wire.accepted_at_us = item.accepted_at_us
    kind = item.kind
    if isinstance(kind, Impression):
        if kind.sequence:
            wire.slate_sequence = kind.sequence
        else:
            wire.slate = logged_again(kind).SerializeToString()
        return
    if isinstance(kind, Visit):
        wire.visit.user_key = kind.user_key
        wire.visit.type = kind.type
        if not math.isnan(kind.value):
            wire.visit.value = kind.value
        wire.visit.time_us = kind.time_us
        return
    wire.event.slate_id = kind.slate_id
    wire.event.user_key = kind.user_key
    wire.event.item_id = kind.item_id
    wire.event.type = kind.type
    if not math.isnan(kind.value):
        wire.event.value = kind.value
    wire.event.weight = kind.weight


def _items_from_wire(items: Iterable[pb.JoinerItem], slates: SlatesOf) -> Iterator[JoinerItem]:
    for wire in items:
        match wire.WhichOneof("kind"):
            case "slate_sequence":
                logged = slates.get(wire.slate_sequence)
                if logged is not None:
                    slate = impression(logged, wire.slate_sequence)
                    yield JoinerItem(wire.accepted_at_us, slate)
            case "slate":
                yield JoinerItem(wire.accepted_at_us, _slate(wire.slate))
            case "visit":
                yield JoinerItem(wire.accepted_at_us, _visit(wire.visit))
            case _:
                yield JoinerItem(wire.accepted_at_us, _event(wire.event))


def _event(event: pb.SlateEvent) -> SlateEvent:
    return SlateEvent(
        event.slate_id,
        event.user_key,
        event.item_id,
        event.type,
        event.value if event.HasField("value") else math.nan,
        event.weight,
    )


def _visit(visit: pb.Visit) -> Visit:
    value = visit.value if visit.HasField("value") else math.nan
    return Visit(visit.user_key, visit.type, value, visit.time_us)


def _slate(content: bytes) -> Impression:
    return impression(entry_pb2.LoggedSlate.FromString(content), 0)


def _contents_to_wire(contents: JoinerContents) -> pb.JoinerState:
    state = pb.JoinerState(
        now_us=contents.now_us, evicted_served_at_us=contents.evicted_served_at_us
    )
    for pending in contents.slates:
        if pending.slate.sequence:
            state.logged_slates.add(
                sequence=pending.slate.sequence,
                accepted_at_us=pending.accepted_at_us,
                outcomes=pending.labels.shape[1],
                labels=np.flatnonzero(pending.labels).tolist(),
                taken=np.flatnonzero(pending.taken).tolist(),
                settled=pending.settled,
                awaited=_awaited_to_wire(pending),
                attributed=pending.attributed,
            )
        else:
            state.slates.add(
                slate=logged_again(pending.slate).SerializeToString(),
                accepted_at_us=pending.accepted_at_us,
                labels=to_bytes(pending.labels, "u1"),
                taken=to_bytes(pending.taken, "u1"),
                settled=pending.settled,
                awaited=_awaited_to_wire(pending),
                attributed=pending.attributed,
            )
    for item in contents.early:
        _item_to_wire(item, state.early.add())
    return state


def _awaited_to_wire(pending: PendingSlate) -> list[pb.AwaitedReturn]:
    return [
        pb.AwaitedReturn(outcome=name, column=one.column, returned=one.returned)
        for name, one in pending.awaited.items()
    ]


def _awaited_from_wire(wire: Iterable[pb.AwaitedReturn]) -> dict[str, AwaitedReturn]:
    return {one.outcome: AwaitedReturn(one.column, one.returned) for one in wire}


def _contents_from_wire(wire: pb.JoinerState, slates: SlatesOf) -> JoinerContents:
    logged = (_logged_pending(one, slates) for one in wire.logged_slates)
    pending = (*map(_pending, wire.slates), *(one for one in logged if one is not None))
    return JoinerContents(
        wire.now_us,
        wire.evicted_served_at_us,
        tuple(sorted(pending, key=lambda one: one.accepted_at_us)),
        tuple(_items_from_wire(wire.early, slates)),
    )


def _logged_pending(wire: pb.LoggedPendingSlate, slates: SlatesOf) -> PendingSlate | None:
    logged = slates.get(wire.sequence)
    if logged is None:
        return None
    slate = impression(logged, wire.sequence)
    labels = np.zeros((len(slate.item_ids), wire.outcomes), np.bool_)
    labels.flat[list(wire.labels)] = True
    taken = np.zeros(len(slate.item_ids), np.bool_)
    taken[list(wire.taken)] = True
    return PendingSlate(
        slate,
        wire.accepted_at_us,
        labels,
        taken,
        wire.settled,
        wire.attributed,
        _awaited_from_wire(wire.awaited),
    )


def _pending(wire: pb.PendingSlate) -> PendingSlate:
    slate = _slate(wire.slate)
    items = len(slate.item_ids)
    # Copies: later events go on writing here.
    labels = np.frombuffer(wire.labels, "u1").astype(np.bool_)
    return PendingSlate(
        slate,
        wire.accepted_at_us,
        labels.reshape(items, labels.size // items),
        np.frombuffer(wire.taken, "u1").astype(np.bool_),
        wire.settled,
        wire.attributed,
        _awaited_from_wire(wire.awaited),
    )
