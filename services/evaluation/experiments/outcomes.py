"""What exposed users did: each metric within the window after the first exposure, and before it."""

from collections.abc import Sequence

import numpy as np

from services.evaluation.experiments.design import Metric
from services.evaluation.experiments.exposures import Exposures
from services.evaluation.experiments.sums import Floats


class Outcomes:
    """Numbers of users, whose exposures are all known by now.

    values [metrics, users]: of events from the first exposure on, for as long as the window is.
    covariates: the same of as long a time before, which no variant can have changed.
    """

    def __init__(self, exposures: Exposures, metrics: Sequence[Metric], window_us: int) -> None:
        self._exposures = exposures
        self._window_us = window_us
        self._first_us = exposures.first_us().tolist()
        self._metrics: dict[str, list[tuple[int, Metric]]] = {}
        for index, metric in enumerate(metrics):
            for event_type in metric.event_types:
                self._metrics.setdefault(event_type, []).append((index, metric))
        self.values: Floats = np.zeros((len(metrics), len(exposures)))
        self.covariates: Floats = np.zeros((len(metrics), len(exposures)))

    def take(self, user_id: str, event_type: str, value: float | None, time_us: int) -> None:
        """Note an event, in any order; those that no metric takes change nothing."""
        metrics = self._metrics.get(event_type)
        row = self._exposures.row(user_id) if metrics else None
        if metrics is None or row is None:
            return
        since_us = time_us - self._first_us[row]
        if 0 <= since_us < self._window_us:
            table = self.values
        elif -self._window_us <= since_us < 0:
            table = self.covariates
        else:
            return
        for index, metric in metrics:
            table[index, row] = metric.value_of(float(table[index, row]), value)
