"""What becomes of experiments, whatever is asked of them in whatever order."""

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.errors import HarkenError, InvalidRequestError
from services.common.validation import Checks
from services.feedback.experiments import states
from services.feedback.experiments.conflicts import MAX_LAYERS, check_conflicts

BUCKETS = 90
ORDER = [states.DRAFT, states.RUNNING, states.STOPPED, states.CONCLUDED]
STEPS = st.one_of(
    st.tuples(st.just("start"), st.floats(0.001, 1)),
    st.tuples(st.just("ramp"), st.floats(0.001, 1)),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(st.just("conclude"), st.sampled_from(["a", "b", "c"])),
)


def draft() -> pb.Experiment:
    variants = [pb.Variant(name="a", weight=1), pb.Variant(name="b", weight=2)]
    config = pb.ExperimentConfig(layer="l", buckets=BUCKETS, variants=variants)
    return pb.Experiment(name="e", state=states.DRAFT, config=config)


def led(one: pb.Experiment, verb: str, argument: object, now: Timestamp) -> pb.Experiment:
    match verb, argument:
        case "start", float(share):
            return states.started(one, share, now, b"at")
        case "ramp", float(share):
            return states.ramped(one, share)
        case "stop", _:
            return states.stopped(one, now)
        case _, str(winner):
            return states.concluded(one, winner, now)
    raise AssertionError(verb)


@given(st.lists(STEPS, max_size=12))
def test_there_is_no_way_back(steps: list[tuple[str, object]]) -> None:
    """Whoever is in stays in while it runs, what is compared stays, and done twice is done once."""
    one = draft()
    for number, (verb, argument) in enumerate(steps):
        before = one.SerializeToString(deterministic=True)
        try:
            following = led(one, verb, argument, Timestamp(seconds=number + 1))
        except HarkenError:
            assert one.SerializeToString(deterministic=True) == before
            continue
        assert one.SerializeToString(deterministic=True) == before
        assert ORDER.index(following.state) >= ORDER.index(one.state)
        assert following.config == one.config
        assert following.open_buckets >= one.open_buckets
        assert (following.state == states.DRAFT) == (following.open_buckets == 0)
        if one.state != states.DRAFT:
            assert following.start_time == one.start_time
            assert following.start_position == one.start_position
        assert following.HasField("stop_time") == (following.state in ORDER[2:])
        assert bool(following.winner) == (following.state == states.CONCLUDED)
        assert led(following, verb, argument, Timestamp(seconds=99)) == following
        one = following


@given(st.integers(1, BUCKETS))
def test_a_share_that_is_so_many_buckets_opens_just_these(count: int) -> None:
    found = states.started(draft(), count / BUCKETS, Timestamp(), b"at")
    assert found.open_buckets == count


def test_a_surface_has_no_more_layers_than_exposures_are_logged() -> None:
    own = pb.ExperimentConfig(layer="own", buckets=1, salt="own", surfaces=["x", "home"])
    others = [
        pb.Experiment(
            name=f"e{n}",
            config=pb.ExperimentConfig(
                layer=f"l{n}", buckets=1, first_bucket=0, salt=f"s{n}", surfaces=["home"]
            ),
        )
        for n in range(MAX_LAYERS)
    ]
    for count, wrong in ((MAX_LAYERS - 1, []), (MAX_LAYERS, ["config.surfaces[1]"])):
        checks = Checks()
        check_conflicts(checks, "config", own, others[:count], others[:count])
        named = []
        try:
            checks.done()
        except InvalidRequestError as error:
            named = [violation.field for violation in error.violations]
        assert named == wrong
