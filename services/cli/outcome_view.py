"""Predicted against actual, as lines of `harken status`."""

from collections.abc import Iterator, Sequence

from harken.ranker.v1 import ranker_service_pb2

State = ranker_service_pb2.GetServingStateResponse


def outcome_lines(tenant: str, states: Sequence[State]) -> Iterator[str]:
    """Yield a line on the head of the scorer, and one per surface and outcome.

    They are the learner's figures, which every ranker has from the feed: the newest one is asked.
    """
    if not states:
        return
    newest = max(states, key=lambda state: state.version)
    own = next((one for one in newest.tenants if one.tenant == tenant), None)
    if own is None or not own.outcomes:
        return
    yield f"tenant {tenant}: the head of the scorer has learned from {own.head_slates:,} slates"
    for one in own.outcomes:
        surface = one.surface or "(no surface)"
        yield (
            f"tenant {tenant}: {surface} {one.outcome}: predicted {one.predicted:.2%}, "
            f"actual {one.actual:.2%}, calibration error {one.calibration_error:.4f} "
            f"over about {one.examples:,.0f} items shown"
        )
