"""`harken export` on a real suite: the csv module is the oracle of what the file says."""

import asyncio
import csv
import gzip
import json
import math
import struct
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.common.v1.subject_pb2 import Subject
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from services.cli.clients import Clients, connect
from services.cli.exports.event_export import export_events
from services.cli.exports.list_export import export_items, export_users
from services.cli.suite import Suite
from tests.cli.harken_process import harken
from tests.conftest import StartSuite

ACCEPTED = event_pb2.EVENT_OUTCOME_ACCEPTED
DUPLICATE = event_pb2.EVENT_OUTCOME_DUPLICATE
FIRST_US, LAST_US = -62135596800 * 10**6, 253402300800 * 10**6 - 1
EVENT_COLUMNS = (
    "event_id", "user", "session", "item", "type", "value", "timestamp", "slate_id", "context",
)  # fmt: skip
ITEM_COLUMNS = (
    "item", "title", "description", "categories", "tags", "numbers", "available", "expire_time",
    "publish_time", "owner",
)  # fmt: skip

SLOW = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# What ids may hold: all but control characters, and what a file could take for something else.
odd_ids = st.sampled_from(
    ["session:x", " x", "x ", " ", ",", '"', '""', "'", "NA", "null", "007", "1e5", "-0", "=1+1",
     "ﬁ", "\u2028", "\ufeff", "😀", "ø" * 64, "x" * 128, "[]", "{}", "\\", "\\N", ";", "|"]
) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)  # fmt: skip
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["\r", "\n", "a\r\nb", "\0", "\x85", '"', '",', " x ", "\u2028"]
)
subjects = st.builds(
    lambda name, session: Subject(session_id=name) if session else Subject(user_id=name),
    odd_ids,
    st.booleans(),
)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [-0.0, 0.0, 3.0, 1e16, 2.0**53 + 2, 5e-324, 1.7976931348623157e308, 0.1]
)


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=1)


@pytest_asyncio.fixture
async def clients(running: Suite) -> AsyncIterator[Clients]:
    async with connect(running.endpoints) as own:
        yield own


@pytest.fixture(scope="module")
def tenants() -> Iterator[str]:
    return (f"export-{n}" for n in range(10**6))


async def export(clients: Clients, kind: str, tenant: str, file: Path) -> int:
    """Return how many rows there are, written as the command writes them."""
    match kind:
        case "events":
            target = clients.endpoints.feedback
            return (await asyncio.to_thread(export_events, target, tenant, file)).events
        case "items":
            return await export_items(clients, tenant, file)
        case _:
            return await export_users(clients, tenant, file)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text, strict=True))


async def upsert(clients: Clients, tenant: str, items: Sequence[item_pb2.Item]) -> list[int]:
    request = catalog_service_pb2.UpsertItemsRequest(tenant=tenant, items=items)
    answer = await clients.catalog.UpsertItems(request, wait_for_ready=True, timeout=60)
    return [result.outcome for result in answer.results]


async def history(clients: Clients, tenant: str, events: Sequence[event_pb2.Event]) -> list[int]:
    """Return an outcome per event, from ImportEvents, which takes any past."""

    async def chunks() -> AsyncIterator[feedback_service_pb2.ImportEventsRequest]:
        yield feedback_service_pb2.ImportEventsRequest(tenant=tenant, events=events)

    outcomes: list[int] = []
    async for answer in clients.feedback.ImportEvents(chunks(), wait_for_ready=True, timeout=60):
        assert not answer.faults, answer
        outcomes += [ACCEPTED] * answer.accepted + [DUPLICATE] * answer.duplicates
    return outcomes


def event_of(row: dict[str, str]) -> event_pb2.Event:
    """Return the event that a row says, by the plainest of readers."""
    event = event_pb2.Event(
        event_id=row["event_id"],
        subject=Subject(user_id=row["user"]) if row["user"] else Subject(session_id=row["session"]),
        item_id=row["item"],
        type=row["type"],
        slate_id=row["slate_id"],
        context=json.loads(row["context"]),
    )
    assert not (row["user"] and row["session"])
    if row["value"]:
        event.value = float(row["value"])
    moment = datetime.fromisoformat(row["timestamp"])
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    event.event_time.FromMicroseconds(since // timedelta(microseconds=1))
    return event


def said(event: event_pb2.Event) -> tuple[Any, ...]:
    """Return all that an event says, values by their bits."""
    return (
        event.event_id,
        event.subject.WhichOneof("kind"),
        event.subject.user_id or event.subject.session_id,
        event.item_id,
        event.type,
        struct.pack("<d", event.value) if event.HasField("value") else None,
        event.slate_id,
        tuple(sorted(event.context.items())),
        event.event_time.ToMicroseconds(),
    )


_slate_ids = st.just("") | odd_ids.filter(lambda text: len(text.encode()) <= 64)
_contexts = st.dictionaries(any_text, any_text, max_size=3)
_times = (
    st.none()
    | st.integers(FIRST_US, int(time.time() * 1e6))
    | st.sampled_from([FIRST_US, -1, 0, 1, 999_999, 10_000_000, 10**11, 10**14, 10**14 - 1])
)
# "like" ignores its value, so that it may have any.
_events = st.builds(
    lambda subject, item, kind, value, time_us, slate_id, context: (
        subject, item, kind, value, time_us, slate_id, context,
    ),
    subjects, odd_ids, st.sampled_from(["like", "view", "hide"]), st.none() | numbers, _times,
    _slate_ids, _contexts,
)  # fmt: skip


@SLOW
@given(told=st.lists(_events, min_size=1, max_size=12), prefix=odd_ids)
async def test_export_of_events_is_an_inverse(
    clients: Clients, tenants: Iterator[str], tmp_path: Path,
    told: list[tuple[Any, ...]], prefix: str,
) -> None:  # fmt: skip
    """Truth 2: sent again, all rows are duplicates; in an empty tenant they are the same events."""
    tenant, other = next(tenants), next(tenants)
    recorded = []
    for number, (subject, item, kind, value, time_us, slate_id, context) in enumerate(told):
        event = event_pb2.Event(
            event_id=f"{prefix[:20]}{number} ", subject=subject, item_id=item, type=kind,
            slate_id=slate_id, context=context,
        )  # fmt: skip
        if value is not None:
            event.value = value
        if time_us is not None:
            event.event_time.FromMicroseconds(time_us)
        recorded.append(event)
    items = [item_pb2.Item(item_id=name) for name in {event.item_id for event in recorded}]
    await upsert(clients, tenant, items)
    before = int(time.time() * 1e6) - 1_000_000
    assert await history(clients, tenant, recorded) == [ACCEPTED] * len(recorded)
    after = int(time.time() * 1e6) + 1_000_000

    file = tmp_path / "events.csv"
    assert await export(clients, "events", tenant, file) == len(recorded)
    rows = rows_of(file)
    assert tuple(rows[0]) == EVENT_COLUMNS
    read = {event.event_id: event for event in map(event_of, rows)}
    for event in recorded:
        again = read[event.event_id]
        if not event.HasField("event_time"):
            assert before <= again.event_time.ToMicroseconds() <= after
            event.event_time.CopyFrom(again.event_time)
        assert said(again) == said(event)
    times = [event_of(row).event_time.ToMicroseconds() for row in rows]
    assert times == sorted(times)
    # Ties are in log order, which is that of the request.
    order = [event.event_id for event in recorded]
    assert [row["event_id"] for row in rows] == [
        event.event_id
        for event in sorted(
            recorded, key=lambda one: (one.event_time.ToMicroseconds(), order.index(one.event_id))
        )
    ]

    sent = [event_of(row) for row in rows]
    assert await history(clients, tenant, sent) == [DUPLICATE] * len(sent)
    await upsert(clients, other, items)
    assert await history(clients, other, sent) == [ACCEPTED] * len(sent)
    twin = tmp_path / "twin.csv"
    await export(clients, "events", other, twin)
    assert twin.read_bytes() == file.read_bytes()


_labels = st.lists(any_text.filter(lambda text: bool(text)) | odd_ids, max_size=3)
_item_times = st.none() | st.builds(
    Timestamp,
    seconds=st.integers(-62135596800, 253402300799) | st.sampled_from([-1, 0, 253402300799]),
    nanos=st.sampled_from([0, 1, 999_999_999, 500_000_000, 123_456_000])
    | st.integers(0, 10**9 - 1),
)
_items = st.builds(
    item_pb2.Item,
    item_id=odd_ids,
    title=any_text,
    description=any_text,
    categories=_labels,
    tags=_labels,
    numbers=st.dictionaries(any_text.filter(bool), numbers, max_size=3),
    available=st.none() | st.booleans(),
    expire_time=_item_times,
    publish_time=_item_times,
    owner=st.just("") | odd_ids,
)


def item_of(row: dict[str, str]) -> item_pb2.Item:
    item = item_pb2.Item(
        item_id=row["item"],
        title=row["title"],
        description=row["description"],
        categories=json.loads(row["categories"]),
        tags=json.loads(row["tags"]),
        numbers={name: float(number) for name, number in json.loads(row["numbers"]).items()},
        owner=row["owner"],
    )
    if row["available"]:
        item.available = {"true": True, "false": False}[row["available"]]
    for name in ("expire_time", "publish_time"):
        if row[name]:
            getattr(item, name).FromJsonString(row[name])
    return item


@SLOW
@given(items=st.lists(_items, min_size=1, max_size=8, unique_by=lambda item: item.item_id))
async def test_export_of_items_is_an_inverse(
    clients: Clients, tenants: Iterator[str], tmp_path: Path,
    items: list[item_pb2.Item],
) -> None:  # fmt: skip
    tenant, other = next(tenants), next(tenants)
    await upsert(clients, tenant, items)
    file = tmp_path / "items.csv"
    assert await export(clients, "items", tenant, file) == len(items)
    rows = rows_of(file)
    assert tuple(rows[0]) == ITEM_COLUMNS
    assert [row["item"] for row in rows] == sorted(
        (item.item_id for item in items), key=lambda name: name.encode()
    )
    read = {item.item_id: item for item in map(item_of, rows)}
    for item in items:
        again = read[item.item_id]
        if not item.HasField("publish_time"):
            assert again.HasField("publish_time")
            item.publish_time.CopyFrom(again.publish_time)
        # Field by field, so that -0.0 is told from 0.0.
        assert again.SerializeToString(deterministic=True) == item.SerializeToString(
            deterministic=True
        )
    unchanged = catalog_service_pb2.ITEM_OUTCOME_UNCHANGED
    assert await upsert(clients, tenant, [item_of(row) for row in rows]) == [unchanged] * len(items)
    await upsert(clients, other, [item_of(row) for row in rows])
    twin = tmp_path / "twin.csv"
    await export(clients, "items", other, twin)
    assert twin.read_bytes() == file.read_bytes()


_json = st.recursive(
    st.none() | st.booleans() | numbers.map(lambda x: x + 0.0)
    | any_text.map(lambda text: text.replace("\0", "")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(any_text.map(lambda text: text.replace("\0", "")), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
_attributes = st.dictionaries(any_text.map(lambda text: text.replace("\0", "")), _json, max_size=4)


@SLOW
@given(
    users=st.lists(st.tuples(subjects, _attributes), max_size=6, unique_by=lambda one: str(one[0]))
)
async def test_export_of_users_is_an_inverse(
    clients: Clients, tenants: Iterator[str], tmp_path: Path,
    users: list[tuple[Subject, dict[str, Any]]],
) -> None:  # fmt: skip
    tenant, other = next(tenants), next(tenants)

    async def put(where: str, subject: Subject, attributes: dict[str, Any]) -> profile_pb2.Profile:
        profile = profile_pb2.Profile(subject=subject)
        profile.attributes.update(attributes)
        request = profile_service_pb2.UpdateProfileRequest(tenant=where, profile=profile)
        answer = await clients.profile.UpdateProfile(request, wait_for_ready=True, timeout=60)
        return answer.profile

    stored = [await put(tenant, *one) for one in users]
    file = tmp_path / "users.csv"
    assert await export(clients, "users", tenant, file) == len(users)
    assert file.read_bytes().startswith(b"user,session,attributes\r\n")
    csv.field_size_limit(10**7)
    for row in rows_of(file):
        subject = (
            Subject(user_id=row["user"]) if row["user"] else Subject(session_id=row["session"])
        )
        (one,) = [profile for profile in stored if profile.subject == subject]
        attributes = json.loads(row["attributes"])
        again = profile_pb2.Profile()
        again.attributes.update(attributes)
        assert again.attributes == one.attributes
        assert attributes == json_format.MessageToDict(one.attributes)
        assert (await put(tenant, subject, attributes)).etag == one.etag
        await put(other, subject, attributes)
    twin = tmp_path / "twin.csv"
    await export(clients, "users", other, twin)
    assert twin.read_bytes() == file.read_bytes()


async def filled(clients: Clients, tenant: str) -> None:
    """A tenant with one of each."""
    item = item_pb2.Item(
        item_id="i,1", title="Ø\r\n", categories=["a|b", "c"], numbers={"year": 1995, "x": -0.0},
        available=False, owner="Ø, shop",
    )  # fmt: skip
    item.publish_time.FromNanoseconds(1_700_000_000_123_456_789)
    await upsert(clients, tenant, [item, item_pb2.Item(item_id="i2")])
    event = event_pb2.Event(
        event_id="e1", subject=Subject(session_id=" s"), item_id="i,1", type="like", value=0.1,
        slate_id="sl", context={"k": "v\n"},
    )  # fmt: skip
    event.event_time.FromMicroseconds(1)
    timed = event_pb2.Event(event_id="e2", subject=Subject(user_id="u"), item_id="i2", type="like")
    timed.event_time.FromMicroseconds(1_700_000_000_000_000)
    # Newest first: the file is in order of time all the same.
    await history(clients, tenant, [timed, event])
    profile = profile_pb2.Profile(subject=Subject(user_id="u"))
    profile.attributes.update({"plan": "x", "n": [1, 2.5]})
    request = profile_service_pb2.UpdateProfileRequest(tenant=tenant, profile=profile)
    await clients.profile.UpdateProfile(request, wait_for_ready=True, timeout=60)


EVENTS = [
    {"event_id": "e1", "user": None, "session": " s", "item": "i,1", "type": "like", "value": 0.1,
     "timestamp": "1970-01-01T00:00:00.000001Z", "slate_id": "sl", "context": {"k": "v\n"}},
    {"event_id": "e2", "user": "u", "session": None, "item": "i2", "type": "like", "value": None,
     "timestamp": "2023-11-14T22:13:20.000000Z", "slate_id": None, "context": {}},
]  # fmt: skip


async def test_the_command_writes_the_format_that_the_name_says(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    await filled(clients, "formats")

    async def run(name: str, *options: str) -> str:
        done = await harken(
            "export", name, "--tenant", "formats", *options, folder=tmp_path,
            endpoints=running.endpoints,
        )  # fmt: skip
        assert done.code == 0, done.errors
        return done.output

    said_ = await run("e.csv")
    assert said_.startswith("2 events, up to log sequence ")
    await run("e.csv.gz")
    assert (
        gzip.decompress((tmp_path / "e.csv.gz").read_bytes()) == (tmp_path / "e.csv").read_bytes()
    )
    await run("e.JSONL")
    lines = (tmp_path / "e.JSONL").read_text().splitlines()
    assert [json.loads(line) for line in lines] == EVENTS
    assert list(json.loads(lines[0])) == list(EVENT_COLUMNS)
    await run("e.jsonl.gz")
    assert gzip.decompress((tmp_path / "e.jsonl.gz").read_bytes()).decode().splitlines() == lines

    assert await run("i.jsonl", "--kind", "items") == "2 items\n"
    first, second = map(json.loads, (tmp_path / "i.jsonl").read_text().splitlines())
    assert second.pop("publish_time")
    assert first == {
        "item": "i,1", "title": "Ø\r\n", "description": None, "categories": ["a|b", "c"],
        "tags": [], "numbers": {"x": -0.0, "year": 1995.0}, "available": False,
        "expire_time": None, "publish_time": "2023-11-14T22:13:20.123456789Z",
        "owner": "Ø, shop",
    }  # fmt: skip
    assert math.copysign(1, first["numbers"]["x"]) == -1
    assert second == {
        "item": "i2", "title": None, "description": None, "categories": [], "tags": [],
        "numbers": {}, "available": None, "expire_time": None, "owner": None,
    }  # fmt: skip
    assert await run("u.jsonl", "--kind", "users") == "1 users\n"
    (user,) = map(json.loads, (tmp_path / "u.jsonl").read_text().splitlines())
    assert user == {"user": "u", "session": None, "attributes": {"plan": "x", "n": [1, 2.5]}}
    assert names_in(tmp_path) == {
        "e.csv", "e.csv.gz", "e.JSONL", "e.jsonl.gz", "i.jsonl", "u.jsonl",
    }  # fmt: skip


async def test_parquet_says_what_json_lines_say(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    await filled(clients, "parquet")
    for kind in ("events", "items", "users"):
        lines, columns = tmp_path / f"{kind}.jsonl", tmp_path / f"{kind}.parquet"
        count = await export(clients, kind, "parquet", lines)
        assert await export(clients, kind, "parquet", columns) == count
        rows = parquet.read_table(columns).to_pylist()
        for row in rows:
            for name, cell in row.items():
                if name in ("context", "numbers", "attributes"):
                    row[name] = json.loads(cell)
                elif isinstance(cell, datetime):
                    row[name] = cell.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert rows == [json.loads(line) for line in lines.read_text().splitlines()]
    empty = tmp_path / "empty.parquet"
    await upsert(clients, "parquet-empty", [item_pb2.Item(item_id="i")])
    assert await export(clients, "events", "parquet-empty", empty) == 0
    assert parquet.read_table(empty).column_names == list(EVENT_COLUMNS)


async def test_live_events_exported_and_imported_again_are_duplicates(
    clients: Clients, running: Suite, tmp_path: Path
) -> None:
    """Truth 2, by the commands alone, for events that had no time."""
    await upsert(clients, "again", [item_pb2.Item(item_id="i")])
    events = [
        event_pb2.Event(event_id=f"e{n}", subject=subject, item_id="i", type="like")
        for n, subject in enumerate((Subject(user_id="u"), Subject(session_id="u")))
    ]
    request = feedback_service_pb2.RecordEventsRequest(tenant="again", events=events)
    await clients.feedback.RecordEvents(request, wait_for_ready=True)
    where: dict[str, Any] = {"folder": tmp_path, "endpoints": running.endpoints}
    done = await harken("export", "out.csv", "--tenant", "again", **where)
    assert done.code == 0, done.errors
    before = (tmp_path / "out.csv").read_bytes()
    done = await harken("import", "events", "out.csv", "--tenant", "again", **where)
    assert done.code == 0, done.errors
    assert "EVENT_ID_REUSED" not in done.output + done.errors
    assert not (tmp_path / "out.csv.rejects.jsonl").exists()
    done = await harken("export", "out.csv", "--tenant", "again", **where)
    assert (tmp_path / "out.csv").read_bytes() == before


async def test_a_log_of_several_pages_is_written_once_in_order_of_time(
    clients: Clients, tmp_path: Path
) -> None:
    """The log is newest first, and longer than the pages that are asked for."""
    count = 12_000
    await upsert(clients, "long", [item_pb2.Item(item_id="i")])
    log = []
    for number in range(count):
        event = event_pb2.Event(
            event_id=f"e{number}", subject=Subject(user_id="u"), item_id="i", type="like"
        )
        event.event_time.FromMicroseconds(1_700_000_000_000_000 - number // 3)
        log.append(event)
    for begin in range(0, count, 4000):
        assert await history(clients, "long", log[begin : begin + 4000]) == [ACCEPTED] * 4000
    file = tmp_path / "long.csv.gz"
    assert await export(clients, "events", "long", file) == count
    with gzip.open(file, "rt", newline="", encoding="utf-8") as text:
        found = [row["event_id"] for row in csv.DictReader(text)]
    expected = sorted(range(count), key=lambda number: -(number // 3))
    assert found == [f"e{number}" for number in expected]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("e.json", (), "cannot tell the format of e.json"),
        ("e.parquet.gz", (), "cannot tell the format of e.parquet.gz"),
        ("events", ("--kind", "items"), "cannot tell the format of events"),
        ("no/such/e.csv", (), "No such file or directory"),
        ("e.csv", ("--tenant", "nobody"), "tenant 'nobody' has no catalogue yet"),
        ("e.csv", ("--tenant", "nobody", "--kind", "items"), "tenant 'nobody' has no catalogue"),
    ],
)
async def test_what_cannot_be_written_is_one_line_and_leaves_the_file_alone(
    clients: Clients, running: Suite, tmp_path: Path, name: str, options: tuple[str, ...],
    message: str,
) -> None:  # fmt: skip
    await upsert(clients, "default", [item_pb2.Item(item_id="i")])
    (tmp_path / "e.csv").write_text("as it was")
    done = await harken("export", name, *options, folder=tmp_path, endpoints=running.endpoints)
    assert done.code == 1
    assert message in done.errors.replace("\n", " ")
    assert "Traceback" not in done.errors
    assert names_in(tmp_path) == {"e.csv"}
    assert (tmp_path / "e.csv").read_text() == "as it was"
