"""Files of users write the attributes that they have, and go on where they were broken off."""

import json
from pathlib import Path

import pytest

from services.cli.clients import connect
from services.cli.endpoints import Endpoints
from services.cli.imports.counts import Counts
from services.cli.imports.import_state import ImportState, ImportStateFile
from services.cli.imports.rejects import RejectsFile
from services.cli.imports.row_import import import_rows
from services.cli.imports.user_target import user_target
from services.dataset.fields.user_fields import UserReader, user_fields
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import ScriptedSuite
from tests.dataset.tables import table_of, written


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


async def test_attributes_that_a_file_lacks_stay(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    for text in ("user,age,zip,plan\nann,24,02139,gold\n", "user,age,plan\nann,25,\n,1,x\n"):
        written(tmp_path / "users.csv", text)
        done = await harken("import", "users", "users.csv", "--json", folder=tmp_path,
                            endpoints=endpoints)  # fmt: skip
        assert done.code == 0, done.errors
    # An empty cell removes the attribute.
    assert dict(suite.profiles["ann"].attributes) == {"age": 25.0, "zip": "02139"}
    counts = json.loads(done.output.splitlines()[-1])
    assert (counts["rows"], counts["updated"], counts["rejected"]) == (2, 1, 1)


async def test_ids_alone_change_nothing(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path
) -> None:
    """No path in a mask would mean all of them."""
    written(tmp_path / "users.csv", "user,age\nann,24\n")
    await harken("import", "users", "users.csv", folder=tmp_path, endpoints=endpoints)
    written(tmp_path / "users.csv", "user\nann\n")
    done = await harken("import", "users", "users.csv", folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.errors
    assert dict(suite.profiles["ann"].attributes) == {"age": 24.0}


class _InterruptedError(Exception):
    pass


@pytest.mark.parametrize("known", [True, False])
async def test_a_broken_import_goes_on_when_the_suite_has_what_was_acknowledged(
    suite: ScriptedSuite, endpoints: Endpoints, tmp_path: Path, known: bool
) -> None:
    rows = "".join(f"u{n},{n}\n" if n not in (7, 150) else f",{n}\n" for n in range(200))
    path = written(tmp_path / "users.csv", "user,n\n" + rows)
    state = ImportStateFile(tmp_path, "users")
    rejects = tmp_path / "rejects.jsonl"

    def stop(row: int) -> None:
        if row >= 64:
            raise _InterruptedError

    async with connect(endpoints) as clients:
        target = user_target(clients.profile, "default")
        with table_of(path) as table:
            reader = UserReader(table, user_fields(table))

            def opened(keep: int) -> RejectsFile:
                return RejectsFile(rejects, rejects, keep)

            with pytest.raises(_InterruptedError):
                await import_rows(reader.rows, target, opened, state, stop)
            begun = state.read()
            assert begun.rows >= 64
            if not known:
                suite.profiles.clear()
            summary = await import_rows(reader.rows, target, opened, state)
    assert summary.resumed_after_row == (begun.rows if known else 0)
    assert summary.counts == Counts(rows=200, accepted=198, rejected=2, updated=198)
    assert len(suite.profiles) == 198
    found = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [one["row_number"] for one in found] == [8, 151]
    assert state.read() == ImportState()


def test_a_state_of_another_version_is_none(tmp_path: Path) -> None:
    state = ImportStateFile(tmp_path, "users", "a")
    for text in ("", "{", "[]", '{"rows": 3}', '{"counts": {"more": 1}, "rejects_bytes": 0}'):
        written(state.path, text)
        assert state.read() == ImportState()
    state.write(ImportState(Counts(rows=3, accepted=3), 7))
    assert state.read() == ImportState(Counts(rows=3, accepted=3), 7)
    assert ImportStateFile(tmp_path, "users", "b").read() == ImportState()
