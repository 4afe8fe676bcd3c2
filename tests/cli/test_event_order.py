"""Events sorted on disk: the plain sort is the oracle, whatever the runs."""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harken.feedback.v1 import feedback_service_pb2 as pb
from services.cli.exports.event_order import EventOrder

# Few distinct times, so that there are ties over many runs; or any.
_times = st.lists(st.integers(0, 3), min_size=12, max_size=60) | st.lists(
    st.integers(-62135596800000000, 253402300799999999), max_size=60
)


def _event(time_us: int, **fields: Any) -> pb.ExportedEvent:
    event = pb.ExportedEvent(**fields)
    event.event_time.FromMicroseconds(time_us)
    return event


def pages(events: list[pb.ExportedEvent], size: int) -> Iterator[pb.ExportEventsResponse]:
    rest = iter(events)
    while page := list(islice(rest, size)):
        yield pb.ExportEventsResponse(events=page)


@given(
    times=_times,
    nearly_sorted=st.booleans(),
    page=st.integers(1, 7),
    collected_bytes=st.sampled_from([1, 100, 10**6]),
    merged_runs=st.integers(2, 4),
)
def test_any_log_comes_back_in_order_of_time(
    times: list[int], nearly_sorted: bool, page: int, collected_bytes: int, merged_runs: int
) -> None:
    if nearly_sorted:
        times = sorted(times)
        times[-2:] = reversed(times[-2:])
    log = [_event(time, event_id=f"e{n}", sequence=3 * n + 1) for n, time in enumerate(times)]
    with (
        tempfile.TemporaryDirectory() as folder,
        EventOrder(Path(folder), collected_bytes, merged_runs) as order,
    ):
        for one in pages(log, page):
            order.add(one)
        found = list(order.events())
        assert not list(Path(folder).iterdir())
    assert found == sorted(log, key=lambda event: event.event_time.ToMicroseconds())


def test_what_is_not_read_to_its_end_leaves_nothing_open(tmp_path: Path) -> None:
    with EventOrder(tmp_path, 1) as order:
        for time in (3, 1, 2):
            order.add(pb.ExportEventsResponse(events=[_event(time)]))
        assert next(order.events()).event_time.ToMicroseconds() == 1
