"""Which configuration makes a slate: surfaces and experiments as frames bring them."""

import hashlib
from collections import Counter
from typing import Any

import pytest
from google.protobuf import json_format

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import experiment_pb2, surface_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.ranker.domain.selection.policies import EpsilonMixture
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.experiments.decided import Decided, Decisions
from services.ranker.frame_columns import tenant_changes
from services.ranker.surfaces.surface_reader import SurfaceReader
from tests.ranker.frames import Changes, frame
from tests.ranker.generations import manifest
from tests.ranker.replicas import folded

PEOPLE = [f"p{n}" for n in range(3000)]
RUNNING = experiment_pb2.EXPERIMENT_STATE_RUNNING


def body(
    name: str, opened: int = 400, state: experiment_pb2.ExperimentState = RUNNING, **fields: Any
) -> bytes:
    whole = {
        "layer": "l", "first_bucket": 100, "buckets": 5000, "salt": f"salt-{name}",
        "surfaces": ["home"],
        "variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 3, "surface": "other"}],
        **fields,
    }  # fmt: skip
    one = experiment_pb2.Experiment(name=name, state=state, open_buckets=opened)
    json_format.ParseDict(whole, one.config)
    return one.SerializeToString()


def surface(strength: float) -> bytes:
    config = surface_pb2.SurfaceConfig(diversity=surface_pb2.Diversity(strength=strength))
    return surface_pb2.Surface(name="s", config=config).SerializeToString()


def put(replica: TenantReplica | None, version: int, *documents: tuple[str, str, bytes]) -> Any:
    """Fold documents, each as revision `version`."""
    changes = Changes(activated=manifest()) if version == 1 else Changes()
    for kind, name, content in documents:
        changes.document(kind, name, version, content)
    if replica is None:
        return folded([frame(version, changes)]).replicas["default"]
    [part] = frame(version, changes).tenants
    replica.fold(tenant_changes(part, None))
    return replica


def asked(who: str, surface: str = "home", **fields: Any) -> pb.RecommendRequest:
    return pb.RecommendRequest(subject=subject_pb2.Subject(user_id=who), surface=surface, **fields)


def hashed(salt: str, who: str, places: int) -> int:
    """The definition of docs/experiments.md, spelt out."""
    text = salt.encode()
    digest = hashlib.blake2b(
        len(text).to_bytes(4, "big") + text + who.encode(), digest_size=8
    ).digest()
    return int.from_bytes(digest, "big") * places >> 64


def expected(who: str, opened: int) -> str | None:
    if not 100 <= hashed("layer/l", who, 10_000) < 100 + opened:
        return None
    return "a" if hashed("experiment/salt-x", who, 4) < 1 else "b"


def variant_of(decided: Decided) -> str | None:
    return decided.exposures[0].variant if decided.exposures else None


def decisions() -> Decisions:
    return Decisions(SurfaceReader())


def of_request(made: Decisions, replica: TenantReplica, request: pb.RecommendRequest) -> Decided:
    return made.of(replica, request, request.subject.user_id)


@pytest.mark.parametrize("opened", [400, 5000])
def test_users_are_where_the_hash_says(opened: int) -> None:
    replica = put(
        None, 1, ("surface", "other", surface(0.7)), ("experiment", "x", body("x", opened))
    )
    made = decisions()
    found = {who: of_request(made, replica, asked(who)) for who in PEOPLE}
    assert {who: variant_of(one) for who, one in found.items()} == {
        who: expected(who, opened) for who in PEOPLE
    }
    counts = Counter(map(variant_of, found.values()))
    assert counts["b"] > counts["a"] > 0
    for one in found.values():
        assert (one.surface is not None) == (variant_of(one) == "b")
        if one.surface is not None:
            assert one.surface.diversity is not None
            assert one.surface.diversity.strength == 0.7
        for exposure in one.exposures:
            assert (exposure.experiment, exposure.layer, exposure.revision) == ("x", "l", 1)


def in_b(made: Decisions, replica: TenantReplica) -> str:
    return next(who for who in PEOPLE if variant_of(of_request(made, replica, asked(who))) == "b")


def test_nobody_else_is_in() -> None:
    replica = put(None, 1, ("surface", "other", surface(0.7)), ("experiment", "x", body("x")))
    made = decisions()
    who = in_b(made, replica)
    session = subject_pb2.Subject(session_id=who)
    for request in (
        asked(who, "basket"),
        pb.RecommendRequest(subject=session, surface="home"),
    ):
        assert of_request(made, replica, request) == Decided(None, ())


def test_changes_are_in_force_at_once() -> None:
    made = decisions()
    replica = put(None, 1, ("surface", "other", surface(0.7)), ("experiment", "x", body("x")))
    who = in_b(made, replica)
    put(replica, 2, ("surface", "home", surface(0.2)))
    treated = of_request(made, replica, asked(who)).surface
    assert treated is not None
    assert treated.revision == 1
    # The surface of the variant is gone: as without, and it says so.
    put(replica, 3, ("surface", "other", b""))
    one = of_request(made, replica, asked(who))
    assert one.surface is not None
    assert one.surface.revision == 2
    assert [(each.variant, each.not_served) for each in one.exposures] == [("b", True)]
    put(replica, 4, ("experiment", "x", body("x", state=experiment_pb2.EXPERIMENT_STATE_STOPPED)))
    assert of_request(made, replica, asked(who)).exposures == ()
    put(replica, 5, ("experiment", "x", body("x", 5000)))
    assert variant_of(of_request(made, replica, asked(who))) == "b"
    put(replica, 6, ("experiment", "x", b""))
    assert of_request(made, replica, asked(who)).exposures == ()


def test_layers_add_up() -> None:
    """One replaces the configuration, one the policy, and each is said."""
    policy = body(
        "y", 10_000, layer="m", first_bucket=0, buckets=10_000,
        variants=[{"name": "a", "weight": 1},
                  {"name": "b", "weight": 1, "exploration": {"epsilon": 0.25}}],
    )  # fmt: skip
    replica = put(
        None, 1, ("surface", "other", surface(0.7)),
        ("experiment", "y", policy), ("experiment", "x", body("x", 5000)),
    )  # fmt: skip
    made = decisions()
    seen = set()
    for who in PEOPLE[:300]:
        one = of_request(made, replica, asked(who))
        own = {exposure.experiment: exposure.variant for exposure in one.exposures}
        assert list(own) == (["x", "y"] if "x" in own else ["y"])
        assert own.get("x") == expected(who, 5000)
        explores = own["y"] == "b"
        calm = own.get("x") == "b"
        seen.add((explores, calm))
        assert (one.surface is None) == (not explores and not calm)
        if one.surface is not None:
            assert (one.surface.exploration.policy == EpsilonMixture(0.25)) == explores
            assert (one.surface.diversity is not None) == calm
    assert len(seen) == 4


def test_what_cannot_be_read_does_not_run() -> None:
    wrong = body("x", variants=[])
    replica = put(None, 1, ("experiment", "x", wrong), ("experiment", "y", b"\xff"))
    assert of_request(decisions(), replica, asked("p1")) == Decided(None, ())
