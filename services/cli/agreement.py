"""Whether rankers that are equally far serve the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from harken.ranker.v1 import ranker_service_pb2

State = ranker_service_pb2.GetServingStateResponse


@dataclass(frozen=True, slots=True)
class Agreement:
    """What rankers serve for one tenant, compared among those at one version.

    `compared`: how many rankers are at a version together with another one. `agree` is false when
    two of one version differ in generation or digest, or only one of them has the tenant.
    """

    tenant: str
    compared: int
    agree: bool


def agreements(states: Sequence[State]) -> list[Agreement]:
    """Return the agreement on each tenant that any ranker has, in order of tenant."""
    by_version: dict[tuple[int, int], list[State]] = {}
    for state in states:
        by_version.setdefault((state.epoch, state.version), []).append(state)
    groups = [group for group in by_version.values() if len(group) > 1]
    compared = sum(len(group) for group in groups)
    return [
        Agreement(
            tenant,
            compared,
            all(len({_served(state, tenant) for state in group}) == 1 for group in groups),
        )
        for tenant in sorted({one.tenant for state in states for one in state.tenants})
    ]


def at_one_version(states: Sequence[State]) -> bool:
    """Return whether all are equally far, so that all can be compared."""
    return len({(state.epoch, state.version) for state in states}) <= 1


def _served(state: State, tenant: str) -> tuple[str, bytes] | None:
    return next(
        ((one.generation_id, one.digest) for one in state.tenants if one.tenant == tenant), None
    )
