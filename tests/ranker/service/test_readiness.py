"""Ready is said when profile can be asked, and not taken back when it goes away."""

from harken.ranker.v1 import slate_pb2
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.scripted_upstream import ScriptedUpstream
from tests.ranker.service.conftest import StartRanker
from tests.waiting import until


def first_frame() -> Changes:
    changes = Changes(activated=manifest())
    return changes.item("a").vector("a", [1.0, 0, 0, 0])


async def test_a_ranker_is_ready_once_profile_has_answered(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Truth 14; calls are answered meanwhile, degraded, as they are when profile is away."""
    upstream.feedback.add(frame(1, first_frame()))
    upstream.profile.gate.clear()
    ranker = await start_ranker(ready=False)
    await ranker.applied(1)
    await until(lambda: upstream.profile.probes, "the probe")
    answer = await ranker.recommend("7")
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]
    assert not await ranker.is_ready()
    assert not (await ranker.state()).ready

    upstream.profile.gate.set()
    await until(ranker.is_ready, "readiness")
    probes = upstream.profile.probes
    assert not (await ranker.recommend("8")).degradations

    await upstream.stop("profile")
    answer = await ranker.recommend("9")
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]
    assert await ranker.is_ready()
    assert upstream.profile.probes == probes


async def test_profile_behind_the_feed_is_waited_for(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    upstream.feedback.add(frame(1, first_frame()))
    upstream.profile.behind_by = 1
    ranker = await start_ranker(ready=False)
    await until(lambda: upstream.profile.probes > 3, "the probes")
    assert not await ranker.is_ready()
    upstream.profile.behind_by = 0
    await until(ranker.is_ready, "readiness")
    assert not (await ranker.recommend("7")).degradations


async def test_patience_with_profile_ends(
    upstream: ScriptedUpstream, start_ranker: StartRanker
) -> None:
    """Slates without their users are better than none."""
    upstream.feedback.add(frame(1, first_frame()))
    await upstream.stop("profile")
    ranker = await start_ranker(profile_ready_seconds="0.3")
    answer = await ranker.recommend("7")
    assert list(answer.degradations) == [slate_pb2.DEGRADATION_PROFILE_UNAVAILABLE]
