"""Outcomes of a generation: messages, and what the domain knows."""

from collections.abc import Iterable

from harken.feedback.v1 import generation_pb2 as pb
from services.feedback.learner.model.outcome_definition import OutcomeDefinition, ReturnWindow


def outcome_message(outcome: OutcomeDefinition) -> pb.Outcome:
    """Return an outcome as a message."""
    message = pb.Outcome(
        name=outcome.name, event_types=sorted(outcome.event_types), weight=outcome.weight
    )
    if outcome.min_value is not None:
        message.min_value = outcome.min_value
    if outcome.returns is not None:
        message.return_window.after.FromMicroseconds(outcome.returns.after_us)
        message.return_window.until.FromMicroseconds(outcome.returns.until_us)
    return message


def outcome_definitions(messages: Iterable[pb.Outcome]) -> tuple[OutcomeDefinition, ...]:
    """Return the outcomes of a manifest."""
    return tuple(
        OutcomeDefinition(
            one.name,
            frozenset(one.event_types),
            one.min_value if one.HasField("min_value") else None,
            one.weight,
            return_window(one.return_window) if one.HasField("return_window") else None,
        )
        for one in messages
    )


def return_window(window: pb.ReturnWindow) -> ReturnWindow:
    """Return a window, whether it is one that is allowed or not."""
    return ReturnWindow(window.after.ToMicroseconds(), window.until.ToMicroseconds())
