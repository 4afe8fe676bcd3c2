"""A column that a folder's name says and the file has, too, is a question, not a guess."""

from pathlib import Path

import pytest

from services.dataset.faults import ColumnError
from services.dataset.fields.event_fields import EventOptions, event_fields
from services.dataset.table.table import Source, open_table


def test_a_column_of_path_and_file_is_refused_where_it_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "events" / "item=7" / "note=a"
    folder.mkdir(parents=True)
    (folder / "part.csv").write_text("user,item,type,note\nu,8,view,b\n")
    with open_table(Source((str(tmp_path / "events"),))) as table:
        with pytest.raises(ColumnError, match="two columns are called 'item'"):
            event_fields(table, EventOptions())
        # What nobody uses hurts nobody.
        assert event_fields(table, EventOptions(item="user")).item == "user"
