"""Free buckets of a layer, against sets of single buckets."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.errors import InvalidRequestError
from services.common.experiments.assignment import BUCKETS
from services.common.validation import Checks
from services.feedback.experiments.conflicts import place
from services.feedback.experiments.free_buckets import Buckets, first_free, gaps


@st.composite
def taken_ranges(draw: st.DrawFn) -> list[Buckets]:
    """Draw ranges that do not overlap, in no order, some side by side."""
    cuts = draw(st.lists(st.integers(0, BUCKETS), max_size=12, unique=True).map(sorted))
    ranges = [Buckets(first, end - first) for first, end in itertools.pairwise(cuts)]
    kept = draw(st.lists(st.booleans(), min_size=len(ranges), max_size=len(ranges)))
    return draw(st.permutations([one for one, wanted in zip(ranges, kept, strict=True) if wanted]))


def buckets_in(ranges: list[Buckets]) -> list[int]:
    return [bucket for first, size in ranges for bucket in range(first, first + size)]


@given(taken_ranges())
def test_gaps_and_what_is_taken_are_all_there_is(taken: list[Buckets]) -> None:
    free = list(gaps(taken))
    assert sorted(buckets_in(free) + buckets_in(taken)) == list(range(BUCKETS))
    # Each is as long as it can be.
    assert all(one.first + one.size < two.first for one, two in itertools.pairwise(free))


@given(taken_ranges(), st.integers(1, BUCKETS))
def test_the_first_place_with_enough_room_is_found(taken: list[Buckets], size: int) -> None:
    held = set(buckets_in(taken))
    fits = (
        first
        for first in range(BUCKETS - size + 1)
        if first not in held and held.isdisjoint(range(first, first + size))
    )
    assert first_free(taken, size) == next(fits, None)


@given(taken_ranges(), st.integers(0, BUCKETS - 1), st.integers(1, BUCKETS))
def test_a_range_is_refused_exactly_where_it_has_a_bucket_of_another(
    taken: list[Buckets], first: int, size: int
) -> None:
    size = min(size, BUCKETS - first)
    others = [
        pb.Experiment(
            name=f"other-{n}",
            config=pb.ExperimentConfig(layer="l", first_bucket=one.first, buckets=one.size),
        )
        for n, one in enumerate(taken)
    ]
    elsewhere = pb.ExperimentConfig(layer="m", first_bucket=0, buckets=BUCKETS)
    config = pb.ExperimentConfig(layer="l", first_bucket=first, buckets=size)
    own = set(range(first, first + size))
    wrong = [n for n, one in enumerate(taken) if own.intersection(buckets_in([one]))]
    checks = Checks()
    place(checks, "config", config, [*others, pb.Experiment(name="beside", config=elsewhere)])
    named = []
    try:
        checks.done()
    except InvalidRequestError as error:
        named = [violation.description.split("'")[1] for violation in error.violations]
    assert named == [f"other-{n}" for n in wrong]
