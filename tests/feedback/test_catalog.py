"""The catalogue: rows and log agree, field masks, limits."""

from datetime import UTC, datetime
from time import perf_counter

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from harken.feedback.v1 import catalog_service_pb2 as pb
from harken.feedback.v1 import item_pb2
from harken.internal.feed.v1 import feed_service_pb2
from services.common.position import decode_position
from services.common.validation import Checks
from services.feedback.catalogue.item_conversion import merged, update_paths
from tests.faults import fault_of, fields_of
from tests.feedback.conftest import Client
from tests.feedback.feed_reader import FeedReader

CREATED = pb.ITEM_OUTCOME_CREATED
UPDATED = pb.ITEM_OUTCOME_UPDATED
UNCHANGED = pb.ITEM_OUTCOME_UNCHANGED
REJECTED = pb.ITEM_OUTCOME_REJECTED


async def upsert(
    client: Client, *items: item_pb2.Item, paths: tuple[str, ...] = ()
) -> pb.UpsertItemsResponse:
    request = pb.UpsertItemsRequest(items=items, update_mask=FieldMask(paths=paths))
    response: pb.UpsertItemsResponse = await client.catalog.UpsertItems(request)
    return response


async def get(client: Client, *item_ids: str) -> pb.GetItemsResponse:
    response: pb.GetItemsResponse = await client.catalog.GetItems(
        pb.GetItemsRequest(item_ids=item_ids)
    )
    return response


async def test_an_item_is_created_changed_and_left_alone(client: Client) -> None:
    item = item_pb2.Item(item_id="toy", title="Toy", categories=["fun"], numbers={"year": 1995})
    created = await upsert(client, item)
    assert [r.outcome for r in created.results] == [CREATED]
    again = await upsert(client, item)
    assert [r.outcome for r in again.results] == [UNCHANGED]
    assert not again.position
    item.title = "Toy Story"
    changed = await upsert(client, item)
    assert [r.outcome for r in changed.results] == [UPDATED]
    assert decode_position(changed.position) > decode_position(created.position)
    (stored,) = (await get(client, "toy")).items
    assert (stored.title, list(stored.categories), dict(stored.numbers)) == (
        "Toy Story",
        ["fun"],
        {"year": 1995},
    )
    assert stored.HasField("publish_time")
    assert stored.HasField("update_time")


async def test_a_mask_writes_only_its_fields(client: Client) -> None:
    await upsert(
        client, item_pb2.Item(item_id="mask", title="Old", categories=["a", "b"], tags=["t"])
    )
    await upsert(
        client,
        item_pb2.Item(item_id="mask", title="New", categories=["c"], available=False),
        paths=("categories", "available", "tags"),
    )
    (stored,) = (await get(client, "mask")).items
    assert (stored.title, list(stored.categories), list(stored.tags), stored.available) == (
        "Old",
        ["c"],
        [],
        False,
    )
    # An item that does not exist takes all fields, whatever the mask.
    await upsert(client, item_pb2.Item(item_id="mask-2", title="All"), paths=("tags",))
    assert (await get(client, "mask-2")).items[0].title == "All"


async def test_an_owner_is_written_by_mask_and_cleared(client: Client) -> None:
    await upsert(client, item_pb2.Item(item_id="owned", title="T", owner="Åse's shop"))
    assert (await listed(client, "owned")).owner == "Åse's shop"
    other = item_pb2.Item(item_id="owned", title="U", owner="o" * 128)
    await upsert(client, other, paths=("title",))
    assert (await listed(client, "owned")).owner == "Åse's shop"
    await upsert(client, item_pb2.Item(item_id="owned", owner="o" * 128), paths=("owner",))
    changed = await listed(client, "owned")
    assert (changed.owner, changed.title) == ("o" * 128, "U")
    longer = item_pb2.Item(item_id="owned", owner="o" * 129)
    (result,) = (await upsert(client, longer, paths=("title",))).results
    assert (result.outcome, result.field) == (REJECTED, "owner")
    await upsert(client, item_pb2.Item(item_id="owned"), paths=("owner",))
    cleared = await listed(client, "owned")
    assert (cleared.owner, cleared.title) == ("", "U")


async def test_a_mask_of_many_paths_costs_no_more_than_there_are_numbers(client: Client) -> None:
    """Truth 13: 1,000 items times 1,000 paths are not a million pieces of work."""
    paths = ["numbers.kept", "numbers.gone", *(f"numbers.{n}" for n in range(998))]
    item = item_pb2.Item(item_id="m", numbers={"kept": 2.0, "new": 3.0})
    before = item_pb2.Item(item_id="m", numbers={"kept": 1.0, "gone": 1.0, "other": 1.0})
    wanted = update_paths(Checks(), FieldMask(paths=paths))
    began = perf_counter()
    for _ in range(1000):
        after = merged(before, item, wanted, datetime.now(UTC))
    took = perf_counter() - began
    assert after is not None
    assert dict(after.numbers) == {"kept": 2.0, "other": 1.0}
    assert took < 0.1
    await upsert(client, before)
    await upsert(client, item, paths=tuple(paths))
    assert (await get(client, "m")).items[0].numbers == after.numbers


async def listed(client: Client, item_id: str) -> item_pb2.Item:
    """Return an item as ListItems has it, which is as GetItems has it."""
    (got,) = (await get(client, item_id)).items
    answer = await client.catalog.ListItems(pb.ListItemsRequest(page_size=1000))
    (found,) = [item for item in answer.items if item.item_id == item_id]
    assert found == got
    return got


@pytest.mark.parametrize("paths", [(), ("title",), ("publish_time", "expire_time")])
async def test_publish_time_is_written_with_an_item_and_changed_later(
    client: Client, paths: tuple[str, ...]
) -> None:
    """Exact to the nanosecond, from the year 1 on, in the past and in the future."""
    name = f"published-{len(paths)}"
    times = [
        Timestamp(seconds=-62135596800, nanos=1),
        Timestamp(seconds=1_700_000_000, nanos=123_456_789),
        Timestamp(seconds=253402300799, nanos=999_999_999),
    ]
    # Of an item that does not exist yet all is written, whatever the mask.
    await upsert(client, item_pb2.Item(item_id=name, title="T", publish_time=times[0]), paths=paths)
    assert (await listed(client, name)).publish_time == times[0]
    for time in (times[1], times[2], times[0]):
        changed = item_pb2.Item(item_id=name, publish_time=time, expire_time=time)
        (result,) = (await upsert(client, changed, paths=("publish_time",))).results
        assert result.outcome == UPDATED
        stored = await listed(client, name)
        assert (stored.publish_time, stored.title) == (time, "T")
        assert not stored.HasField("expire_time")
        (result,) = (await upsert(client, changed, paths=("publish_time",))).results
        assert result.outcome == UNCHANGED
    # A mask without it leaves it alone; once set it is never removed.
    for mask in (("title",), ("publish_time",), ()):
        await upsert(client, item_pb2.Item(item_id=name, title=f"{mask}"), paths=mask)
        assert (await listed(client, name)).publish_time == times[0]


async def test_publish_time_is_by_default_when_the_item_was_first_upserted(client: Client) -> None:
    await upsert(client, item_pb2.Item(item_id="unpublished", title="T"))
    first = await listed(client, "unpublished")
    assert first.publish_time == first.update_time
    await upsert(client, item_pb2.Item(item_id="unpublished", title="U"))
    second = await listed(client, "unpublished")
    assert second.update_time.ToNanoseconds() > first.update_time.ToNanoseconds()
    assert second.publish_time == first.publish_time


async def test_a_wrong_publish_time_is_a_fault_of_the_item_under_any_mask(client: Client) -> None:
    for time in (Timestamp(seconds=253402300800), Timestamp(nanos=-1)):
        bad = item_pb2.Item(item_id="never", title="T", publish_time=time)
        for mask in ((), ("title",), ("publish_time",)):
            (result,) = (await upsert(client, bad, paths=mask)).results
            assert (result.outcome, result.field) == (REJECTED, "publish_time")
    assert (await get(client, "never")).missing_item_ids == ["never"]


async def test_a_mask_may_name_single_numbers(client: Client) -> None:
    """One is written, one is removed, one stays; a name may have dots."""
    numbers = {"price": 1.0, "year": 1999.0, "a.b": 3.0}
    await upsert(client, item_pb2.Item(item_id="number", title="Old", numbers=numbers))
    changed = await upsert(
        client,
        item_pb2.Item(item_id="number", title="New", numbers={"price": 2.5, "ignored": 7.0}),
        paths=("numbers.price", "numbers.a.b", "numbers.never"),
    )
    assert [r.outcome for r in changed.results] == [UPDATED]
    (stored,) = (await get(client, "number")).items
    assert (stored.title, dict(stored.numbers)) == ("Old", {"price": 2.5, "year": 1999.0})
    again = await upsert(
        client, item_pb2.Item(item_id="number", numbers={"price": 2.5}), paths=("numbers.price",)
    )
    assert [r.outcome for r in again.results] == [UNCHANGED]
    await upsert(client, item_pb2.Item(item_id="number", numbers={"x": 1.0}), paths=("numbers",))
    assert dict((await get(client, "number")).items[0].numbers) == {"x": 1.0}


async def test_numbers_that_are_too_many_together_are_rejected(client: Client) -> None:
    most = {f"n{n}": float(n) for n in range(32)}
    await upsert(client, item_pb2.Item(item_id="many", numbers=most))
    one_more = item_pb2.Item(item_id="many", numbers={"more": 1.0})
    good = item_pb2.Item(item_id="few", numbers={"more": 1.0})
    answer = await upsert(client, one_more, good, paths=("numbers.more",))
    assert [r.outcome for r in answer.results] == [REJECTED, CREATED]
    assert answer.results[0].field == "numbers"
    assert dict((await get(client, "many")).items[0].numbers) == most
    # In the place of another one it is taken.
    swapped = await upsert(client, one_more, paths=("numbers.more", "numbers.n0"))
    assert [r.outcome for r in swapped.results] == [UPDATED]
    stored = dict((await get(client, "many")).items[0].numbers)
    assert stored == {name: n for name, n in most.items() if name != "n0"} | {"more": 1.0}


BAD_ITEMS = {
    "item_id": item_pb2.Item(item_id="", title="x"),
    "title": item_pb2.Item(item_id="bad", title="x" * 513),
    "description": item_pb2.Item(item_id="bad", description="x" * 8193),
    "categories": item_pb2.Item(item_id="bad", categories=["x"] * 33),
    "tags": item_pb2.Item(item_id="bad", tags=[""]),
    "numbers": item_pb2.Item(item_id="bad", numbers={"x": float("inf")}),
    "owner": item_pb2.Item(item_id="bad", owner="a\nb"),
}


@pytest.mark.parametrize("field", BAD_ITEMS)
async def test_a_bad_item_is_rejected_and_the_others_are_kept(client: Client, field: str) -> None:
    good = item_pb2.Item(item_id=f"good-{field}", title="fine")
    answer = await upsert(client, BAD_ITEMS[field], good)
    assert [r.outcome for r in answer.results] == [REJECTED, CREATED]
    assert answer.results[0].field == field
    assert answer.results[0].detail
    assert [item.item_id for item in (await get(client, good.item_id, "bad")).items] == [
        good.item_id
    ]


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.UpsertItemsRequest(), {"items"}),
        (pb.UpsertItemsRequest(items=[item_pb2.Item(item_id="a")] * 2), {"items"}),
        (
            pb.UpsertItemsRequest(
                items=[item_pb2.Item(item_id="a")],
                update_mask=FieldMask(paths=["title", "nothing", "item_id"]),
            ),
            {"update_mask.paths[1]", "update_mask.paths[2]"},
        ),
    ],
)
async def test_faults_of_the_envelope_name_every_field(
    client: Client, request_: pb.UpsertItemsRequest, fields: set[str]
) -> None:
    error = await fault_of(client.catalog.UpsertItems(request_))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == fields


async def test_pages_hold_every_item_once_in_order(client: Client) -> None:
    listed: list[str] = []
    token = ""
    while True:
        page = await client.catalog.ListItems(pb.ListItemsRequest(page_size=7, page_token=token))
        assert len(page.items) <= 7
        listed += [item.item_id for item in page.items]
        token = page.next_page_token
        if not token:
            break
    assert listed == sorted(set(listed), key=str.encode)
    assert {f"i{n}" for n in range(20)} <= set(listed)
    for token in ("%%", "ä", "AA==", "===="):
        error = await fault_of(client.catalog.ListItems(pb.ListItemsRequest(page_token=token)))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == {"page_token"}


async def test_deleting_names_what_was_missing_and_reaches_the_feed(client: Client) -> None:
    await upsert(client, item_pb2.Item(item_id="doomed"))
    request = pb.DeleteItemsRequest(item_ids=["doomed", "never-there"])
    answer = await client.catalog.DeleteItems(request)
    assert (answer.deleted, list(answer.missing_item_ids)) == (1, ["never-there"])
    assert not (await get(client, "doomed")).items
    start = feed_service_pb2.ResumePoint()
    async with FeedReader(client, resume=start) as reader:
        await reader.read("welcome")
        frames = await reader.frames_through(decode_position(answer.position).sequence)
    deleted = [
        item_id
        for frame in frames
        for one in frame.tenants
        for item_id in one.catalogue.deleted_item_ids
    ]
    assert deleted == ["doomed"]
