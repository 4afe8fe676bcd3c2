"""The files that people have trouble with, kept beside the project: what is right about each.

Skipped where they are not there.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.catch_up import wait_for_rankers
from services.cli.clients import Clients, connect
from services.cli.endpoints import Endpoints
from services.cli.reading import EventMapping, Reading, opened_events
from services.dataset.history.event_file import read_events
from tests.benchmarks.numbers.other_commit import ROOT, this_tree

FOLDER = ROOT.parent / "shared" / "cases"


class Cases:
    """Runs commands against a suite, a tenant for each case."""

    def __init__(self, suite: Path, folder: Path, clients: Clients) -> None:
        self.suite = suite
        self.folder = folder
        self.clients = clients

    def harken(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command; what it says is in the result."""
        tree = this_tree()
        return subprocess.run(
            tree.command(*arguments, "--folder", str(self.suite)), cwd=self.folder,
            env=tree.environment, check=False, capture_output=True, text=True,
        )  # fmt: skip

    def imported(self, kind: str, file: str, tenant: str, *options: str) -> dict[str, Any]:
        """Import a file of the cases; return its counts."""
        done = self.harken(
            "import", kind, str(FOLDER / file), "--tenant", tenant, "--json", "--rejects",
            str(self.folder / "rejects.jsonl"), *options,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        counts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        taken = counts["accepted"] + counts["duplicates"]
        assert taken + counts["quarantined"] + counts["rejected"] == counts["rows"], counts
        return counts

    def base(self, tenant: str) -> None:
        """Import the catalogue that the cases share."""
        self.imported("items", "00-base/items.csv", tenant)

    async def items(self, tenant: str) -> dict[str, dict[str, Any]]:
        """Return the catalogue by item."""
        page = await self.clients.catalog.ListItems(
            catalog_service_pb2.ListItemsRequest(tenant=tenant, page_size=1000)
        )
        return {one.item_id: MessageToDict(one) for one in page.items}

    async def events(self, tenant: str) -> list[feedback_service_pb2.ExportedEvent]:
        """Return the events of the log."""
        request = feedback_service_pb2.ExportEventsRequest(tenant=tenant)
        pages = self.clients.feedback.ExportEvents(request)
        return [event async for page in pages for event in page.events]

    async def recent(self, tenant: str, user: str) -> list[str]:
        """Return the recent items of a user, newest first; none of a user nobody knows yet."""
        answer = await self.clients.profile.BatchGetProfiles(
            profile_service_pb2.BatchGetProfilesRequest(
                tenant=tenant, subjects=[subject_pb2.Subject(user_id=user)]
            )
        )
        return [one.item_id for one in answer.results[0].profile.state.recent]

    async def slate(self, tenant: str, user: str, count: int = 5) -> Any:
        """Return a slate."""
        return await self.clients.ranker.Recommend(
            ranker_service_pb2.RecommendRequest(
                tenant=tenant, subject=subject_pb2.Subject(user_id=user), count=count
            )
        )


def evaluated(file: str, reading: Reading, mapping: EventMapping) -> Any:
    """Return what evaluate and train read of a file."""
    with opened_events([str(FOLDER / file)], reading, mapping) as (table, options):
        return read_events(table, options)


def checked_cases(suite: Path, folder: Path) -> Mapping[str, str] | None:
    """Return what is wrong by case, "" where nothing is; None when the files are not there."""
    if not FOLDER.is_dir():
        print(f"{FOLDER} is not there: the row of known troubles is left out", file=sys.stderr)
        return None
    endpoints = Endpoints.read(suite)
    assert endpoints is not None
    return asyncio.run(_checked(endpoints, suite, folder))


async def _checked(endpoints: Endpoints, suite: Path, folder: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    async with connect(endpoints) as clients:
        cases = Cases(suite, folder, clients)
        for name, case in _CASES.items():
            try:
                await case(cases, f"t{name}")
            except Exception as error:
                found[name] = f"{type(error).__name__}: {error}"[:500]
            else:
                found[name] = ""
    return found


async def _json_first_line(cases: Cases, tenant: str) -> None:
    lines = (FOLDER / "01-json-first-line-items/items.jsonl").read_text().splitlines()
    turned = cases.folder / "turned.jsonl"
    turned.write_text("\n".join(reversed(lines)) + "\n")
    for file in ("01-json-first-line-items/items.jsonl", str(turned)):
        own = f"{tenant}{len(file)}"
        cases.imported("items", file, own)
        item = (await cases.items(own))["a2"]
        assert item["categories"] == ["outdoor", "camping"], item
        assert item["tags"] == ["green"], item
        assert item["numbers"] == {"price": 90.0}, item
        assert item["available"] is False, item


async def _newest_first(cases: Cases, tenant: str) -> None:
    firsts, recents = [], []
    for name in ("oldest", "newest"):
        own = f"{tenant}{name}"
        cases.base(own)
        cases.imported("events", f"03-order-newest-first/{name}-first.csv", own, "--wait")
        await _until(cases, own, "walker", ["3", "2", "1"])
        recents.append(await cases.recent(own, "walker"))
        firsts.append((await cases.slate(own, "walker")).slots[0].item_id)
    assert recents[0] == recents[1] == ["3", "2", "1"], recents
    assert firsts == ["4", "4"], firsts


async def _until(cases: Cases, tenant: str, user: str, expected: Sequence[str]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if await cases.recent(tenant, user) == list(expected):
            return
        await asyncio.sleep(0.05)


async def _late_event(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    now = time.time()
    for item, age in (("3", 10), ("10", 5 * 86_400)):
        event = event_pb2.Event(
            event_id=f"late-{item}", subject=subject_pb2.Subject(user_id="phone"), item_id=item,
            type="view",
        )  # fmt: skip
        event.event_time.FromMicroseconds(int((now - age) * 1e6))
        await cases.clients.feedback.RecordEvents(
            feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=[event])
        )
    await _until(cases, tenant, "phone", ["3", "10"])
    assert await cases.recent(tenant, "phone") == ["3", "10"]


async def _stray_quotes(cases: Cases, tenant: str) -> None:
    assert cases.imported("items", "06-tsv-quote-items/items.tsv", tenant)["created"] == 6
    assert (await cases.items(tenant))["q1"]["title"] == '"Best of the week'


async def _partial(cases: Cases, tenant: str) -> None:
    cases.imported("items", "08-partial-items/full.csv", tenant)
    cases.imported("items", "08-partial-items/stock.csv", tenant)
    items = await cases.items(tenant)
    assert items["p1"]["available"] is False, items
    assert items["p2"]["available"] is True, items
    assert items["p1"]["title"] == "Red lamp", items
    assert items["p1"]["categories"] == ["lamps", "home"], items
    assert items["p1"]["numbers"] == {"price": 20.0}, items


async def _half_emoji(cases: Cases, tenant: str) -> None:
    counts = cases.imported("items", "10-half-emoji-items/items.jsonl", tenant)
    assert (counts["created"], counts["rejected"]) == (2, 1), counts


async def _time_out_of_range(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    counts = cases.imported("events", "12-time-out-of-range/events.csv", tenant)
    assert (counts["accepted"], counts["rejected"]) == (2, 2), counts
    read = evaluated("12-time-out-of-range/events.csv", Reading(), EventMapping())
    assert read.rejected == {"INVALID_TIME": 2}, read.rejected


async def _nan(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    assert cases.imported("events", "13-json-nan/events.jsonl", tenant)["accepted"] == 2
    subjects = [one.subject.user_id or one.subject.session_id for one in await cases.events(tenant)]
    assert sorted(subjects) == ["jn1", "sx"], subjects


async def _decimals(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    script = FOLDER / "15-parquet-decimal-evaluate/make.py"
    await asyncio.to_thread(
        subprocess.run, [sys.executable, str(script)], cwd=cases.folder, check=True
    )
    file = str(cases.folder / "events.parquet")
    assert cases.imported("events", file, tenant)["accepted"] == 6
    events = await cases.events(tenant)
    assert [one.subject.user_id for one in events] == [str(n) for n in range(100, 106)]
    assert {one.value for one in events} == {9.5}
    read = evaluated(file, Reading(), EventMapping())
    assert (len(read), list(read.user_ids)) == (6, [str(n) for n in range(100, 106)])


async def _export(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    events = [
        event_pb2.Event(
            event_id=f"e{n}", subject=subject_pb2.Subject(user_id="session:x"), item_id=str(n),
            type="view",
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    await cases.clients.feedback.RecordEvents(
        feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=events)
    )
    file = cases.folder / "out.csv"
    done = cases.harken("export", str(file), "--tenant", tenant)
    assert done.returncode == 0, done.stderr
    counts = cases.imported("events", str(file), tenant)
    assert (counts["accepted"], counts["duplicates"]) == (0, 3), counts


async def _large_answers(cases: Cases, tenant: str) -> None:
    items = [item_pb2.Item(item_id=f"b{n}", description="lorem " * 1300) for n in range(1000)]
    await cases.clients.catalog.UpsertItems(
        catalog_service_pb2.UpsertItemsRequest(tenant=tenant, items=items)
    )
    try:
        answer = await cases.clients.catalog.GetItems(
            catalog_service_pb2.GetItemsRequest(
                tenant=tenant, item_ids=[item.item_id for item in items]
            )
        )
        assert len(answer.items) == 1000
    except Exception as error:
        if "INVALID_ARGUMENT" not in str(error):
            raise


async def _compact_date(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    cases.imported("events", "21-compact-date/events.csv", tenant)
    times = [one.event_time.ToMicroseconds() for one in await cases.events(tenant)]
    assert times == [1696118400 * 10**6, 1696204800 * 10**6], times


async def _empty_time(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    counts = cases.imported("events", "22-empty-time/events.csv", tenant)
    assert (counts["accepted"], counts["rejected"]) == (2, 1), counts
    read = evaluated("22-empty-time/events.csv", Reading(), EventMapping())
    assert read.rejected == {"MISSING_TIME": 1}, read.rejected


def _refused(*options: str, file: str, says: str) -> Callable[[Cases, str], Awaitable[None]]:
    async def case(cases: Cases, tenant: str) -> None:
        cases.base(tenant)
        done = cases.harken("import", "events", str(FOLDER / file), "--tenant", tenant, *options)
        assert done.returncode in (1, 2), done.returncode
        assert says in done.stderr, done.stderr
        assert "Traceback" not in done.stderr, done.stderr

    return case


def _taken(
    *options: str, file: str, accepted: int, kind: str = "events"
) -> Callable[[Cases, str], Awaitable[None]]:
    async def case(cases: Cases, tenant: str) -> None:
        cases.base(tenant)
        counts = cases.imported(kind, file, tenant, *options)
        assert counts["accepted"] == counts["rows"] == accepted, counts

    return case


async def _stock(cases: Cases, tenant: str) -> None:
    cases.imported("items", "26-stock-count/items.csv", tenant)
    shown = {name: one["available"] for name, one in (await cases.items(tenant)).items()}
    assert shown == {"k1": True, "k2": False, "k3": True}, shown


async def _left_out(cases: Cases, tenant: str) -> None:
    counts = cases.imported("items", "27-items-left-out-silently/items.csv", tenant)
    assert counts["rejected"] == 1, counts


async def _attributes(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    cases.imported("users", "29-attribute-numbers/users.csv", tenant)
    cases.imported("users", "29-attribute-numbers/users.jsonl", tenant)
    attributes = {}
    for user in ("c1", "c2", "b1"):
        answer = await cases.clients.profile.GetProfile(
            profile_service_pb2.GetProfileRequest(
                tenant=tenant, subject=subject_pb2.Subject(user_id=user)
            )
        )
        attributes[user] = MessageToDict(answer.profile.attributes)
    assert attributes == {
        "c1": {"zip": "02139", "flag": "true"},
        "c2": {"zip": "10115", "flag": "1"},
        "b1": {"crm": "9007199254740993"},
    }, attributes


async def _lists_in_cells(cases: Cases, tenant: str) -> None:
    cases.imported("items", "31-json-in-a-cell/items.csv", tenant)
    items = await cases.items(tenant)
    assert items["c1"]["categories"] == ["Action", "Comedy"], items
    assert items["c2"]["categories"] == ["Action", "Drama"], items


async def _rejects_elsewhere(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    counts = cases.imported(
        "events", "22-empty-time/events.csv", tenant, "--rejects", "/proc/no/rejects.jsonl"
    )
    assert (counts["accepted"], counts["rejected"]) == (2, 1), counts


async def _reasons(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    events = [
        event_pb2.Event(event_id=f"r{user}-{item}", subject=subject_pb2.Subject(user_id=f"r{user}"),
                        item_id=item, type="view")
        for user in range(20)
        for item in ("1", "3", "5")
    ]  # fmt: skip
    events.append(
        event_pb2.Event(event_id="rx", subject=subject_pb2.Subject(user_id="rx"), item_id="1",
                        type="view")
    )  # fmt: skip
    answer = await cases.clients.feedback.RecordEvents(
        feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=events)
    )
    gone = await cases.clients.catalog.DeleteItems(
        catalog_service_pb2.DeleteItemsRequest(tenant=tenant, item_ids=["1"])
    )
    await wait_for_rankers(cases.clients, tenant, gone.position or answer.position)
    slate = await cases.slate(tenant, "rx", 10)
    assert slate.slots
    for slot in slate.slots:
        assert slot.item_id != "1"
        assert slot.reason.because_item_id != "1", slot


async def _rank_like_slate(cases: Cases, tenant: str) -> None:
    cases.base(tenant)
    events = [
        event_pb2.Event(
            event_id=f"s{user}-{item}", subject=subject_pb2.Subject(user_id=f"s{user}"),
            item_id=str(item), type="view",
        )
        for user in range(30)
        for item in range(1 + user % 2, 1 + user % 2 + 2 * (3 + user % 5), 2)
    ]  # fmt: skip
    answer = await cases.clients.feedback.RecordEvents(
        feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=events)
    )
    await wait_for_rankers(cases.clients, tenant, answer.position)
    slate = await cases.slate(tenant, "s1", 10)
    shown = [slot.item_id for slot in slate.slots]
    ranked = await cases.clients.ranker.Rank(
        ranker_service_pb2.RankRequest(
            tenant=tenant, subject=subject_pb2.Subject(user_id="s1"), item_ids=shown
        )
    )
    assert [slot.item_id for slot in ranked.slots] == shown


async def _nightly(cases: Cases, tenant: str) -> None:
    cases.imported("items", "08-partial-items/full.csv", tenant)
    two = cases.folder / "two.csv"
    two.write_text("item,title\np1,Red lamp\np2,Blue lamp\n")
    done = cases.harken("import", "items", str(two), "--tenant", tenant, "--replace")
    assert done.returncode == 1, "a third of the catalogue went without being asked for"
    cases.imported("items", str(two), tenant, "--replace", "--yes")
    items = await cases.items(tenant)
    assert items["p3"]["available"] is False, items
    assert items["p1"].get("available", True), items


_OTTO, _SEGMENT = "40-nested/otto.jsonl", "40-nested/segment.jsonl"
_CASES: Mapping[str, Callable[[Cases, str], Awaitable[None]]] = {
    "01": _json_first_line,
    "03": _newest_first,
    "05": _late_event,
    "06": _stray_quotes,
    "08": _partial,
    "10": _half_emoji,
    "12": _time_out_of_range,
    "13": _nan,
    "15": _decimals,
    "17": _export,
    "19": _large_answers,
    "21": _compact_date,
    "22": _empty_time,
    "23a": _refused(file="23-two-columns-one-name/duplicate.csv", says="two columns"),
    "23b": _refused(file="23-two-columns-one-name/colon.csv", says="event:type"),
    "24a": _taken("--delimiter", "\\t", file="24-delimiter-option/events.tsv", accepted=1),
    "24b": _refused("--delimiter", "", file="24-delimiter-option/events.tsv", says="delimiter"),
    "26": _stock,
    "27": _left_out,
    "28a": _refused(file="28-id-is-not-the-item/events.csv", says="--item-column"),
    "28b": _taken(
        "--item-column", "book_id", file="28-id-is-not-the-item/events.csv", accepted=6
    ),
    "29": _attributes,
    "31": _lists_in_cells,
    "33": _rejects_elsewhere,
    "34": _reasons,
    "35": _rank_like_slate,
    "36": _taken("--line-ids", file="36-order-lines/events.csv", accepted=2),
    "37": _taken(file="37-bigquery-utc/events.csv", accepted=2),
    "38a": _refused("--type", "view", file="38-no-header/u.data", says="no header"),
    "38b": _taken(
        "--columns", "user,item,value,timestamp", "--type", "rating", file="38-no-header/u.data",
        accepted=2,
    ),
    "38c": _taken("--format", "movielens", file="38-no-header/ratings.dat", accepted=2),
    "39": _taken(file="39-json-array/events.json", accepted=1),
    "40a": _taken("--format", "otto", file=_OTTO, accepted=2),
    "40b": _taken("--format", "segment", file=_SEGMENT, accepted=1),
    "41a": _taken(file="41-other-encodings/latin1.csv", accepted=2),
    "41b": _taken(file="41-other-encodings/utf16.csv", accepted=1),
    "43": _nightly,
}  # fmt: skip
