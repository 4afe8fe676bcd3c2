"""What is to become of a generation that does not serve (yet, or any more)."""

from dataclasses import dataclass

from services.feedback.learner.model.space_status import Role
from services.feedback.learner.model.tenant_state import TenantState


@dataclass(frozen=True, slots=True)
class Verdict:
    """A generation is to serve, or (`serves` false) to be retired, and why.

    `failed`: it is withdrawn because a model of it failed, whatever it does now.
    """

    tenant: str
    generation_id: str
    serves: bool
    reason: str
    failed: bool = False


def verdict_of(state: TenantState, now_us: int) -> Verdict | None:
    """Return what is due at log time `now_us` (unix microseconds), or None.

    A staged generation serves as soon as it is built if it was promoted so; otherwise when the
    whole confidence sequence of its difference to the one that serves is above 0. It is retired
    when all of it is below 0, or when it is undecided for too long. One with a model that failed is
    withdrawn, also when it serves; the one that serves comes last, so that what takes its place is
    sound.
    """
    config = state.config.comparison
    others = sorted(set(state.spaces) - {state.active})
    for name in others:
        if state.spaces[name].status.fault:
            return _withdrawal(state, name)
    for name in others:
        status = state.spaces[name].status

        def verdict(serves: bool, reason: str, name: str = name) -> Verdict:
            return Verdict(state.tenant, name, serves, reason)

        if status.role is Role.STANDBY:
            if now_us - status.since_us > config.standby_seconds * 1e6:
                return verdict(False, f"was on standby for {config.standby_seconds:.0f} s")
            continue
        if not status.built:
            continue
        if status.now:
            return verdict(True, "promoted by an operator")
        evidence = status.validation
        if evidence.count < config.min_events:
            continue
        lower, upper = evidence.interval()
        figures = f"{evidence.mean:+.4f} ({lower:+.4f} to {upper:+.4f}), {evidence.count} events"
        if lower > 0:
            return verdict(True, f"better: {figures}")
        if upper < 0:
            return verdict(False, f"worse: {figures}")
        if evidence.count >= config.max_events:
            return verdict(False, f"not better with confidence: {figures}")
    return _withdrawal(state, state.active) if state.space.status.fault else None


def _withdrawal(state: TenantState, name: str) -> Verdict:
    reason = f"withdrawn: {state.spaces[name].status.fault}"
    return Verdict(state.tenant, name, False, reason, failed=True)
