"""`harken users` on a real suite."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from harken.common.v1.subject_pb2 import Subject
from harken.feedback.v1 import embedding_service_pb2, embedding_service_pb2_grpc
from harken.feedback.v1.catalog_service_pb2 import UpsertItemsRequest
from harken.feedback.v1.event_pb2 import Event
from harken.feedback.v1.feedback_service_pb2 import RecordEventsRequest
from harken.feedback.v1.item_pb2 import Item
from harken.profile.v1.profile_pb2 import Profile
from harken.profile.v1.profile_service_pb2 import GetProfileRequest, UpdateProfileRequest
from services.cli.clients import connect
from services.cli.suite import Suite
from services.common.channels import open_channel
from tests.cli.harken_process import Finished, harken
from tests.conftest import StartSuite


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=1)


async def put_vectors(running: Suite, vectors: dict[str, list[float]], dimension: int) -> None:
    """Set vectors of users, and of a session where the name says so."""
    embeddings = [
        embedding_service_pb2.Embedding(
            subject=Subject(session_id=name) if name.startswith("s-") else Subject(user_id=name),
            values=[*vector, *[0.0] * (dimension - len(vector))],
        )
        for name, vector in vectors.items()
    ]
    async with (
        connect(running.endpoints) as clients,
        open_channel(running.endpoints.feedback) as channel,
    ):
        await clients.catalog.UpsertItems(
            UpsertItemsRequest(items=[Item(item_id="i")]), wait_for_ready=True, timeout=60
        )
        stub = cast("Any", embedding_service_pb2_grpc.EmbeddingServiceStub(channel))
        request = embedding_service_pb2.PutEmbeddingsRequest(embeddings=embeddings)
        answer = await stub.PutEmbeddings(request, timeout=60)
        wanted = GetProfileRequest(
            subject=Subject(user_id="ann"), min_position=answer.position, strict=True
        )
        wanted.wait_budget.FromSeconds(10)
        await clients.profile.GetProfile(wanted, timeout=60)


async def test_similar_users_are_shown_nearest_first(running: Suite, tmp_path: Path) -> None:
    vectors = {"ann": [1.0], "bob": [1.0, 1.0], "s-1": [1.0, 0.1], "far": [-1.0]}
    await put_vectors(running, vectors, 128)

    async def similar(*arguments: str) -> tuple[int | None, str, str]:
        done = await harken(
            "users", "similar", *arguments, folder=tmp_path, endpoints=running.endpoints
        )
        assert "Traceback" not in done.errors
        return done.code, done.output, done.errors

    code, shown, errors = await similar("ann", "--count", "2")
    assert code == 0, errors
    lines = [line.split() for line in shown.splitlines() if line.strip(" ─━-")]
    assert lines == [["user", "similarity"], ["s-1", "session", "0.9950"], ["bob", "0.7071"]]
    assert errors.startswith("3 others compared; generation ")
    code, shown, errors = await similar("s-1", "--session", "--json")
    rows = [json.loads(line) for line in shown.splitlines()]
    assert [(row["user"], row["session"]) for row in rows] == [
        ("ann", None), ("bob", None), ("far", None),
    ]  # fmt: skip
    assert rows[2]["similarity"] < -0.9
    assert not errors
    code, shown, errors = await similar("nobody")
    assert code == 1
    assert not shown
    assert "nothing is known about the subject" in errors


async def test_a_user_is_shown(running: Suite, tmp_path: Path) -> None:
    """As a table, and as one object for programs."""
    item = Item(item_id="film", categories=["space"], tags=["[red]"])
    event = Event(event_id="e", subject=Subject(user_id="kim"), item_id="film", type="play")
    profile = Profile(subject=event.subject)
    profile.attributes.update({"country": "DE"})
    async with connect(running.endpoints) as clients:
        await clients.catalog.UpsertItems(
            UpsertItemsRequest(items=[item]), wait_for_ready=True, timeout=60
        )
        await clients.profile.UpdateProfile(UpdateProfileRequest(profile=profile), timeout=60)
        answer = await clients.feedback.RecordEvents(
            RecordEventsRequest(events=[event]), timeout=60
        )
        wanted = GetProfileRequest(subject=event.subject, min_position=answer.position, strict=True)
        wanted.wait_budget.FromSeconds(10)
        await clients.profile.GetProfile(wanted, timeout=60)

    async def show(*arguments: str) -> Finished:
        return await harken(
            "users", "show", *arguments, folder=tmp_path, endpoints=running.endpoints
        )

    shown = await show("kim")
    assert shown.code == 0, shown.errors
    assert all(word in shown.output for word in ("country", "DE", "play", "space", "[red]"))
    found = json.loads((await show("kim", "--json")).output)
    assert found["attributes"] == {"country": "DE"}
    assert found["behaviour"]["types"][0]["events"] == "1"
    assert found["interests"]["tags"][0] == {
        "name": "[red]", "short_term": 1.0, "long_term": 1.0, "events": "1",
    }  # fmt: skip
    nobody = await show("nobody")
    assert (nobody.code, nobody.output) == (1, "")
    assert "nothing is known" in nobody.errors


async def test_a_schema_goes_out_and_in(running: Suite, tmp_path: Path) -> None:
    async def schema(*arguments: str) -> Finished:
        return await harken(
            "users", "schema", *arguments, "--tenant", "typed",
            folder=tmp_path, endpoints=running.endpoints,
        )  # fmt: skip

    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"attributes": [{"name": "age", "type": "NUMBER"}]}))
    done = await schema(str(file))
    assert done.code == 0, done.errors
    shown = (await schema()).output
    assert json.loads(shown) == json.loads(done.output)
    file.write_text(shown)
    assert (await schema(str(file))).code == 0
    # It was changed since it was read.
    assert (await schema(str(file))).code == 1
    file.write_text(json.dumps({"attributes": [{"name": "age", "type": "NUMBER", "minimum": "x"}]}))
    assert "minimum" in (await schema(str(file))).errors
    file.write_text(json.dumps({"attributes": [{"name": "", "type": "BOOL"}]}))
    assert "attributes[0].name: " in (await schema(str(file))).errors
