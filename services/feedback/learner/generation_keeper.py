"""The learner's hand on generations: carries out verdicts, and tells how generations do."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.logs import logger
from services.feedback.generations.generation_lifecycle import Figures, GenerationLifecycle
from services.feedback.learner.learner_state import LearnerState
from services.feedback.learner.model.confidence_sequence import ConfidenceSequence
from services.feedback.learner.model.promotion import Verdict
from services.feedback.learner.model.space_status import Role, SpaceStatus

_NOTE_SECONDS = 1.0
_AGAIN_SECONDS = 5.0
_FIGURES = (
    ("events", "Events compared."),
    ("mean", "Mean difference in how well events were ranked, -1 to 1."),
    ("lower", "Lower end of the confidence sequence, -1 to 1."),
    ("upper", "Upper end of the confidence sequence, -1 to 1."),
)
_Key = tuple[str, str, bool, Role]
"""What makes a verdict one: tenant, generation, whether it is to serve, and its role."""
_log = logger("generations")


class GenerationMetrics:
    """Live comparisons and what they led to. Labels: the tenant."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.promoted = Counter(
            "harken_generations_promoted", "Began to serve by the learner's verdict.", ["tenant"],
            registry=registry,
        )  # fmt: skip
        self.retired = Counter(
            "harken_generations_retired", "Dropped by the learner's verdict.", ["tenant"],
            registry=registry,
        )  # fmt: skip
        self.withdrawn = Counter(
            "harken_generations_withdrawn",
            "Withdrawn by the learner because a model failed; one that serves counts when its"
            " place is taken, and when it is dropped.",
            ["tenant"],
            registry=registry,
        )
        self.rollbacks = Gauge(
            "harken_vector_rollbacks", "Times the serving vectors went back, so far.", ["tenant"],
            registry=registry,
        )  # fmt: skip
        self._comparison = [
            Gauge(
                f"harken_live_comparison_{figure}",
                f"{meaning} Comparison: staged against serving (validation), reference against"
                " live (guard); positive: the first ranks better.",
                ["tenant", "comparison"],
                registry=registry,
            )
            for figure, meaning in _FIGURES
        ]
        self._bound: dict[tuple[str, str], list[Gauge]] = {}

    def show(self, tenant: str, comparison: str, evidence: ConfidenceSequence) -> None:
        """Show a comparison as it is."""
        key = (tenant, comparison)
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = [gauge.labels(*key) for gauge in self._comparison]
        for gauge, value in zip(
            bound, (evidence.count, evidence.mean, *evidence.interval()), strict=True
        ):
            gauge.set(value)


class GenerationKeeper:
    """Works between the steps of a learner that leads."""

    def __init__(self, lifecycle: GenerationLifecycle, metrics: GenerationMetrics) -> None:
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._done: set[_Key] = set()
        self._again: dict[_Key, float] = {}
        self._noted: dict[tuple[str, str], SpaceStatus] = {}
        self._noted_at = 0.0

    def begin(self) -> None:
        """Start over, with a term."""
        self._done.clear()
        self._again.clear()
        self._noted.clear()
        self._noted_at = 0.0

    async def settle(self, term: int, state: LearnerState) -> None:
        """Carry out what is due, and note figures about once a second.

        Each verdict is carried out once: its entry may come behind others that wait to be learned.
        A failed generation for which nothing can take over yet is tried again every few seconds.

        Raises:
            FencedError: the term is over.

        """
        verdicts = state.verdicts()
        if time.monotonic() - self._noted_at >= _NOTE_SECONDS or verdicts:
            # Before the verdict: who sees that must see the figures that it stands on.
            self._noted_at = time.monotonic()
            await self._note(state)
        for verdict in verdicts:
            key = _key_of(verdict, state)
            if key in self._done or time.monotonic() < self._again.get(key, 0.0):
                continue
            if verdict.failed and key not in self._again:
                _log.error(
                    "a generation failed", tenant=verdict.tenant, generation=verdict.generation_id,
                    reason=verdict.reason,
                )  # fmt: skip
            if await self._carry_out(term, verdict) or not verdict.failed:
                self._done.add(key)
            else:
                self._again[key] = time.monotonic() + _AGAIN_SECONDS
        if self._done or self._again:
            due = {_key_of(one, state) for one in verdicts}
            self._done &= due
            self._again = {key: then for key, then in self._again.items() if key in due}

    async def _carry_out(self, term: int, verdict: Verdict) -> bool:
        """Return whether anything changed."""
        tenant, generation_id = verdict.tenant, verdict.generation_id
        if verdict.failed:
            done = await self._lifecycle.withdraw(term, tenant, generation_id, verdict.reason)
            counter = self._metrics.withdrawn
        elif verdict.serves:
            done = await self._lifecycle.serve_staged(term, tenant, generation_id)
            counter = self._metrics.promoted
        else:
            done = await self._lifecycle.retire(term, tenant, generation_id, verdict.reason)
            counter = self._metrics.retired
        if done:
            counter.labels(tenant).inc()
            _log.info(
                "generation withdrawn" if verdict.failed
                else "generation serves" if verdict.serves
                else "generation retired",
                tenant=tenant, generation=generation_id, reason=verdict.reason,
            )  # fmt: skip
        return done

    async def _note(self, state: LearnerState) -> None:
        figures = []
        for tenant, own in state.states.items():
            for name, space in own.spaces.items():
                status = space.status
                if self._noted.get((tenant, name)) == status:
                    continue
                self._noted[tenant, name] = status
                self._show(tenant, status)
                figures.append(
                    Figures(
                        tenant, name, _message(status.validation), _message(status.guard),
                        status.rollbacks,
                    )
                )  # fmt: skip
        if figures:
            await self._lifecycle.note(figures)

    def _show(self, tenant: str, status: SpaceStatus) -> None:
        if status.role is Role.STAGED:
            self._metrics.show(tenant, "validation", status.validation)
        elif status.role is Role.ACTIVE:
            self._metrics.show(tenant, "guard", status.guard)
            self._metrics.rollbacks.labels(tenant).set(status.rollbacks)


def _key_of(verdict: Verdict, state: LearnerState) -> _Key:
    """Return the key of a verdict: a failed generation leaves role by role."""
    role = state.states[verdict.tenant].spaces[verdict.generation_id].status.role
    return verdict.tenant, verdict.generation_id, verdict.serves, role


def _message(evidence: ConfidenceSequence) -> bytes | None:
    if not evidence.count:
        return None
    lower, upper = evidence.interval()
    return pb.LiveComparison(
        events=evidence.count, mean_difference=evidence.mean, lower=lower, upper=upper
    ).SerializeToString()
