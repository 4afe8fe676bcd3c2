"""ListTrending and ListLatest over the wire, and what the command line shows of them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from harken.feedback.v1 import feedback_service_pb2, item_pb2, surface_pb2, surface_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.cli.suite import Suite
from tests.cli.harken_process import harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, event
from tests.faults import fault_of, fields_of

START = 1_600_000_000


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="shopping", rankers=1)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as caller:
        yield caller


async def shelf(caller: Caller) -> bytes:
    """Upsert 20 items, each published a second after the one before; i5 is liked most."""
    things = []
    for n in range(20):
        thing = item_pb2.Item(item_id=f"i{n}", title=f"Thing {n}", categories=[f"c{n % 2}"])
        thing.publish_time.seconds = START + n
        things.append(thing)
    things[19].publish_time.seconds = 4_000_000_000
    learned = await caller.upsert(*things)
    liked = [5, 5, 5, 8, 8, 2]
    events = [event(f"e{n}", f"u{n}", f"i{item}", "purchase") for n, item in enumerate(liked)]
    position = await caller.record(*events)
    return max(learned, position)


def ids(answer: pb.ListTrendingResponse | pb.ListLatestResponse) -> list[str]:
    return [slot.item_id for slot in answer.slots]


async def test_lists_reflect_what_a_position_says(caller: Caller) -> None:
    """Truth 8: what was written before is in the list, or it says stale."""
    learned = await shelf(caller)
    strict: dict[str, Any] = {"min_learned_position": learned, "strict": True}
    trending = pb.ListTrendingRequest(**strict)
    trending.wait_budget.seconds = 10
    answer = await caller.clients.ranker.ListTrending(trending)
    assert ids(answer) == ["i5", "i8", "i2"]
    assert answer.slots[0].reason.code == slate_pb2.REASON_CODE_POPULAR
    assert not answer.stale
    assert not answer.next_page_token
    latest = pb.ListLatestRequest(count=3, **strict)
    latest.wait_budget.seconds = 10
    newest = await caller.clients.ranker.ListLatest(latest)
    # i19 is published in the year 2096.
    assert ids(newest) == ["i18", "i17", "i16"]
    assert newest.slots[0].score == START + 18
    assert newest.slots[0].reason.code == slate_pb2.REASON_CODE_LATEST
    # What was seen by somebody is there all the same, and nothing of this is logged.
    again = pb.ListLatestRequest(count=3, page_token=newest.next_page_token)
    again.filter.categories.append("c0")
    page = await caller.clients.ranker.ListLatest(again)
    assert ids(page) == ["i14", "i12", "i10"]
    assert page.drops.category > 0
    assert page.drops.shown == 2
    with_wrong = pb.ListTrendingRequest()
    with_wrong.filter.categories.append("nothing")
    assert (await caller.clients.ranker.ListTrending(with_wrong)).unknown_categories == ["nothing"]
    export = caller.clients.feedback.ExportSlates(feedback_service_pb2.ExportSlatesRequest())
    assert [slate async for page in export for slate in page.slates] == []


async def test_gates_hold_for_lists(caller: Caller) -> None:
    """Truth 9, and a gate is one that no request can turn off."""
    await shelf(caller)
    surface = surface_pb2.Surface(name="young")
    json_format.ParseDict(
        {"gates": [{"name": "even", "keep": "!('c1' in item.categories)"}]}, surface.config
    )
    put = surface_service_pb2.PutSurfaceRequest(surface=surface)
    learned = (await caller.clients.surfaces.PutSurface(put)).position
    request = pb.ListLatestRequest(surface="young", count=100, min_learned_position=learned)
    request.wait_budget.seconds = 10
    answer = await caller.clients.ranker.ListLatest(request)
    assert ids(answer) == [f"i{n}" for n in range(18, -1, -2)]
    assert answer.surface_revision == 1
    assert answer.drops.gate == 10


async def test_what_is_wrong_is_said_by_field(caller: Caller) -> None:
    await shelf(caller)
    request = pb.ListTrendingRequest(
        surface="A B", count=1001, page_token="bm9uc2Vuc2U=", min_learned_position=b"?"
    )
    request.filter.expression = "item.price <"
    for call in (
        caller.clients.ranker.ListTrending(request),
        caller.clients.ranker.ListLatest(
            pb.ListLatestRequest.FromString(request.SerializeToString())
        ),
    ):
        error = await fault_of(call)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == {
            "surface", "count", "page_token", "filter.expression", "min_learned_position",
        }  # fmt: skip
    unknown = caller.clients.ranker.ListLatest(pb.ListLatestRequest(tenant="nobody"))
    assert (await fault_of(unknown)).code() is grpc.StatusCode.NOT_FOUND


async def test_the_command_line_shows_lists(caller: Caller, running: Suite, tmp_path: Path) -> None:
    learned = await shelf(caller)
    await caller.slate("u0", learned)

    async def shown(*arguments: str) -> str:
        done = await harken(*arguments, folder=tmp_path, endpoints=running.endpoints)
        assert done.code == 0, done.errors
        return done.output

    assert "Thing 5" in await shown("trending")
    table = await shown("latest", "--count", "2", "--category", "c0")
    assert "Thing 18" in table
    assert "2020-09-13 12:27:00" not in table
    assert "2020-09-13 12:26:58" in table
    lines = (await shown("latest", "--json", "--filter", "item.id == 'i7'")).splitlines()
    assert [json.loads(line)["item_id"] for line in lines] == ["i7"]
