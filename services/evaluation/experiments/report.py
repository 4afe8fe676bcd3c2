"""What an experiment says so far.

The unit is the user: its numbers are taken over a window of fixed length from the first exposure,
and count once the window is over, so that late comers weigh as much as others. All of it may be
looked at any time.
"""

from dataclasses import dataclass

import numpy as np

from services.common.experiments.assignment import shares
from services.evaluation.experiments.design import Design
from services.evaluation.experiments.difference import Difference, difference
from services.evaluation.experiments.exposures import Exposures
from services.evaluation.experiments.guardrail import Verdict
from services.evaluation.experiments.outcomes import Outcomes
from services.evaluation.experiments.sample_ratio import Period, SampleRatio, sample_ratio
from services.evaluation.experiments.sums import Floats, Sums

_LOOKS = 100


@dataclass(frozen=True, slots=True)
class VariantReport:
    """users: exposed. counted: of these, whose window is over. slates, not_served: see Exposures.
    means: of each metric over those who count, as measured; NaN: nobody does.
    """

    name: str
    share: float
    users: int
    counted: int
    slates: int
    not_served: int
    means: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric of a variant against the control. difference: of shape (). verdict: of guardrails.
    users [looks], course [looks]: how it came to be, in the order of first exposures.
    """

    metric: str
    variant: str
    difference: Difference
    verdict: Verdict | None
    users: Floats
    course: Difference


@dataclass(frozen=True, slots=True)
class Report:
    """comparisons: empty where users are missing from a variant (`ratio`): then nothing is said.
    mixed: users who saw more than one variant. unknown: exposures to other variants.
    """

    design: Design
    ratio: SampleRatio
    variants: tuple[VariantReport, ...]
    comparisons: tuple[Comparison, ...]
    mixed: int
    unknown: int

    @property
    def counted(self) -> int:
        """How many users count."""
        return sum(variant.counted for variant in self.variants)


def report(design: Design, exposures: Exposures, outcomes: Outcomes, until_us: int) -> Report:
    """Return the report; `until_us`: everything that happened until then was taken."""
    planned = shares(design.variants)
    ratio = sample_ratio([Period(exposures.counts(), planned)])
    over = exposures.first_us() + design.window_us <= until_us
    codes = exposures.variants()
    variants = tuple(
        VariantReport(
            variant.name, planned[code], exposures.counts()[code],
            int((over & (codes == code)).sum()), exposures.slates[code],
            exposures.not_served[code], _means(outcomes.values[:, over & (codes == code)]),
        )
        for code, variant in enumerate(design.variants)
    )  # fmt: skip
    comparisons = () if ratio.mismatched else _comparisons(design, exposures, outcomes, over)
    return Report(design, ratio, variants, comparisons, exposures.mixed, exposures.unknown)


def _means(values: Floats) -> tuple[float, ...]:
    """Return means of values [metrics, users]."""
    if not values.shape[1]:
        return (float("nan"),) * len(values)
    return tuple(float(mean) for mean in values.mean(axis=1))


def _comparisons(
    design: Design, exposures: Exposures, outcomes: Outcomes, over: np.ndarray
) -> tuple[Comparison, ...]:
    order = np.flatnonzero(over)
    order = order[np.argsort(exposures.first_us()[order], kind="stable")]
    codes = exposures.variants()[order]
    looks = np.unique(np.linspace(0, order.size, _LOOKS + 1).round().astype(np.int64))[1:]
    alpha = design.alpha / (len(design.variants) - 1)
    weights = [variant.weight for variant in design.variants]
    found = []
    for index, metric in enumerate(design.metrics):
        values, before = outcomes.values[index, order], outcomes.covariates[index, order]
        control = _running(values, before, codes == 0, looks)
        for code, variant in enumerate(design.variants[1:], 1):
            treatment = _running(values, before, codes == code, looks)
            planned = design.planned * (weights[0] + weights[code]) / sum(weights)
            course = difference(control, treatment, planned, alpha)
            last = difference(_at_last(control), _at_last(treatment), planned, alpha)
            guardrail = design.guardrails[index - 1][1] if index else None
            verdict = None if guardrail is None else guardrail.verdict(last)
            users = control.count + treatment.count
            found.append(Comparison(metric.name, variant.name, last, verdict, users, course))
    return tuple(found)


def _running(values: Floats, before: Floats, own: np.ndarray, looks: np.ndarray) -> Sums:
    """Return sums over the users of a variant among the first so many, at each look."""
    y, x, one = np.where(own, values, 0.0), np.where(own, before, 0.0), own.astype(np.float64)
    columns = (one, y, y * y, x, x * x, x * y)
    return Sums(*(np.cumsum(column)[looks - 1] for column in columns))


def _at_last(sums: Sums) -> Sums:
    """Return the sums at the last look; zeros when there is none."""
    return Sums(
        *(
            np.asarray(column[-1] if column.size else 0.0)
            for column in (
                sums.count, sums.value, sums.squared_value, sums.covariate,
                sums.squared_covariate, sums.product,
            )
        )
    )  # fmt: skip
