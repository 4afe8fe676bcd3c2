"""Slates of a night's mails: those that single calls get, logged, and taken up where they broke."""

import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from harken.common.v1.subject_pb2 import Subject
from harken.feedback.v1 import feedback_service_pb2, surface_pb2, surface_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.cli.suite import Suite
from tests.cli.harken_process import harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event, user
from tests.waiting import until

USERS = [f"u{n}" for n in range(40)]


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="shopping", rankers=2)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as caller:
        learned = await caller.upsert(*catalogue())
        seen = random.Random(3)
        for who in USERS[:30]:
            picked = seen.sample(range(60), 4)
            groups = ("space", "romance", "crime")
            await caller.record(
                *(event(f"{who}-{n}", who, f"{groups[n % 3]}-{n}", "view") for n in picked)
            )
        surface = surface_pb2.Surface(name="mail")
        json_format.ParseDict(
            {"exploration": {"plackettLuceTemperature": 1.0},
             "rules": [{"name": "few", "cap": {"attribute": "category", "most": 3}}]},
            surface.config,
        )  # fmt: skip
        put = surface_service_pb2.PutSurfaceRequest(surface=surface)
        learned = (await caller.clients.surfaces.PutSurface(put)).position or learned
        for replica in range(2):
            await caller.slate("u0", learned, replica=replica)
        yield caller


async def batch(
    caller: Caller, subjects: list[Subject], replica: int = 0, **fields: Any
) -> list[pb.SubjectSlate]:
    request = pb.BatchRecommendRequest(subjects=subjects, request=pb.RecommendRequest(**fields))
    call = caller.clients.rankers[replica].BatchRecommend(request)
    return [result async for answer in call for result in answer.results]


@pytest.mark.parametrize("surface", ["", "mail"])
async def test_a_batch_is_what_single_calls_get(caller: Caller, surface: str) -> None:
    """Whoever is in it, in whatever order, and where chance has a part, too: by the same seed."""
    drawn = random.Random(surface)
    for _ in range(5):
        names = drawn.choices(USERS, k=drawn.randint(1, 60))
        fields: dict[str, Any] = {"surface": surface, "count": drawn.randint(1, 20)}
        fields["as_of"] = Timestamp(seconds=int(time.time()))
        found = await batch(caller, [user(name) for name in names], preview=True, **fields)
        assert [one.ordinal for one in found] == list(range(len(names)))
        for name, one in zip(names, found, strict=True):
            single = await caller.slate(name, preview=True, seed=one.slate.seed, **fields)
            assert list(one.slate.slots) == list(single.slots)
            assert one.slate.policy == single.policy
            assert one.slate.unknown_subject == single.unknown_subject == (name in USERS[30:])
            assert one.slate.drops == single.drops


async def test_a_batch_reflects_a_position_and_is_logged(caller: Caller) -> None:
    """Truth 8, for all subjects: events before the position are in their slates."""
    position = await caller.record(event("now", "u39", "space-0", "purchase"))
    found = await batch(
        caller, [user("u39")], surface="mail", count=60, min_position=position, strict=True
    )
    assert "space-0" not in [slot.item_id for slot in found[0].slate.slots]
    wanted = found[0].slate.slate_id

    async def logged() -> bool:
        request = feedback_service_pb2.ExportSlatesRequest()
        pages = caller.clients.feedback.ExportSlates(request)
        subjects = {one.slate_id: one.subject async for page in pages for one in page.slates}
        return subjects.get(wanted) == user("u39")

    await until(logged, "the slate in the log", 30)


async def test_the_command_writes_a_file_and_goes_on_where_it_ends(
    caller: Caller, running: Suite, tmp_path: Path
) -> None:
    (tmp_path / "ids").write_text("\n".join([*USERS, "x" * 129]) + "\n")

    async def run(*arguments: str) -> Any:
        return await harken(
            "batch", "ids", "slates.jsonl", *arguments, "--count", "4", "--preview",
            folder=tmp_path, endpoints=running.endpoints,
        )  # fmt: skip

    done = await run()
    assert done.code == 0, done.errors
    assert "41 slates, 1 faults" in done.errors
    written = (tmp_path / "slates.jsonl").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["subject"] for line in lines] == [*USERS, "x" * 129]
    assert all(len(line["items"]) == 4 for line in lines[:-1])
    assert lines[-1]["fault"]["reason"] == "INVALID_REQUEST"
    whole = written.splitlines(keepends=True)
    (tmp_path / "slates.jsonl").write_text("".join(whole[:17]) + whole[17][:20])
    done = await run("--resume")
    assert done.code == 0, done.errors
    assert "24 slates" in done.errors
    again = (tmp_path / "slates.jsonl").read_text().splitlines(keepends=True)
    assert again[:17] == whole[:17]
    assert [json.loads(line)["subject"] for line in again] == [line["subject"] for line in lines]
    (tmp_path / "ids").write_text("u1\n")
    refused = await run("--resume")
    assert refused.code == 1
    assert "only 1 ids" in refused.errors


async def test_the_command_keeps_what_is_there_and_in_step_with_its_subjects(
    caller: Caller, running: Suite, tmp_path: Path
) -> None:
    (tmp_path / "ids").write_text("u1\n\nu2\r\n")
    file = tmp_path / "slates.jsonl"

    async def run(*arguments: str) -> Any:
        return await harken(
            "batch", "ids", "slates.jsonl", "--preview", *arguments,
            folder=tmp_path, endpoints=running.endpoints,
        )  # fmt: skip

    wrong = await run("--filter", "item.nothing > 1")
    assert wrong.code == 1
    assert "expression" in wrong.errors
    assert not file.exists()
    done = await run()
    assert done.code == 0, done.errors
    assert "3 slates, 1 faults" in done.errors
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["subject"] for line in lines] == ["u1", "", "u2"]
    assert [line.get("fault", {}).get("reason") for line in lines] == [
        None, "INVALID_REQUEST", None,
    ]  # fmt: skip
    assert lines[1]["fault"]["detail"] == "a blank line"
    written = file.read_text()
    for more, said in (
        ((), "slates.jsonl is there already: --resume goes on"),
        (("--resume", "--overwrite"), "say one"),
        (("--overwrite", "--filter", "item.nothing > 1"), "expression"),
    ):
        refused = await run(*more)
        assert refused.code == 1
        assert said in " ".join(refused.errors.split())
        assert file.read_text() == written
    done = await run("--overwrite", "--count", "2")
    assert done.code == 0, done.errors
    assert [len(json.loads(line).get("items", "")) for line in file.read_text().splitlines()] == [
        2, 0, 2,
    ]  # fmt: skip
