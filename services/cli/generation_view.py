"""Generations in words."""

from types import MappingProxyType

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import generation_service_pb2 as pb

STATES = MappingProxyType(
    {
        generation_pb2.GENERATION_STATE_PUBLISHED: "stored",
        generation_pb2.GENERATION_STATE_ACTIVE: "serving",
        generation_pb2.GENERATION_STATE_STAGED: "staged",
        generation_pb2.GENERATION_STATE_STANDBY: "on standby",
        generation_pb2.GENERATION_STATE_RETIRED: "retired",
    }
)


def state_text(one: pb.GenerationSummary) -> str:
    """Return the state of a generation, and why it was retired."""
    state = STATES.get(one.state, "unknown")
    return f"{state} ({one.retired_reason})" if one.retired_reason else state


def comparison_text(comparison: pb.LiveComparison) -> str:
    """Return a live comparison: mean difference, its confidence interval, and the events."""
    if not comparison.events:
        return "-"
    return (
        f"{comparison.mean_difference:+.4f} ({comparison.lower:+.4f} to {comparison.upper:+.4f}), "
        f"{comparison.events:,} events"
    )


def live_lines(tenant: str, one: pb.GenerationSummary) -> list[str]:
    """Return what is known of a generation from live events, a line each; none when nothing is."""
    name = one.manifest.generation_id
    lines = []
    if one.state == generation_pb2.GENERATION_STATE_STAGED:
        compared = comparison_text(one.validation)
        lines.append(f"tenant {tenant}: {name} against the serving generation: {compared}")
    if one.state == generation_pb2.GENERATION_STATE_ACTIVE and one.guard.events:
        compared = comparison_text(one.guard)
        lines.append(f"tenant {tenant}: frozen reference against live vectors: {compared}")
    if one.vector_rollbacks and one.state == generation_pb2.GENERATION_STATE_ACTIVE:
        lines.append(
            f"tenant {tenant}: vectors of {name} were rolled back by the guard, "
            f"{one.vector_rollbacks} times so far"
        )
    return lines
