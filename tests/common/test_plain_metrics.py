"""Plain counters and histograms look as those of the client library do."""

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from services.common.plain_metrics import Counts, Distributions

BOUNDS = (0.001, 0.5, 1.0, 10.0)


def lines_of(registry: CollectorRegistry) -> list[str]:
    """Return what is scraped, but for the times at which series were made."""
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.one_of(st.sampled_from([0.0, *BOUNDS, math.inf]), st.floats(0, 20)),
        )
    )
)
def test_they_look_as_those_of_the_library(observed: list[tuple[str, float]]) -> None:
    plain, library = CollectorRegistry(), CollectorRegistry()
    counts = Counts("calls", "Calls.", ["name", "code"], plain)
    distributions = Distributions("seconds", "Seconds.", ["name"], BOUNDS, plain)
    counter = Counter("calls", "Calls.", ["name", "code"], registry=library)
    histogram = Histogram("seconds", "Seconds.", ["name"], buckets=BOUNDS, registry=library)
    for name, value in observed:
        counts.labels(name, "OK").inc()
        counts.labels(name, "OK").inc(2)
        counter.labels(name, "OK").inc(3)
        distributions.labels(name).observe(value)
        histogram.labels(name).observe(value)
    assert lines_of(plain) == lines_of(library)
