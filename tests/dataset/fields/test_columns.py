"""Columns are found by their common names, or as given; what is missing is said."""

from pathlib import Path

import pytest

from services.dataset.faults import ColumnError
from services.dataset.fields.event_fields import EventFields, EventOptions, event_fields
from tests.dataset.tables import table_of, written


def fields_of(path: Path, header: str, options: EventOptions | None = None) -> EventFields:
    with table_of(written(path, header + "\n")) as table:
        return event_fields(table, options or EventOptions())


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("user,item,event", ("user", None, "item", None, "event", None)),
        ("session_id,product_id,type,ts", (None, "session_id", "product_id", "ts", "type", None)),
        ("visitorid,itemid,Event,timestamp",
         ("visitorid", None, "itemid", "timestamp", "event", None)),
        ("customer_id,article_id,action,created_at,score",
         ("customer_id", None, "article_id", "created_at", "action", "score")),
        # The likelier name first, whatever the order in the file; "id" numbers the rows.
        ("id,uid,user_id,item,type,rating,value",
         ("user_id", None, "item", None, "type", "value")),
    ],
)  # fmt: skip
def test_common_names(tmp_path: Path, header: str, found: tuple) -> None:
    fields = fields_of(tmp_path / "e.csv", header)
    assert (fields.user, fields.session, fields.item, fields.timestamp, fields.type,
            fields.value) == found  # fmt: skip


def test_names_that_are_given(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    fields = fields_of(path, "who,item,What,value", EventOptions(user=" WHO ", type="what"))
    assert (fields.user, fields.type, fields.value) == ("who", "what", "value")
    # "" is nowhere.
    fields = fields_of(path, "user,session,item,event,value", EventOptions(session="", value=""))
    assert fields.session is fields.value is None
    # A type for all is taken whatever columns there are.
    assert fields_of(path, "user,item,event", EventOptions(constant_type="buy")).type is None


@pytest.mark.parametrize(
    ("header", "options", "says"),
    [
        ("who,item,event", EventOptions(), "no column for user.*who, item, event.*--user-column"),
        ("user,thing,event", EventOptions(), "--item-column"),
        ("user,item", EventOptions(), "--type view"),
        ("user,item,event", EventOptions(value="nope"), "no column 'nope'; the file has: user"),
        ("user,item,event,item", EventOptions(), "two columns are called 'item'"),
        ("196,242,3,881250949", EventOptions(), "no header.*196, 242.*--columns"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, header: str, options: EventOptions, says: str
) -> None:
    with pytest.raises(ColumnError, match=says):
        fields_of(tmp_path / "e.csv", header, options)
