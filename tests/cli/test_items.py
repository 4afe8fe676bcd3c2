"""`harken items` on a real suite: what it prints, changes and exits with."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp

from harken.feedback.v1 import catalog_service_pb2, item_pb2
from services.cli.catalogue import delete_items, found_items, set_available
from services.cli.clients import Clients, connect
from services.cli.item_view import plain_text
from services.cli.suite import Suite
from tests.cli.harken_process import Finished, command, environment, harken
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=1)


@pytest_asyncio.fixture
async def clients(running: Suite) -> AsyncIterator[Clients]:
    async with connect(running.endpoints) as own:
        yield own


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        yield own


async def upsert(clients: Clients, tenant: str, *items: item_pb2.Item) -> None:
    request = catalog_service_pb2.UpsertItemsRequest(tenant=tenant, items=items)
    await clients.catalog.UpsertItems(request, wait_for_ready=True, timeout=60)


async def stored(clients: Clients, tenant: str, *item_ids: str) -> list[item_pb2.Item]:
    request = catalog_service_pb2.GetItemsRequest(tenant=tenant, item_ids=item_ids)
    return list((await clients.catalog.GetItems(request)).items)


def films() -> list[item_pb2.Item]:
    return [
        item_pb2.Item(
            item_id="a1", title="Ålesund [film]", description="Two\nlines", categories=["x", "y"],
            tags=["t"], numbers={"year": 1995.0, "price": 2.5}, owner="Åse",
            publish_time=Timestamp(seconds=1_700_000_000, nanos=123_456_789),
        ),
        item_pb2.Item(item_id="b ", title="Trailing", available=False),
        item_pb2.Item(item_id="c", expire_time=Timestamp(seconds=1)),
        item_pb2.Item(item_id="d", title="\x1b[31mred", expire_time=Timestamp(seconds=4 * 10**9)),
    ]  # fmt: skip


async def items(running: Suite, folder: Path, *arguments: str, tenant: str = "default") -> Finished:
    done = await harken(
        "items", *arguments, "--tenant", tenant, folder=folder, endpoints=running.endpoints
    )
    assert "Traceback" not in done.errors
    return done


def cells(output: str) -> list[list[str]]:
    """Return the words of each line of a table, columns parted by two spaces or more."""
    lines = [line for line in output.splitlines() if line.strip(" ─━-")]
    return [[cell.strip() for cell in line.strip().split("  ") if cell.strip()] for line in lines]


async def test_list_has_ids_beside_titles_and_says_when_there_are_more(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    await upsert(clients, "listed", *films())
    done = await items(running, tmp_path, "list", tenant="listed")
    assert done.code == 0, done.errors
    assert [line[:2] for line in cells(done.output)] == [
        ["item", "title"], ["a1", "Ålesund [film]"], ['"b "', "Trailing"],
        ["c", "expired 1970-01-01"], ["d", "\\x1b[31mred"],
    ]  # fmt: skip
    assert cells(done.output)[0] == ["item", "title", "categories", "owner", "state", "published"]
    assert cells(done.output)[1][2:4] == ["x, y", "Åse"]
    assert [line[-2] for line in cells(done.output)[1:]] == [
        "shown", "hidden", "expired 1970-01-01", "shown until 2096-10-02",
    ]  # fmt: skip
    assert not done.errors

    two = await items(running, tmp_path, "list", "--limit", "2", tenant="listed")
    assert [line[0] for line in cells(two.output)] == ["item", "a1", '"b "']
    assert two.errors == "the first 2 items; --all lists all of them\n"
    four = await items(running, tmp_path, "list", "--limit", "4", tenant="listed")
    assert not four.errors


async def test_all_of_a_catalogue_of_several_pages_is_listed_once(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    names = [f"i{n:04}" for n in range(1100)]
    for begin in range(0, 1100, 1000):
        batch = names[begin : begin + 1000]
        await upsert(clients, "many", *(item_pb2.Item(item_id=name) for name in batch))
    done = await items(running, tmp_path, "list", "--all", "--json", tenant="many")
    assert [json.loads(line)["item"] for line in done.output.splitlines()] == names
    assert not done.errors
    some = await items(running, tmp_path, "list", "--limit", "1050", "--json", tenant="many")
    assert [json.loads(line)["item"] for line in some.output.splitlines()] == names[:1050]
    assert some.errors == "the first 1,050 items; --all lists all of them\n"


async def test_show_says_everything_and_names_what_is_missing(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    await upsert(clients, "shown", *films())
    done = await items(running, tmp_path, "show", "a1", "no such", "b ", " x", tenant="shown")
    assert done.code == 1
    assert done.errors == 'not in the catalogue: no such, " x"\n'
    # By the first word of a line: a value may have several.
    fields = dict(line.strip().split("  ", 1) for line in done.output.splitlines() if line.strip())
    said = {name.strip(): text.strip() for name, text in fields.items()}
    assert said["description"] == "Two\\nlines"
    assert said["categories"] == "x, y"
    assert said["owner"] == "Åse"
    assert (said["number year"], said["number price"]) == ("1995.0", "2.5")
    assert said["published"].endswith("Z")
    assert '"b "' in done.output

    lines = await items(running, tmp_path, "show", "--json", "a1", "nope", "a1", tenant="shown")
    assert lines.code == 1
    (one,) = map(json.loads, lines.output.splitlines())
    assert (one["item"], one["numbers"]) == ("a1", {"price": 2.5, "year": 1995.0})
    assert one["publish_time"] == "2023-11-14T22:13:20.123456789Z"
    assert one["update_time"].endswith("Z")


async def test_hide_and_unhide_change_availability_only_and_at_once(
    caller: Caller, running: Suite, tmp_path: Path
) -> None:
    """Truth 9: a slate never holds an unavailable item."""
    clients = caller.clients
    await upsert(clients, "default", *films()[:2], item_pb2.Item(item_id="e", title="E"))
    before = await stored(clients, "default", "a1", "e")
    hidden = await items(running, tmp_path, "hide", "a1", "b ", "gone")
    assert hidden.code == 1
    assert hidden.errors == "not in the catalogue: gone\n"
    table, position = hidden.output.rsplit("position ", 1)
    assert cells(table) == [
        ["item", "title"], ["a1", "Ålesund [film]", "hidden"],
        ['"b "', "Trailing", "was hidden already"],
    ]  # fmt: skip
    # An id that is not there was not made.
    assert not await stored(clients, "default", "gone")
    slate = await caller.slate("ann", bytes.fromhex(position))
    assert [slot.item_id for slot in slate.slots] == ["e"]

    shown = await items(running, tmp_path, "unhide", "a1", "e", "--json")
    assert shown.code == 0, shown.errors
    assert [json.loads(line) for line in shown.output.splitlines()] == [
        {"item": "a1", "title": "Ålesund [film]", "outcome": "shown"},
        {"item": "e", "title": "E", "outcome": "shown"},
    ]
    again = await items(running, tmp_path, "unhide", "a1")
    assert (again.code, "was shown already" in again.output) == (0, True)
    assert "position" not in again.output
    for old, new in zip(before, await stored(clients, "default", "a1", "e"), strict=True):
        for one in (old, new):
            one.ClearField("available")
            one.ClearField("update_time")
        assert new == old


async def test_delete_asks_and_keeps_what_was_not_named(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    await upsert(clients, "deleted", *films())
    # There is no terminal to ask on.
    asked = await items(running, tmp_path, "delete", "a1", tenant="deleted")
    assert asked.code == 1
    assert "nothing was deleted: without a terminal to ask on, say --yes" in asked.errors
    assert len(await stored(clients, "deleted", "a1")) == 1

    done = await items(
        running, tmp_path, "delete", "a1", "gone", "b ", "a1", "--yes", tenant="deleted"
    )
    assert done.code == 1
    assert done.errors == "not in the catalogue: gone\n"
    assert cells(done.output.split("position")[0]) == [
        ["item", "title"], ["a1", "Ålesund [film]", "deleted"], ['"b "', "Trailing", "deleted"],
    ]  # fmt: skip
    assert [one.item_id for one in await stored(clients, "deleted", "a1", "b ", "c", "d")] == [
        "c", "d",
    ]  # fmt: skip
    nothing = await items(running, tmp_path, "delete", "a1", tenant="deleted")
    assert (nothing.code, nothing.errors) == (1, "not in the catalogue: a1\n")


@pytest.mark.parametrize("answer", ["y", "n"])
async def test_on_a_terminal_delete_shows_the_items_and_asks(
    clients: Clients, running: Suite, tmp_path: Path, answer: str
) -> None:
    tenant = f"asked-{answer}"
    await upsert(clients, tenant, *films())
    ours, theirs = os.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        process = await asyncio.create_subprocess_exec(
            *command("items", "delete", "a1", "c", "--tenant", tenant),
            cwd=tmp_path,
            env=environment(running.endpoints),
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            output, errors = (text.decode() for text in await process.communicate())
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Ålesund [film]" in errors
    assert "Delete these 2 items for good?" in errors
    left = [one.item_id for one in await stored(clients, tenant, "a1", "b ", "c", "d")]
    if answer == "y":
        assert (process.returncode, left) == (0, ["b ", "d"])
        assert "deleted" in output
    else:
        assert (process.returncode, left) == (1, ["a1", "b ", "c", "d"])
        assert "error: nothing was deleted" in errors


async def test_items_that_go_meanwhile_are_not_made_anew(clients: Clients) -> None:
    """Between the look and the change another client deleted the item."""
    await upsert(clients, "races", *films())
    found, missing = await found_items(clients, "races", ["a1", "c", "a1", "x"])
    assert ([one.item_id for one in found], missing) == (["a1", "c"], ["x"])
    await delete_items(clients, "races", ["a1"])
    for available in (True, False):
        done = await set_available(clients, "races", ["a1", "c"], available)
        assert list(done.changed) == ["c"]
        assert not await stored(clients, "races", "a1")
    gone = await delete_items(clients, "races", ["a1", "c"])
    assert gone.changed == {"c": True}
    assert gone.position


async def test_the_largest_items_are_found_below_4_mib_an_answer(clients: Clients) -> None:
    large: dict[str, Any] = {
        "title": "t" * 512, "description": "d" * 8192, "categories": ["c" * 128] * 32,
        "tags": ["t" * 128] * 64, "numbers": {f"{n:0128}": 1.0 for n in range(32)},
    }  # fmt: skip
    names = [f"{n:0128}" for n in range(250)]
    await upsert(clients, "large", *(item_pb2.Item(item_id=name, **large) for name in names))
    found, missing = await found_items(clients, "large", [*names, "x"])
    assert [item.item_id for item in found] == names
    assert missing == ["x"]
    request = catalog_service_pb2.GetItemsRequest(tenant="large", item_ids=names[:100])
    assert (await clients.catalog.GetItems(request)).ByteSize() < 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list",), "tenant 'nobody' has no catalogue yet"),
        (("show", "a1"), "tenant 'nobody' has no catalogue yet"),
        (("hide", "x" * 129), "is longer than 128 bytes"),
    ],
)
async def test_what_cannot_be_done_is_one_line(
    running: Suite, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = await items(running, tmp_path, *arguments, tenant="nobody")
    assert done.code == 1
    assert message in done.errors
    assert len(done.errors.splitlines()) == 1


@pytest.mark.parametrize(
    "text", ["[bold]x[/]", "\\[a]", "\x1b[31mred", "a\nb", "\u202eb", "ø 😀", "[/]", "\\"]
)
def test_text_of_others_moves_no_cursor_and_is_no_markup(text: str) -> None:
    shown = plain_text(text).plain
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text
