"""Surfaces: versioned, refused as a whole, in force where frames are folded (truths 1, 4, 7)."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import grpc
import pytest

from harken.feedback.v1 import surface_pb2
from harken.feedback.v1 import surface_service_pb2 as pb
from harken.internal.feed.v1 import feed_service_pb2, frame_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.position import decode_position
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.frame_columns import check_changes, tenant_changes
from tests.faults import fault_of, fields_of, reason_of, violations_of
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, record
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until

CATALOGUE = [frame_pb2.SECTION_CATALOGUE]


def config(strength: float = 0.3, **fields: Any) -> surface_pb2.SurfaceConfig:
    return surface_pb2.SurfaceConfig(
        diversity=surface_pb2.Diversity(strength=strength),
        outcome_weights={f"outcome_{n}": n for n in range(9)},
        **fields,
    )


async def put(
    client: Client,
    name: str,
    one: surface_pb2.SurfaceConfig,
    validate_only: bool = False,
    **fields: Any,
) -> pb.PutSurfaceResponse:
    surface = surface_pb2.Surface(name=name, config=one, **fields)
    answer: pb.PutSurfaceResponse = await client.surface.PutSurface(
        pb.PutSurfaceRequest(surface=surface, validate_only=validate_only), timeout=30
    )
    return answer


async def get(client: Client, name: str, revision: int = 0) -> surface_pb2.Surface:
    request = pb.GetSurfaceRequest(name=name, revision=revision)
    answer: pb.GetSurfaceResponse = await client.surface.GetSurface(request, timeout=30)
    return answer.surface


async def history(client: Client, name: str, size: int = 0) -> AsyncIterator[surface_pb2.Surface]:
    request = pb.ListSurfaceRevisionsRequest(name=name, page_size=size)
    while True:
        answer = await client.surface.ListSurfaceRevisions(request, timeout=30)
        assert len(answer.revisions) <= (size or 20)
        for one in answer.revisions:
            yield one
        request.page_token = answer.next_page_token
        if not request.page_token:
            return


def folded(frames: list[frame_pb2.Frame], replica: TenantReplica) -> TenantReplica:
    """Fold frames of the catalogue as a ranker does."""
    for frame in frames:
        for part in frame.tenants:
            if part.tenant == replica.tenant:
                changes = tenant_changes(part, None)
                check_changes(changes, None, {})
                replica.fold(changes)
    return replica


def replica() -> TenantReplica:
    return TenantReplica("default", 60.0, 10)


def surfaces_of(replica: TenantReplica) -> dict[str, tuple[int, surface_pb2.SurfaceConfig]]:
    found = {}
    for (kind, name), document in replica.documents.items():
        surface = surface_pb2.Surface.FromString(document.body)
        assert (kind, name, bool(surface.note)) == ("surface", surface.name, False)
        found[name] = (document.revision, surface.config)
    return found


async def frames_through(client: Client, position: bytes) -> list[frame_pb2.Frame]:
    resume = feed_service_pb2.ResumePoint()
    async with FeedReader(client, resume=resume, sections=CATALOGUE) as reader:
        await reader.read("welcome")
        return await reader.frames_through(decode_position(position).sequence)


async def test_a_surface_is_put_changed_rolled_back_and_deleted(client: Client) -> None:
    first = await put(client, "home", config(0.1), note="ann: first")
    assert first.surface.config == config(0.1)
    assert (first.surface.revision, first.surface.note) == (1, "ann: first")
    assert first.surface == await get(client, "home") == await get(client, "home", 1)
    again = await put(client, "home", config(0.1), note="ann: first", etag="of before")
    assert (again.surface, again.position) == (first.surface, b"")
    second = await put(client, "home", config(0.2), etag=first.surface.etag)
    assert decode_position(second.position) > decode_position(first.position)
    back = await client.surface.RollbackSurface(
        pb.RollbackSurfaceRequest(
            name="home", revision=1, etag=second.surface.etag, note="ann: no good"
        )
    )
    assert (back.surface.revision, back.surface.config) == (3, config(0.1))
    assert (await get(client, "home")).note == "ann: no good"
    stale = pb.DeleteSurfaceRequest(name="home", etag=second.surface.etag)
    error = await fault_of(client.surface.DeleteSurface(stale))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    gone = await client.surface.DeleteSurface(
        pb.DeleteSurfaceRequest(name="home", note="bye", etag=back.surface.etag)
    )
    error = await fault_of(get(client, "home"))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    error = await fault_of(client.surface.DeleteSurface(pb.DeleteSurfaceRequest(name="home")))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    revisions = [one async for one in history(client, "home", 2)]
    assert [one.revision for one in revisions] == [4, 3, 2, 1]
    assert [one.HasField("config") for one in revisions] == [False, True, True, True]
    assert (revisions[0].note, revisions[0].name) == ("bye", "home")
    assert revisions[1:] == [back.surface, second.surface, first.surface]
    assert revisions[0] == await get(client, "home", 4)
    of_deletion = pb.RollbackSurfaceRequest(name="home", revision=4)
    [(wrong, _)] = await violations_of(client.surface.RollbackSurface(of_deletion))
    assert wrong == "revision"
    assert surfaces_of(folded(await frames_through(client, gone.position), replica())) == {}
    restored = await client.surface.RollbackSurface(
        pb.RollbackSurfaceRequest(name="home", revision=2)
    )
    assert (restored.surface.revision, restored.surface.config) == (5, config(0.2))
    frames = await frames_through(client, restored.position)
    assert surfaces_of(folded(frames, replica()))["home"] == (5, config(0.2))


async def test_one_bad_field_refuses_the_whole_and_the_old_one_serves_on(client: Client) -> None:
    """Truth 7: all that is wrong is named; store, log and frames have nothing of it."""
    good = await put(client, "strict", config(0.1, not_in_last_slates=3))
    bad = config(2.0, not_in_last_slates=51)
    bad.rules.add(name="b", boost=surface_pb2.Boost(items="true", factor=-1))
    bad.rules.add(name="b", pin=surface_pb2.Pin(item_id="i1", slot=1))
    bad.gates.add(name="g", keep="item.title\n  == item.nothing")
    wrong = {
        "surface.config.gates[0].keep",
        "surface.config.not_in_last_slates", "surface.config.diversity.strength",
        "surface.config.rules[0].boost.factor", "surface.config.rules[1].name",
    }  # fmt: skip
    for validate_only in (True, False):
        error = await fault_of(put(client, "strict", bad, validate_only))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == wrong
        assert "surface.config.gates[0].keep: line 2, column 10: " in str(error.details())
    unknown = config(0.2)
    unknown.MergeFromString(b"\xfa\x3e\x01x")  # field 1007
    [(named, _)] = await violations_of(put(client, "strict", unknown))
    assert named == "surface.config"
    assert await get(client, "strict") == good.surface
    last = await put(client, "beside", config(0.4))
    serving = surfaces_of(folded(await frames_through(client, last.position), replica()))
    assert serving["strict"] == (1, good.surface.config)
    assert serving["beside"] == (1, config(0.4))


async def test_what_is_most_likely_a_typo_is_put_and_warned_of(client: Client) -> None:
    await client.upsert(20)
    good = surface_pb2.SurfaceConfig(
        outcome_weights={"click": 2.0}, seen={"view": "30d", "*": "never"}
    )
    good.rules.add(name="hero", pin=surface_pb2.Pin(item_id="i1", slot=1))
    good.rules.add(name="any", pin=surface_pb2.Pin(items="true", slot=2))
    assert list((await put(client, "typos", good)).warnings) == []
    bad = surface_pb2.SurfaceConfig()
    bad.CopyFrom(good)
    bad.outcome_weights["clicks"] = 1.0
    bad.seen["veiw"] = "30d"
    bad.rules.add(name="gone", pin=surface_pb2.Pin(item_id="nowhere", slot=3))
    for validate_only in (True, False, False):
        answer = await put(client, "typos", bad, validate_only)
        outcome, seen, item = answer.warnings
        assert outcome == (
            "surface.config.outcome_weights['clicks']: there is no outcome 'clicks', but click,"
            " hide, purchase"
        )
        assert seen.startswith("surface.config.seen['veiw']: there is no event type 'veiw', but ")
        assert " view" in seen
        assert item == "surface.config.rules[2].pin.item_id: there is no item 'nowhere'"
    assert (await get(client, "typos")).config == bad


async def test_what_is_only_validated_is_not_put(client: Client) -> None:
    tried = await put(client, "tried", config(0.1), validate_only=True, note="n")
    assert tried.surface == surface_pb2.Surface(name="tried", config=config(0.1), note="n")
    assert tried.position == b""
    assert (await fault_of(get(client, "tried"))).code() == grpc.StatusCode.NOT_FOUND
    error = await fault_of(put(client, "tried", config(0.1), validate_only=True, etag="x"))
    assert reason_of(error) == "ETAG_MISMATCH"
    # An empty configuration is one.
    empty = await put(client, "tried", surface_pb2.SurfaceConfig())
    assert empty.surface.HasField("config")
    frames = await frames_through(client, empty.position)
    assert surfaces_of(folded(frames, replica()))["tried"] == (1, surface_pb2.SurfaceConfig())


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("PutSurface", pb.PutSurfaceRequest(tenant="A"),
         {"tenant", "surface.name", "surface.config"}),
        ("PutSurface", pb.PutSurfaceRequest(surface=surface_pb2.Surface(
            name="a" * 65, note="n" * 513, config=config())), {"surface.name", "surface.note"}),
        ("PutSurface", pb.PutSurfaceRequest(surface=surface_pb2.Surface(
            name="a", note="n\0", config=config())), {"surface.note"}),
        ("GetSurface", pb.GetSurfaceRequest(revision=2**63), {"name", "revision"}),
        ("ListSurfaces", pb.ListSurfacesRequest(page_size=1001, page_token="%"),
         {"page_size", "page_token"}),
        ("ListSurfaceRevisions", pb.ListSurfaceRevisionsRequest(page_size=101, page_token="eA=="),
         {"name", "page_size", "page_token"}),
        ("RollbackSurface", pb.RollbackSurfaceRequest(note="n" * 513),
         {"name", "revision", "note"}),
        ("DeleteSurface", pb.DeleteSurfaceRequest(note="\0"), {"name", "note"}),
    ],
)  # fmt: skip
async def test_faults_of_requests_name_every_field(
    client: Client, method: str, request_: object, fields: set[str]
) -> None:
    error = await fault_of(getattr(client.surface, method)(request_))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == fields


async def test_a_tenant_that_nobody_knows_has_no_surfaces(client: Client) -> None:
    for call in (
        client.surface.PutSurface(
            pb.PutSurfaceRequest(
                tenant="nobody", surface=surface_pb2.Surface(name="home", config=config())
            )
        ),
        client.surface.GetSurface(pb.GetSurfaceRequest(tenant="nobody", name="home")),
        client.surface.ListSurfaces(pb.ListSurfacesRequest(tenant="nobody")),
    ):
        error = await fault_of(call)
        assert reason_of(error) == "UNKNOWN_TENANT"


async def test_pages_hold_every_surface_once_by_name(client: Client) -> None:
    names = [f"paged-{n}" for n in range(7)]
    for name in names:
        await put(client, name, config())
    await client.surface.DeleteSurface(pb.DeleteSurfaceRequest(name="paged-3"))
    found: list[str] = []
    request = pb.ListSurfacesRequest(page_size=2)
    while True:
        page = await client.surface.ListSurfaces(request)
        found += [one.name for one in page.surfaces]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert found == sorted(set(found))
    assert [name for name in found if name.startswith("paged")] == [*names[:3], *names[4:]]


async def test_what_a_learner_missed_is_said_again(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """A learner of an earlier release passes over documents, and lacks them in its checkpoints."""
    first, target = processes.start("first")
    client = connect(target)
    await client.upsert(2)
    for name in ("missed", "gone", "fine"):
        last = await put(client, name, config(0.1))
    await frames_through(client, last.position)
    await asyncio.to_thread(first.kill)
    # As such a learner leaves it: rows, of whose entries frames know nothing.
    changed = surface_pb2.Surface(name="missed", config=config(0.2)).SerializeToString()
    for name, body in (("missed", changed), ("gone", b""), ("new", changed), ("never", b"")):
        await admin.execute("UPDATE feedback.documents SET newest = false WHERE name = $1", name)
        await admin.execute(
            "INSERT INTO feedback.documents VALUES"
            " ('default', 'surface', $1, 2, $2, '', now(), true)",
            name,
            body,
        )
    head = await admin.fetchval("SELECT head FROM feedback.shards")
    _, target = processes.start("second")
    client = connect(target)
    async with FeedReader(
        client, resume=feed_service_pb2.ResumePoint(), sections=CATALOGUE
    ) as reader:
        await reader.read("welcome")
        found = folded(await reader.frames_through(head + 3), replica())
    assert {key[1]: one.revision for key, one in found.documents.items()} == {
        "missed": 2, "fine": 1, "new": 2,
    }  # fmt: skip
    assert found.documents["surface", "missed"].body == changed
    entries = await admin.fetch("SELECT entry FROM feedback.log WHERE sequence > $1", head)
    again = [entry_pb2.Entry.FromString(row["entry"]).document.name for row in entries]
    assert sorted(name for name in again if name) == ["gone", "missed", "new"]


@dataclass
class Sent:
    """What was put of one surface, in order: strengths, and revisions of those acknowledged."""

    name: str
    strengths: list[float] = field(default_factory=list)
    acknowledged: dict[int, float] = field(default_factory=dict)


async def keep_putting(client: Client, sent: Sent) -> None:
    """Put one revision after the other until the process is gone."""
    for number in itertools.count(len(sent.strengths)):
        strength = number / 10_000
        sent.strengths.append(strength)
        try:
            answer = await put(client, sent.name, config(strength))
        except grpc.aio.AioRpcError:
            return
        sent.acknowledged[answer.surface.revision] = strength


async def test_kills_at_any_moment_leave_rows_log_and_frames_alike(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """SIGKILL while surfaces are put: what was acknowledged is there, and nothing is half there."""
    chance = random.Random(5)
    sent = [Sent(f"s{n}") for n in range(4)]
    settings = {"checkpoint_versions": "3", "checkpoint_seconds": "0.01", "keep_versions": "3"}
    for round_ in range(4):
        process, target = processes.start(f"feedback-{round_}", **settings)
        client = connect(target)
        await client.upsert(2)
        before = sum(len(one.acknowledged) for one in sent)
        putting = [asyncio.create_task(keep_putting(client, one)) for one in sent]
        wanted = before + chance.randrange(5, 60)

        async def enough(wanted: int = wanted) -> bool:
            return sum(len(one.acknowledged) for one in sent) >= wanted

        await until(enough, "some surfaces to be put")
        await asyncio.to_thread(process.kill)
        await asyncio.gather(*putting)
    _, target = processes.start("last", **settings)
    client = connect(target)
    rows = await admin.fetch("SELECT name, revision, body FROM feedback.documents ORDER BY 1, 2")
    stored = [tuple(row) for row in rows]
    entries = await admin.fetch("SELECT entry FROM feedback.log ORDER BY sequence")
    documents = [entry_pb2.Entry.FromString(row["entry"]).document for row in entries]
    logged = [(one.name, one.revision, one.body) for one in documents if one.name]
    assert sorted(logged) == stored
    newest = {}
    for one in sent:
        own = [
            (revision, surface_pb2.Surface.FromString(body).config.diversity.strength)
            for name, revision, body in stored
            if name == one.name
        ]
        assert [revision for revision, _ in own] == list(range(1, len(own) + 1))
        assert one.acknowledged.items() <= dict(own).items()
        # Those that were not acknowledged may be there or not, each once and in order.
        assert [strength for _, strength in own] == sorted({strength for _, strength in own})
        assert {strength for _, strength in own} <= set(one.strengths)
        newest[one.name] = own[-1]
    await record(client, "poke")

    async def snapshot() -> TenantReplica:
        async with FeedReader(client, snapshot=True, sections=CATALOGUE) as reader:
            await reader.read("welcome")
            chunks = await reader.snapshot()
            frames = [chunk.content for chunk in chunks]
            last = await put(client, "last", config())
            frames += await reader.frames_through(decode_position(last.position).sequence)
        return folded(frames, replica())

    found = surfaces_of(await snapshot())
    assert found.pop("last") == (1, config())
    assert {name: (own[0], own[1].diversity.strength) for name, own in found.items()} == newest
