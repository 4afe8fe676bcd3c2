"""`harken import` takes what `harken export` writes: nothing changes, an empty tenant ends alike.

Truths 2 and 6.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.catch_up import wait_for_rankers
from services.cli.clients import Clients, connect
from services.cli.suite import Suite
from tests.cli.harken_process import command, environment
from tests.conftest import StartSuite
from tests.waiting import until

SUBJECTS = (
    subject_pb2.Subject(user_id="ann"),
    subject_pb2.Subject(user_id=" spaces "),
    subject_pb2.Subject(user_id="session:x"),
    subject_pb2.Subject(user_id='a,"b"\'é'),
    subject_pb2.Subject(session_id="ann"),
)
FIRST_US = 1_600_000_000 * 10**6


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=1)


@pytest_asyncio.fixture
async def clients(running: Suite) -> AsyncIterator[Clients]:
    async with connect(running.endpoints) as connected:
        yield connected


async def harken(suite: Suite, *arguments: str) -> dict[str, Any]:
    """Run a command; return the object on its last line, if it is one."""
    process = await asyncio.create_subprocess_exec(
        *command(*arguments, "--folder", str(suite.folder)), env=environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = (stream.decode() for stream in await process.communicate())
    assert process.returncode == 0, errors
    last = (output.splitlines() or [""])[-1]
    found: dict[str, Any] = json.loads(last) if last.startswith("{") else {}
    return found


async def fill(clients: Clients, tenant: str) -> bytes:
    """Give a tenant items, attributes and events of odd kinds; return the last position."""
    items = [
        item_pb2.Item(
            item_id=f"i {n}", title=f'  "{n}", of\nmany ', categories=[f"c|{n % 3}", "a,b"],
            tags=["[x]"], numbers={"Year": 1990.0 + n, "year": 0.1, "a.b": -0.0},
            owner=f" of {n % 2}" if n % 3 else "",
        )
        for n in range(12)
    ]  # fmt: skip
    items[4].available, items[8].available = True, False
    items[3].publish_time.FromNanoseconds(1_600_000_000_123_456_789)
    items[5].expire_time.FromNanoseconds(4_000_000_000_000_000_001)
    await clients.catalog.UpsertItems(
        catalog_service_pb2.UpsertItemsRequest(tenant=tenant, items=items)
    )
    for subject in SUBJECTS[:2]:
        profile = profile_pb2.Profile(subject=subject)
        profile.attributes.update({"country": "DE", "big": "9007199254740993", "on": True})
        await clients.profile.UpdateProfile(
            profile_service_pb2.UpdateProfileRequest(tenant=tenant, profile=profile)
        )
    events = []
    for n in range(60):
        event = event_pb2.Event(
            event_id=f"e,{n}", subject=SUBJECTS[n % len(SUBJECTS)], item_id=f"i {n % 12}",
            type="play" if n % 3 else "like",
            slate_id=f"s{n}" if n % 7 == 0 else "", context={"k": 'v,"'} if n % 5 == 0 else {},
        )  # fmt: skip
        if n % 3:
            event.value = n / 7
        event.event_time.FromMicroseconds(FIRST_US + n * 1_000_001)
        events.append(event)
    request = feedback_service_pb2.ImportEventsRequest(tenant=tenant, events=events)
    async for answer in clients.feedback.ImportEvents(iter([request])):
        assert answer.accepted == 60
    # One without a time.
    last = await clients.feedback.RecordEvents(
        feedback_service_pb2.RecordEventsRequest(
            tenant=tenant,
            events=[event_pb2.Event(event_id="now", subject=SUBJECTS[0], item_id="i 1",
                                    type="like")],
        )
    )  # fmt: skip
    position: bytes = last.position
    return position


async def known(clients: Clients, tenant: str) -> list[profile_pb2.Profile]:
    """Return what profile knows, without vectors and what tells when."""
    answer = await clients.profile.BatchGetProfiles(
        profile_service_pb2.BatchGetProfilesRequest(
            tenant=tenant, subjects=SUBJECTS, include_seen=True
        )
    )
    profiles = [result.profile for result in answer.results]
    for profile in profiles:
        profile.state.ClearField("vector")
        profile.state.ClearField("generation_id")
        profile.ClearField("etag")
        profile.ClearField("update_time")
    return profiles


def read(file: Path) -> bytes:
    """Return what a file says; when it was packed is left out."""
    content = file.read_bytes()
    return gzip.decompress(content) if file.suffix == ".gz" else content


async def digest(clients: Clients, tenant: str, position: bytes) -> bytes:
    await wait_for_rankers(clients, tenant, position)
    state = await clients.rankers[0].GetServingState(ranker_service_pb2.GetServingStateRequest())
    return next(one.digest for one in state.tenants if one.tenant == tenant)


async def test_an_export_is_an_inverse(running: Suite, clients: Clients, tmp_path: Path) -> None:
    position = await fill(clients, "first")
    await wait_for_rankers(clients, "first", position)
    for suffix in ("csv", "jsonl.gz"):
        for kind in ("items", "users", "events"):
            file = str(tmp_path / f"{kind}.{suffix}")
            await harken(running, "export", file, "--kind", kind, "--tenant", "first")
            again = await harken(running, "import", kind, file, "--tenant", "first", "--json")
            rows = again["rows"]
            assert rows > 0
            assert again["created"] == again["quarantined"] == again["rejected"] == 0, again
            if kind == "events":
                assert (again["duplicates"], rows) == (61, 61), again
            if kind == "items":
                assert again["unchanged"] == rows, again
            other = await harken(
                running, "import", kind, file, "--tenant", f"other-{suffix[:3]}", "--json"
            )
            assert other["accepted"] == rows, other
            position = bytes.fromhex(other["position"] or "")
            copy = tmp_path / f"copy-{kind}.{suffix}"
            await harken(
                running, "export", str(copy), "--kind", kind, "--tenant", f"other-{suffix[:3]}"
            )
            assert read(copy) == read(Path(file))
        await wait_for_rankers(clients, f"other-{suffix[:3]}", position)
        there = await known(clients, f"other-{suffix[:3]}")
        here = await known(clients, "first")
        assert there == here


async def test_a_catalogue_gives_the_same_vectors(
    running: Suite, clients: Clients, tmp_path: Path
) -> None:
    items = [
        item_pb2.Item(item_id=f"v{n}", title=f"Thing {n}", categories=[f"c{n % 3}"])
        for n in range(30)
    ]
    answer = await clients.catalog.UpsertItems(
        catalog_service_pb2.UpsertItemsRequest(tenant="vectors", items=items)
    )
    file = str(tmp_path / "items.csv")
    await harken(running, "export", file, "--kind", "items", "--tenant", "vectors")
    await harken(running, "import", "items", file, "--tenant", "vectors-again")
    first = await digest(clients, "vectors", answer.position)

    async def alike() -> bool:
        state = await clients.rankers[0].GetServingState(
            ranker_service_pb2.GetServingStateRequest()
        )
        return {one.tenant: one.digest for one in state.tenants}.get("vectors-again") == first

    await until(alike, "equal digests")
