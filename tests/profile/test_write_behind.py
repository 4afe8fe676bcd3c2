"""Entries gather between transactions, and whoever waits for a position does not wait for that."""

import time

from tests.profile.conftest import StartService
from tests.profile.script import Happening, Script
from tests.profile.scripted_feedback import ScriptedFeedback


async def test_a_question_ends_the_gathering_and_all_that_came_is_one_transaction(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truth 8: what is asked for with min_position is there, long before gathering would end."""
    service = await start_service(5.0)
    await service.wait_until_ready()
    feedback.publish(script.events([Happening("ann", "first")]))
    await service.get("ann", script.position)
    feedback.publish(
        script.events([Happening("ann", "second")]), script.events([Happening("ann", "third")])
    )
    await service.wait_for_metric("harken_entries_lag", 2)
    asked = time.perf_counter()

    answer = await service.get("ann", script.position)

    assert time.perf_counter() - asked < 2
    assert list(answer.profile.seen_item_ids) == ["third", "second", "first"]
    assert await service.metric("harken_profile_apply_seconds_count") == 2


async def test_what_nobody_asks_for_is_written_once_it_has_gathered(
    start_service: StartService, feedback: ScriptedFeedback, script: Script
) -> None:
    service = await start_service(0.2)
    for n in range(3):
        feedback.publish(script.events([Happening("ann", f"item-{n}")]))
    await service.wait_for_metric("harken_entries_applied_sequence", 3)
    assert (await service.get("ann")).profile.counters.events == 3
