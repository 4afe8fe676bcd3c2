"""Predicted against actual, and what became of slates, as metrics."""

from collections.abc import Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.feedback.learner.model.calibration import CalibrationSums
from services.feedback.learner.model.slate_learning import SlateChanges, SlateLearning

_LABELS = ("tenant", "surface", "outcome")
_COUNTED = (
    "slate", "settled", "joined", "late", "early", "foreign", "unknown_slate", "duplicate",
    "evicted", "too_late", "too_many_of_user", "awaited", "returned", "return_known",
    "return_refused", "return_gave_way",
)  # fmt: skip


def _gauge(registry: CollectorRegistry, figure: str, meaning: str) -> Gauge:
    return Gauge(f"harken_outcome_{figure}", meaning, _LABELS, registry=registry)


def _of_tenant(registry: CollectorRegistry, name: str, meaning: str) -> Gauge:
    return Gauge(name, meaning, ["tenant"], registry=registry)


class _Figures:
    """Gauges of one surface and outcome."""

    def __init__(
        self, gauges: Iterable[Gauge], labels: tuple[str, ...], sums: CalibrationSums
    ) -> None:
        self.sums = sums
        """What they say, made into figures when somebody asks: sums that nobody changes."""
        for place, gauge in enumerate(gauges):
            gauge.labels(*labels).set_function(partial(self._figure, place))

    def _figure(self, place: int) -> float:
        return self.sums.figures()[place]


class SlateLearningMetrics:
    """Set by the learner after each commit. Time series of them are Prometheus' part.

    Surfaces are bounded by the calibration, so labels are.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges = (
            _gauge(registry, "examples", "Items shown that the figures stand on, fading."),
            _gauge(registry, "predicted", "Mean predicted probability, 0 to 1."),
            _gauge(registry, "actual", "Share of the items shown that came true, 0 to 1."),
            _gauge(registry, "ece", "Expected calibration error, 0 to 1."),
        )
        joined = Counter(
            "harken_joiner", "Slates and events of their users, by what became of them.", ["what"],
            registry=registry,
        )  # fmt: skip
        self._counts = {what: joined.labels(what) for what in _COUNTED}
        self._of_tenants = (
            _of_tenant(registry, "harken_joiner_slates", "Slates within the attribution window."),
            _of_tenant(
                registry, "harken_joiner_bytes",
                "Bytes of the slates within the attribution window.",
            ),
            _of_tenant(
                registry, "harken_joiner_awaited",
                "Slates that wait for whether their user comes back.",
            ),
            _of_tenant(
                registry, "harken_joiner_awaited_bytes",
                "Bytes of the slates that wait for whether their user comes back.",
            ),
            _of_tenant(
                registry, "harken_order_choices",
                "Events that the order of slates was learned from.",
            ),
            _of_tenant(
                registry, "harken_order_advantage",
                "Mean gain in NDCG@10 by what is learned, over the last thousands of choices.",
            ),
            _of_tenant(
                registry, "harken_order_serves", "1 while slates have what is learned, else 0."
            ),
        )  # fmt: skip
        self._figures: dict[tuple[str, ...], _Figures] = {}
        self._bound: dict[str, list[Gauge]] = {}

    def committed(self, tenant: str, changes: SlateChanges, slates: SlateLearning) -> None:
        """Say what a step changed, once it is committed."""
        for what, count in changes.counts.items():
            self._counts[what].inc(count)
        for one in changes.calibration:
            self._set((tenant, one.surface, one.outcome), one.sums)
        self._state(tenant, slates)

    def loaded(self, tenant: str, slates: SlateLearning) -> None:
        """Say all that is known, after the state was loaded."""
        for (surface, outcome), sums in slates.calibration.items():
            self._set((tenant, surface, outcome), sums.copy())
        self._state(tenant, slates)

    def _set(self, key: tuple[str, ...], sums: CalibrationSums) -> None:
        figures = self._figures.get(key)
        if figures is None:
            self._figures[key] = _Figures(self._gauges, key, sums)
        else:
            figures.sums = sums

    def _state(self, tenant: str, slates: SlateLearning) -> None:
        joiner, choices = slates.joiner, slates.choices
        bound = self._bound.get(tenant)
        if bound is None:
            bound = self._bound[tenant] = [gauge.labels(tenant) for gauge in self._of_tenants]
        figures = (
            len(joiner), joiner.held_bytes, len(joiner.returns), joiner.returns.held_bytes,
            choices.choices, choices.advantage,
            float(choices.serves),
        )  # fmt: skip
        for gauge, value in zip(bound, figures, strict=True):
            gauge.set(value)
