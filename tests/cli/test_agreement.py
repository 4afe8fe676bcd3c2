"""Rankers are compared where they can be, and no difference hides (truth 6)."""

import pytest

from harken.ranker.v1 import ranker_service_pb2
from services.cli.agreement import Agreement, State, agreements, at_one_version


def state(version: int, *tenants: tuple[str, str, bytes]) -> State:
    return State(
        epoch=1,
        version=version,
        tenants=[
            ranker_service_pb2.TenantState(tenant=tenant, generation_id=generation, digest=digest)
            for tenant, generation, digest in tenants
        ],
    )


A, OTHER_BYTES, OTHER_GENERATION = ("t", "g1", b"a"), ("t", "g1", b"b"), ("t", "g2", b"a")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([state(5, A), state(5, A), state(5, A)], Agreement("t", 3, True)),
        ([state(5, A), state(5, OTHER_BYTES)], Agreement("t", 2, False)),
        ([state(5, A), state(5, OTHER_GENERATION)], Agreement("t", 2, False)),
        ([state(5, A), state(5)], Agreement("t", 2, False)),
        # Of different versions nothing can be said.
        ([state(5, A), state(6, OTHER_BYTES)], Agreement("t", 0, True)),
        ([state(5, A), state(6, OTHER_BYTES), state(6, OTHER_BYTES)], Agreement("t", 2, True)),
        ([state(5, A), state(5, A), state(6, A), state(6, OTHER_BYTES)], Agreement("t", 4, False)),
        ([state(5, A)], Agreement("t", 0, True)),
    ],
)
def test_one_tenant(states: list[State], expected: Agreement) -> None:
    assert agreements(states) == [expected]


def test_tenants_are_compared_each_on_its_own() -> None:
    x, y = ("x", "g", b"x"), ("y", "g", b"y")
    found = agreements([state(5, x, y), state(5, x, ("y", "g", b"z"))])
    assert found == [Agreement("x", 2, True), Agreement("y", 2, False)]
    assert agreements([]) == []


def test_equally_far_is_epoch_and_version() -> None:
    assert at_one_version([])
    assert at_one_version([state(5), state(5)])
    assert not at_one_version([state(5), state(6)])
    later = state(5)
    later.epoch = 2
    assert not at_one_version([state(5), later])
