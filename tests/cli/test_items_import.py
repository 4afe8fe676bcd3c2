"""Files of items change only what they say, and --replace makes a file the whole catalogue."""

import json
from pathlib import Path

import pytest

from harken.feedback.v1 import item_pb2
from services.cli.endpoints import Endpoints
from tests.cli.harken_process import Finished, harken
from tests.cli.scripted_suite import ScriptedSuite
from tests.dataset.tables import written


@pytest.fixture
def suite() -> ScriptedSuite:
    suite = ScriptedSuite()
    suite.items.update(
        {
            f"i{n}": item_pb2.Item(
                item_id=f"i{n}", title=f"Title {n}", categories=["c"], numbers={"price": n, "x": 1},
                available=True,
            )
            for n in range(1, 6)
        }
    )  # fmt: skip
    return suite


class Importer:
    def __init__(self, folder: Path, endpoints: Endpoints) -> None:
        self.folder = folder
        self._endpoints = endpoints

    async def run(self, text: str, *arguments: str, name: str = "items.csv") -> Finished:
        written(self.folder / name, text)
        return await harken(
            "import", "items", name, *arguments, folder=self.folder, endpoints=self._endpoints
        )


@pytest.fixture
def importer(tmp_path: Path, endpoints: Endpoints) -> Importer:
    return Importer(tmp_path, endpoints)


async def test_a_stock_file_touches_nothing_but_the_stock(
    suite: ScriptedSuite, importer: Importer
) -> None:
    done = await importer.run("id,stock\ni1,0\ni2,7\n", "--json")
    assert done.code == 0, done.errors
    assert suite.masks == [("available",)] * 2
    assert (suite.items["i1"].available, suite.items["i2"].available) == (False, True)
    assert (suite.items["i1"].title, suite.items["i1"].numbers["price"]) == ("Title 1", 1)
    counts = json.loads(done.output.splitlines()[-1])
    assert (counts["rows"], counts["updated"], counts["unchanged"]) == (2, 1, 1)
    assert counts["rows"] == sum(
        counts[name] for name in ("accepted", "duplicates", "quarantined", "rejected")
    )


async def test_an_empty_cell_clears_and_a_number_is_one_of_several(
    suite: ScriptedSuite, importer: Importer
) -> None:
    done = await importer.run("id,title,price\ni1,,9.5\ni2,New,\n")
    assert done.code == 0, done.errors
    assert suite.masks == [("title", "numbers.price")] * 2
    first, second = suite.items["i1"], suite.items["i2"]
    assert (first.title, dict(first.numbers)) == ("", {"price": 9.5, "x": 1})
    assert (second.title, dict(second.numbers)) == ("New", {"x": 1})
    assert list(first.categories) == ["c"]
    assert first.available


async def test_in_json_each_line_has_its_own_mask(suite: ScriptedSuite, importer: Importer) -> None:
    lines = [{"id": "i1", "title": "A"}, {"id": "i2", "available": False}, {"id": "i3"},
             {"id": "i4", "title": "B"}, {"id": "i1", "price": 2}]  # fmt: skip
    done = await importer.run("\n".join(map(json.dumps, lines)), "--json", name="items.jsonl")
    assert done.code == 0, done.errors
    assert suite.masks == [("title",), ("title",), ("available",), ("numbers.price",)]
    assert suite.items["i1"].title == "A"
    assert suite.items["i1"].numbers["price"] == 2
    assert suite.items["i3"].title == "Title 3"
    counts = json.loads(done.output.splitlines()[-1])
    assert (counts["updated"], counts["unchanged"]) == (4, 1)


async def test_ids_alone_create_what_is_missing_and_change_nothing(
    suite: ScriptedSuite, importer: Importer
) -> None:
    before = {name: item.SerializeToString(deterministic=True)
              for name, item in suite.items.items()}  # fmt: skip
    done = await importer.run("id\ni1\nnew\n", "--json")
    assert done.code == 0, done.errors
    counts = json.loads(done.output.splitlines()[-1])
    assert (counts["created"], counts["unchanged"]) == (1, 1)
    assert "new" in suite.items
    for name, item in before.items():
        assert suite.items[name].SerializeToString(deterministic=True) == item


async def test_faults_are_rejected_one_by_one(suite: ScriptedSuite, importer: Importer) -> None:
    text = f"id,title,stock\ni1,A,1\n,B,1\ni2,C,maybe\nshort\ni3,{'t' * 513},1\ni4,D,0\n"
    done = await importer.run(text, "--json")
    assert done.code == 0, done.errors
    counts = json.loads(done.output.splitlines()[-1])
    assert (counts["rows"], counts["accepted"], counts["rejected"]) == (6, 2, 4)
    assert "4 rejected of 6 rows" in done.errors
    rejects = importer.folder / "items.csv.rejects.jsonl"
    assert Path(counts["rejects"]).name == rejects.name
    found = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(one["line"], one["reason"], one["column"]) for one in found] == [
        (3, "MISSING_ITEM", "id"), (4, "INVALID_VALUE", "stock"),
        (5, "WRONG_NUMBER_OF_CELLS", ""), (6, "REJECTED", "title"),
    ]  # fmt: skip
    assert (suite.items["i1"].title, suite.items["i4"].available) == ("A", False)
    assert suite.items["i3"].title == "Title 3"


async def test_more_rejects_than_allowed_import_nothing(
    suite: ScriptedSuite, importer: Importer
) -> None:
    text = "id,title\ni1,A\n,B\nshort\n"
    for allowed in ("1", "50%"):
        done = await importer.run(text, "--max-rejects", allowed)
        assert done.code == 1
        assert "2 of 3 rows cannot be taken" in done.errors
        assert "nothing was imported" in done.errors
    assert not suite.masks
    for allowed in ("2", "67%"):
        assert (await importer.run(text, "--max-rejects", allowed)).code == 0
    for wrong in ("-1", "many", "120%", "5 %%"):
        done = await importer.run(text, f"--max-rejects={wrong}")
        assert done.code == 1
        assert "--max-rejects must be" in done.errors


KEEPING = "id,title\ni1,A\ni2,B\ni3,C\ni4,D\n"


async def test_what_a_whole_catalogue_lacks_is_hidden(
    suite: ScriptedSuite, importer: Importer
) -> None:
    suite.items["i2"].available = False
    suite.items["old"] = item_pb2.Item(item_id="old", available=False)
    done = await importer.run(KEEPING, "--replace", "--yes")
    assert done.code == 0, done.errors
    assert suite.items["i5"].available is False
    assert suite.items["i5"].title == "Title 5"
    assert "not in the source, hidden: 1 of 4 items" in done.errors
    assert "i5  Title 5" in done.errors
    # What is in the file and hidden stays so, and is named.
    assert not suite.items["i2"].available
    assert "1 items of the source are hidden, and stay so" in done.errors
    assert "i2" in done.errors
    again = await importer.run(KEEPING, "--replace")
    assert again.code == 0, again.errors
    assert "not in the source" not in again.errors


async def test_what_a_whole_catalogue_lacks_is_deleted_when_asked_for(
    suite: ScriptedSuite, importer: Importer
) -> None:
    suite.items["old"] = item_pb2.Item(item_id="old", available=False)
    done = await importer.run(KEEPING, "--replace", "--gone", "delete", "--yes")
    assert done.code == 0, done.errors
    assert set(suite.items) == {"i1", "i2", "i3", "i4"}
    assert "not in the source, deleted: 2 of 6 items" in done.errors


async def test_a_large_share_goes_only_when_it_is_meant(
    suite: ScriptedSuite, importer: Importer
) -> None:
    done = await importer.run(KEEPING, "--replace")
    assert done.code == 1
    assert "20% of the catalogue: nothing was hidden; say --yes" in done.errors
    assert "i5  Title 5" in done.errors
    assert suite.items["i5"].available
    suite.items.update({f"more-{n}": item_pb2.Item(item_id=f"more-{n}") for n in range(20)})
    text = KEEPING + "".join(f"more-{n},M\n" for n in range(20))
    done = await importer.run(text, "--replace")
    assert done.code == 0, done.errors
    assert not suite.items["i5"].available


async def test_a_row_that_is_faulty_elsewhere_still_names_its_item(
    suite: ScriptedSuite, importer: Importer
) -> None:
    """A typo in a price is no reason to hide the item."""
    text = KEEPING.replace("title", "available") .replace(",A", ",yes").replace(",B", ",no") \
        .replace(",C", ",1").replace(",D", ",0") + "i5,maybe\n"  # fmt: skip
    done = await importer.run(text, "--replace")
    assert done.code == 0, done.errors
    assert suite.items["i5"].available
    assert "not in the source" not in done.errors
