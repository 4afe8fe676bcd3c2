"""Frames gather between transactions, and whoever waits for a position does not wait for that."""

import pytest

from services.common import feed_client
from tests.profile.frames import Happening, Script
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService


async def test_a_question_ends_the_rest_and_all_that_gathered_is_one_transaction(
    service: LocalService,
    feedback: ScriptedFeedback,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Truth 8: what is asked for with min_position is there, long before the rest would end."""
    monkeypatch.setattr(feed_client, "REST", 1e9)
    monkeypatch.setattr(feed_client, "MAX_REST_SECONDS", 600.0)
    feedback.publish(script.frame([Happening("ann", "first")]))
    await service.get("ann", script.position)
    feedback.publish(
        script.frame([Happening("ann", "second")]), script.frame([Happening("ann", "third")])
    )
    await service.wait_for_metric("harken_feed_lag_versions", 2)

    answer = await service.get("ann", script.position)

    assert list(answer.profile.seen_item_ids) == ["third", "second", "first"]
    assert await service.metric("harken_profile_apply_seconds_count") == 2
