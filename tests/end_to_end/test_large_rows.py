"""Rows that no request can hold are rejects of their own, and hold up no others."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from services.cli.suite import Suite
from tests.cli.harken_process import command, environment
from tests.conftest import StartSuite

FAR_TOO_LONG = "d" * 100_000
MANY_TAGS = "|".join(f"tag-{n}" for n in range(100))


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(preset="media", rankers=1)


async def imported(suite: Suite, kind: str, file: Path) -> tuple[dict[str, Any], list[Any]]:
    """Import a file; return its counts, and the rejects."""
    process = await asyncio.create_subprocess_exec(
        *command("import", kind, str(file), "--json", "--folder", str(suite.folder)),
        env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = (stream.decode() for stream in await process.communicate())
    assert process.returncode == 0, errors
    rejects = file.with_name(f"{file.name}.rejects.jsonl").read_text().splitlines()
    return json.loads(output.splitlines()[-1]), [json.loads(line) for line in rejects]


async def test_items(running: Suite, tmp_path: Path) -> None:
    """500 items of 8 KiB are 4 MiB; 500 with 100 tags have too many for one request."""
    rows = [f"{n},T,{'d' * 8192},a" for n in range(600)]
    rows += [f"{n},T,d,{MANY_TAGS if n % 2 else 'a'}" for n in range(600, 1200)]
    rows.insert(250, f"long,T,{FAR_TOO_LONG},a")
    rows.append(f"longest,T,{'d' * 5_000_000},a")
    file = tmp_path / "items.csv"
    file.write_text("\n".join(["item,title,description,tags", *rows]))
    counts, rejects = await imported(running, "items", file)
    assert (counts["rows"], counts["created"], counts["rejected"]) == (1202, 900, 302)
    assert Counter(one["reason"] for one in rejects) == {"REJECTED": 302}
    named = {one["row"]["item"] for one in rejects}
    assert named == {"long", "longest", *(str(n) for n in range(601, 1200, 2))}
    assert {one["line"] for one in rejects if one["row"]["item"] == "long"} == {252}


async def test_contexts_of_events(running: Suite, tmp_path: Path) -> None:
    def row(number: int, context: dict[str, str]) -> str:
        return json.dumps(
            {"event_id": f"e{number}", "user": "u", "item": f"{number}", "type": "play",
             "timestamp": 1_600_000_000 + number, "slate_id": "", "context": context}
        )  # fmt: skip

    file = tmp_path / "events.jsonl"
    many = {f"k{n}": "v" for n in range(17)}
    rows = [row(n, {"page": "home"}) for n in range(600)]
    rows += [row(n, many) for n in range(600, 2600)]
    rows += [row(2600, {"page": FAR_TOO_LONG}), row(2601, {"page": "p" * 5000})]
    file.write_text("\n".join(rows))
    items = tmp_path / "more.csv"
    items.write_text("\n".join(["item,title", *(f"{n},T" for n in range(2602))]))
    await imported_items(running, items)
    counts, rejects = await imported(running, "events", file)
    assert (counts["rows"], counts["accepted"], counts["rejected"]) == (2602, 600, 2002)
    assert {one["line"] for one in rejects} == set(range(601, 2603))


async def imported_items(suite: Suite, file: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("import", "items", str(file), "--folder", str(suite.folder)), env=environment(),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
