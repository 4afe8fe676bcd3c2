"""A failed generation that nothing can replace yet is not forgotten (truth 14)."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.feedback.learner import generation_keeper
from services.feedback.learner.generation_keeper import GenerationKeeper, GenerationMetrics
from services.feedback.learner.model.promotion import Verdict
from services.feedback.learner.model.space_status import Role, SpaceStatus


class _Lifecycle:
    """Has nothing to put into the place of a generation, until it has."""

    def __init__(self) -> None:
        self.answers = [False, False, True]
        self.asked = 0

    async def withdraw(self, *_: object) -> bool:
        self.asked += 1
        return self.answers.pop(0)

    async def note(self, *_: object) -> None:
        pass


class _State:
    def __init__(self) -> None:
        status = SpaceStatus(Role.ACTIVE, fault="fails")
        space = SimpleNamespace(status=status)
        self.states: Any = {"default": SimpleNamespace(spaces={"bad": space})}

    def verdicts(self) -> list[Verdict]:
        return [Verdict("default", "bad", False, "withdrawn: fails", failed=True)]


async def test_it_is_withdrawn_once_something_can_take_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = CollectorRegistry()
    lifecycle: Any = _Lifecycle()
    keeper = GenerationKeeper(lifecycle, GenerationMetrics(registry))
    state: Any = _State()
    await keeper.settle(1, state)
    await keeper.settle(1, state)
    assert lifecycle.asked == 1, "not with every step"
    monkeypatch.setattr(generation_keeper, "_AGAIN_SECONDS", 0.0)
    keeper.begin()
    for _ in range(4):
        await keeper.settle(2, state)
    assert lifecycle.asked == 3, "until it is done, and no more"
    assert (
        registry.get_sample_value("harken_generations_withdrawn_total", {"tenant": "default"})
        == 1.0
    )
