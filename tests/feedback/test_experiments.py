"""Experiments: refused as a whole, led from state to state, in force where frames are folded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from harken.feedback.v1 import experiment_pb2, surface_pb2, surface_service_pb2
from harken.feedback.v1 import experiment_service_pb2 as pb
from harken.internal.feed.v1 import frame_pb2
from services.common.position import decode_position
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.frame_columns import tenant_changes
from tests.faults import fault_of, fields_of, reason_of, violations_of
from tests.feedback.conftest import Client
from tests.feedback.feed_reader import FeedReader

DRAFT = experiment_pb2.EXPERIMENT_STATE_DRAFT
RUNNING = experiment_pb2.EXPERIMENT_STATE_RUNNING
STOPPED = experiment_pb2.EXPERIMENT_STATE_STOPPED
CONCLUDED = experiment_pb2.EXPERIMENT_STATE_CONCLUDED
FREE = {"buckets": 10}
"""Of layers that other tests do not use."""


def config(layer: str, **fields: Any) -> dict[str, Any]:
    """Return an A/A experiment on a surface of the layer's own."""
    return {
        "layer": layer,
        "buckets": 1000,
        "surfaces": [f"on-{layer}"],
        "variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}],
        "primary": {"name": "clicks", "event_types": ["click"]},
        "window": "86400s",
        "planned_users": 1000,
        **fields,
    }


def experiment(name: str, fields: dict[str, Any], **more: Any) -> experiment_pb2.Experiment:
    whole = experiment_pb2.Experiment(name=name, **more)
    json_format.ParseDict(fields, whole.config)
    return whole


async def put(
    client: Client, name: str, fields: dict[str, Any], check: bool = False, **more: Any
) -> pb.PutExperimentResponse:
    request = pb.PutExperimentRequest(
        experiment=experiment(name, fields, **more), validate_only=check
    )
    answer: pb.PutExperimentResponse = await client.experiment.PutExperiment(request, timeout=30)
    return answer


async def get(client: Client, name: str, revision: int = 0) -> experiment_pb2.Experiment:
    request = pb.GetExperimentRequest(name=name, revision=revision)
    answer: pb.GetExperimentResponse = await client.experiment.GetExperiment(request, timeout=30)
    return answer.experiment


async def lead(client: Client, verb: str, name: str, **fields: Any) -> Any:
    """Call `verb`Experiment."""
    request = getattr(pb, f"{verb}ExperimentRequest")(name=name, **fields)
    return await getattr(client.experiment, f"{verb}Experiment")(request, timeout=30)


async def refused(client: Client, verb: str, name: str, **fields: Any) -> str:
    """Return why a change is refused."""
    error = await fault_of(lead(client, verb, name, **fields))
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        return ",".join(sorted(fields_of(error)))
    return reason_of(error)


async def put_surface(client: Client, name: str) -> None:
    surface = surface_pb2.Surface(name=name, config=surface_pb2.SurfaceConfig())
    await client.surface.PutSurface(surface_service_pb2.PutSurfaceRequest(surface=surface))


async def distributed(client: Client, position: bytes) -> dict[str, experiment_pb2.Experiment]:
    """Return experiments as a ranker that begins with a snapshot has them at a position."""
    sections = [frame_pb2.SECTION_CATALOGUE]
    async with FeedReader(client, snapshot=True, sections=sections) as reader:
        await reader.read("welcome")
        frames = [chunk.content for chunk in await reader.snapshot()]
        frames += await reader.frames_through(decode_position(position).sequence)
    replica = TenantReplica("default", 60.0, 10)
    for frame in frames:
        for part in frame.tenants:
            if part.tenant == "default":
                replica.fold(tenant_changes(part, None))
    return {
        name: experiment_pb2.Experiment.FromString(document.body)
        for (kind, name), document in replica.documents.items()
        if kind == "experiment"
    }


async def test_an_experiment_from_draft_to_conclusion(client: Client) -> None:
    first = await put(client, "life", config("life"), note="ann: first")
    made = first.experiment
    assert (made.state, made.revision, made.note, made.open_buckets) == (DRAFT, 1, "ann: first", 0)
    # What was not said is chosen, and stays.
    assert (made.config.salt, made.config.first_bucket, made.config.alpha) == ("life", 0, 0.05)
    assert made.config.HasField("first_bucket")
    again = await put(client, "life", config("life"), note="ann: first", etag="of before")
    assert (again.experiment, again.position) == (made, b"")
    for verb in ("Ramp", "Stop", "Conclude"):
        needs: dict[str, dict[str, Any]] = {
            "Ramp": {"share": 0.5}, "Conclude": {"winner": "a", "note": "n"},
        }  # fmt: skip
        fields = needs.get(verb, {})
        assert await refused(client, verb, "life", **fields) == "WRONG_STATE"
    assert await refused(client, "Start", "life", etag="x") == "ETAG_MISMATCH"

    begun = await lead(client, "Start", "life", share=0.0701, etag=made.etag)
    one = begun.experiment
    # 70.1 of 1,000 buckets, rounded up.
    assert (one.state, one.open_buckets, one.revision) == (RUNNING, 71, 2)
    assert decode_position(one.start_position) < decode_position(begun.position)
    assert abs(one.start_time.ToMicroseconds() - one.update_time.ToMicroseconds()) < 60_000_000
    repeated = await lead(client, "Start", "life", share=0.0701, etag=made.etag)
    assert (repeated.experiment, repeated.position) == (one, b"")
    assert await refused(client, "Start", "life", share=1.0) == "WRONG_STATE"
    heavier = config("life", variants=[{"name": "a", "weight": 2}, {"name": "b", "weight": 1}])
    error = await fault_of(put(client, "life", heavier))
    assert reason_of(error) == "WRONG_STATE"
    assert await refused(client, "Delete", "life") == "WRONG_STATE"

    wider = await lead(client, "Ramp", "life", share=0.5, note="ann: more")
    assert (wider.experiment.open_buckets, wider.experiment.note) == (500, "ann: more")
    assert wider.experiment.config == one.config
    assert await refused(client, "Ramp", "life", share=0.25) == "share"
    assert (await get(client, "life")) == wider.experiment
    found = (await distributed(client, wider.position))["life"]
    assert (found.state, found.open_buckets, found.note) == (RUNNING, 500, "")

    ended = await lead(client, "Stop", "life")
    assert ended.experiment.state == STOPPED
    assert ended.experiment.open_buckets == 500
    assert ended.experiment.HasField("stop_time")
    assert (await lead(client, "Stop", "life")).position == b""
    assert await refused(client, "Ramp", "life", share=1.0) == "WRONG_STATE"
    assert await refused(client, "Conclude", "life", winner="c", note="n") == "winner"
    assert await refused(client, "Conclude", "life", winner="b") == "note"
    done = await lead(client, "Conclude", "life", winner="b", note="ann: 2% more")
    assert (done.experiment.state, done.experiment.winner) == (CONCLUDED, "b")
    assert done.experiment.stop_time == ended.experiment.stop_time
    assert await refused(client, "Conclude", "life", winner="a", note="n") == "WRONG_STATE"
    assert await refused(client, "Stop", "life") == "WRONG_STATE"
    # Out of the way, and its revisions stay.
    await lead(client, "Delete", "life", note="done")
    revisions = (
        await client.experiment.ListExperimentRevisions(
            pb.ListExperimentRevisionsRequest(name="life", page_size=3)
        )
    ).revisions
    assert [(each.revision, each.HasField("config")) for each in revisions] == [
        (6, False), (5, True), (4, True),
    ]  # fmt: skip
    assert (await fault_of(get(client, "life"))).code() is grpc.StatusCode.NOT_FOUND
    assert (await get(client, "life", 5)) == done.experiment
    # Under the same name it would be another experiment: others are assigned.
    another = await put(client, "life", config("life"))
    assert another.experiment.config.salt not in ("life", "")
    assert another.experiment.revision == 7


async def test_salts_are_for_good(client: Client) -> None:
    """Whoever was in a variant would be in the same one again."""
    await put(client, "gone", config("gone", salt="gone-salt"))
    await lead(client, "Start", "gone")
    await lead(client, "Conclude", "gone", winner="a", note="n")
    await lead(client, "Delete", "gone", note="n")
    for name in ("gone", "fresh"):
        again = config("gone-again", salt="gone-salt", surfaces=["on-gone"])
        [(field, why)] = await violations_of(put(client, name, again))
        assert (field, "'gone'" in why) == ("experiment.config.salt", True)
    # Of drafts nobody was assigned by it.
    await put(client, "idea", config("gone", salt="idea-salt"))
    await lead(client, "Delete", "idea", note="n")
    await put(client, "idea", config("gone", salt="idea-salt"))
    long = ["same-beginning-" * 3 + end for end in ("one", "two")]
    for name in long:
        await put(client, name, config("gone", buckets=10))
        await lead(client, "Delete", name, note="n")
    salts = {
        (await put(client, name, config("gone", buckets=10))).experiment.config.salt
        for name in long
    }
    assert len(salts) == 2


async def test_what_runs_is_concluded_without_a_stop(client: Client) -> None:
    await put(client, "short", config("short"))
    begun = await lead(client, "Start", "short")
    assert begun.experiment.open_buckets == 1000
    done = await lead(client, "Conclude", "short", winner="a", note="no difference")
    assert done.experiment.state == CONCLUDED
    assert done.experiment.HasField("stop_time")


async def test_one_bad_field_refuses_the_whole(client: Client) -> None:
    """Truth 7: all that is wrong is named, nothing changes."""
    good = await put(client, "strict", config("strict"))
    bad = config(
        "strict",
        buckets=10_001,
        salt="a\nb",
        surfaces=["home", "home", "Home"],
        variants=[
            {"name": "a", "weight": 0, "surface": "other"},
            {"name": "a", "weight": 10_001, "surface": "home"},
            {"name": "c", "weight": 1, "exploration": {"epsilon": 2.0}},
        ],
        primary={"name": "p", "event_types": ["click", "click", ""]},
        guardrails=[
            {"metric": {"name": "g", "event_types": ["x"]}, "margin": -1.0},
            {"margin": 1.0},
            {"metric": {"name": "g", "event_types": []}, "margin": 1.0},
            {"metric": {"name": "p", "event_types": ["x"]}, "margin": 1.0},
        ],
        window="0.5s",
        planned_users=1,
        alpha=0.9,
    )
    wrong = {
        "buckets", "salt", "surfaces[1]", "surfaces[2]", "variants[0].weight",
        "variants[0].surface", "variants[1].name", "variants[1].weight", "variants[1].surface",
        "variants[2].exploration.epsilon", "primary.event_types[1]", "primary.event_types[2]",
        "guardrails[0].margin", "guardrails[1].metric", "guardrails[2].metric.name",
        "guardrails[2].metric.event_types", "guardrails[3].metric.name", "window",
        "planned_users", "alpha",
    }  # fmt: skip
    for check in (True, False):
        error = await fault_of(put(client, "strict", bad, check))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == {f"experiment.config.{field}" for field in wrong}
    unknown = experiment("strict", config("strict"))
    unknown.config.MergeFromString(b"\xfa\x3e\x01x")  # field 1007
    call = client.experiment.PutExperiment(pb.PutExperimentRequest(experiment=unknown))
    assert [field for field, _ in await violations_of(call)] == ["experiment.config"]
    beyond = config("strict", first_bucket=9_001)
    [(field, _)] = await violations_of(put(client, "strict", beyond))
    assert field == "experiment.config.first_bucket"
    assert await get(client, "strict") == good.experiment


async def test_what_is_only_validated_is_not_put(client: Client) -> None:
    tried = await put(client, "tried", config("tried"), check=True, note="n")
    assert (tried.experiment.config.salt, tried.experiment.note) == ("tried", "n")
    assert (tried.experiment.etag, tried.position) == ("", b"")
    assert (await fault_of(get(client, "tried"))).code() is grpc.StatusCode.NOT_FOUND


async def test_buckets_of_a_layer_have_one_owner_and_are_found(client: Client) -> None:
    await put(client, "range-a", config("range", first_bucket=2000, buckets=3000))
    await put(client, "range-b", config("range", first_bucket=6000, buckets=4000))
    [(field, why)] = await violations_of(
        put(client, "range-c", config("range", first_bucket=4999, buckets=1001))
    )
    assert field == "experiment.config.first_bucket"
    assert "'range-a' owns buckets 2,000 to 4,999" in why
    [(field, why)] = await violations_of(put(client, "range-c", config("range", buckets=2001)))
    assert field == "experiment.config.buckets"
    assert "at most 2,000 free" in why
    assert "range-a, range-b" in why
    third = await put(client, "range-c", config("range", buckets=1000))
    assert third.experiment.config.first_bucket == 0
    fourth = await put(client, "range-d", config("range", buckets=1000, first_bucket=5000))
    assert fourth.experiment.config.first_bucket == 5000
    # Put again without saying where, it stays; larger, it moves.
    same = await put(client, "range-d", config("range", planned_users=2000))
    assert same.experiment.config.first_bucket == 5000
    [(field, _)] = await violations_of(put(client, "range-d", config("range", buckets=1001)))
    assert field == "experiment.config.buckets"
    # Another layer knows nothing of it; what is stopped owns nothing.
    await put(client, "range-e", config("range2", buckets=10_000))
    await lead(client, "Start", "range-a")
    [(field, _)] = await violations_of(
        put(client, "range-f", config("range", first_bucket=2000, salt="f"))
    )
    assert field == "experiment.config.first_bucket"
    await lead(client, "Stop", "range-a")
    await put(client, "range-f", config("range", first_bucket=2000, salt="f"))


async def test_salts_and_parameters_have_one_owner(client: Client) -> None:
    for name in ("calm", "bold"):
        await put_surface(client, name)
    surfaces = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1, "surface": "calm"}]
    policies = [{"name": "a", "weight": 1},
                {"name": "b", "weight": 1, "exploration": {"epsilon": 0.1}}]  # fmt: skip
    on = {"surfaces": ["shared", "own"]}
    await put(client, "param-a", config("param-a", variants=surfaces, **on))
    [(field, why)] = await violations_of(
        put(client, "param-b", config("param-b", variants=surfaces, surfaces=["shared"]))
    )
    assert field == "experiment.config.layer"
    assert "'param-a' of layer 'param-a' replaces the configuration of surface 'shared'" in why
    # Of another kind, on another surface, or of the same layer: fine.
    await put(client, "param-c", config("param-c", variants=policies, surfaces=["shared"]))
    await put(client, "param-d", config("param-d", variants=surfaces, surfaces=["other"]))
    await put(client, "param-e", config("param-a", variants=surfaces, surfaces=["shared"]))
    [(field, why)] = await violations_of(put(client, "param-f", config("param-f", salt="param-a")))
    assert (field, "'param-a'" in why) == ("experiment.config.salt", True)
    missing = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1, "surface": "nowhere"}]
    [(field, why)] = await violations_of(put(client, "param-g", config("g", variants=missing)))
    assert (field, why) == (
        "experiment.config.variants[1].surface", "there is no surface 'nowhere'",
    )  # fmt: skip
    # Gone since it was put.
    await put(client, "param-h", config("param-h", surfaces=["h"], variants=[
        {"name": "a", "weight": 1}, {"name": "b", "weight": 1, "surface": "bold"},
    ]))  # fmt: skip
    await client.surface.DeleteSurface(surface_service_pb2.DeleteSurfaceRequest(name="bold"))
    assert await refused(client, "Start", "param-h") == "config.variants[1].surface"
    assert (await get(client, "param-h")).state == DRAFT


async def test_of_many_who_want_the_same_buckets_one_has_them(client: Client) -> None:
    """Truth: no bucket has two owners, whoever races."""
    racing = [
        put(client, f"race-{n}", config("race", first_bucket=100, buckets=50)) for n in range(8)
    ]
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    lost = [one for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
    assert len(lost) == 7
    assert all(fields_of(one) == {"experiment.config.first_bucket"} for one in lost)
    found = [put(client, f"race-{n}x", config("race", buckets=50)) for n in range(8)]
    placed = [answer.experiment.config.first_bucket for answer in await asyncio.gather(*found)]
    assert sorted(placed) == [0, 50, 150, 200, 250, 300, 350, 400]


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("PutExperiment", pb.PutExperimentRequest(tenant="A"),
         {"tenant", "experiment.name", "experiment.config"}),
        ("GetExperiment", pb.GetExperimentRequest(revision=2**63), {"name", "revision"}),
        ("ListExperiments", pb.ListExperimentsRequest(page_size=1001, page_token="%"),
         {"page_size", "page_token"}),
        ("ListExperimentRevisions", pb.ListExperimentRevisionsRequest(page_size=101),
         {"name", "page_size"}),
        ("StartExperiment", pb.StartExperimentRequest(share=0.0, note="\0"),
         {"name", "share", "note"}),
        ("RampExperiment", pb.RampExperimentRequest(share=float("nan")), {"name", "share"}),
        ("StopExperiment", pb.StopExperimentRequest(note="n" * 513), {"name", "note"}),
        ("ConcludeExperiment", pb.ConcludeExperimentRequest(), {"name", "winner", "note"}),
        ("DeleteExperiment", pb.DeleteExperimentRequest(tenant="A"), {"tenant", "name"}),
    ],
)  # fmt: skip
async def test_faults_of_requests_name_every_field(
    client: Client, method: str, request_: object, fields: set[str]
) -> None:
    error = await fault_of(getattr(client.experiment, method)(request_))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == fields


async def test_a_tenant_that_nobody_knows_has_none(client: Client) -> None:
    request = pb.ListExperimentsRequest(tenant="nobody")
    error = await fault_of(client.experiment.ListExperiments(request))
    assert reason_of(error) == "UNKNOWN_TENANT"


async def listed(client: Client, size: int) -> AsyncIterator[str]:
    request = pb.ListExperimentsRequest(page_size=size)
    while True:
        page = await client.experiment.ListExperiments(request)
        for one in page.experiments:
            yield one.name
        request.page_token = page.next_page_token
        if not request.page_token:
            return


async def test_pages_hold_every_experiment_once_by_name(client: Client) -> None:
    for n in range(5):
        await put(client, f"paged-{n}", config("paged", **FREE))
    found = [name async for name in listed(client, 2)]
    assert found == sorted(set(found))
    assert [name for name in found if name.startswith("paged")] == [f"paged-{n}" for n in range(5)]
