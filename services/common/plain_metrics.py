"""Counters and histograms for what happens with every call: some .1 us each.

Those of the client library take about 1 and 2 us, as several threads may change them.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Count:
    """One series of a counter. Belongs to one event loop; another thread may read it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, more: int = 1) -> None:
        """Count so many more."""
        self.value += more


class Counts(Collector):
    """A counter, with a series for each set of values of its labels."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry
    ) -> None:
        self._about = name, documentation, labels
        self._series: dict[tuple[str, ...], Count] = {}
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """Return the series with these values of the labels."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = Count()
        return series

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield all series."""
        name, documentation, labels = self._about
        family = CounterMetricFamily(name, documentation, labels=labels)
        for values, series in list(self._series.items()):
            family.add_metric(values, series.value)
        yield family


class Distribution:
    """One series of a histogram. Belongs to one event loop; another thread may read it."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count so many more of this value."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += times * value

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """Return cumulative counts by upper bound, and the sum."""
        found, total = [], 0
        for bound, count in zip([*self._bounds, math.inf], list(self._counts), strict=True):
            total += count
            found.append(("+Inf" if math.isinf(bound) else str(float(bound)), float(total)))
        return found, self._sum


class Distributions(Collector):
    """A histogram, with a series for each set of values of its labels."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        """`bounds`: of the buckets, upwards, without infinity."""
        self._about = name, documentation, labels
        self._bounds = bounds
        self._series: dict[tuple[str, ...], Distribution] = {}
        registry.register(self)

    def labels(self, *values: str) -> Distribution:
        """Return the series with these values of the labels."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = Distribution(self._bounds)
        return series

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield all series."""
        name, documentation, labels = self._about
        family = HistogramMetricFamily(name, documentation, labels=labels)
        for values, series in list(self._series.items()):
            family.add_metric(values, *series.buckets())
        yield family
