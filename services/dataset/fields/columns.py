"""Which column holds a field: the one that is named, or one of the names that files have for it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from services.dataset.faults import ColumnError

SYNONYMS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "user": ("user", "user_id", "userid", "uid", "customer", "customer_id", "customerid",
                 "reviewerid", "visitorid", "visitor_id", "member_id", "account_id", "client_id"),
        "session": ("session", "session_id", "sessionid", "user_session"),
        "item": ("item", "item_id", "itemid", "iid", "movie", "movie_id", "movieid",
                 "product", "product_id", "productid", "asin", "sku", "track", "track_id",
                 "venue_id", "venueid", "song_id", "article_id", "business_id", "location_id",
                 "artist_id", "artistid", "poi", "venue", "artist"),
        "timestamp": ("timestamp", "time", "event_time", "ts", "unixreviewtime", "created_at",
                      "datetime", "date", "utc_time", "timestamp_ms", "event_timestamp"),
        "type": ("event", "type", "event_type", "action"),
        "value": ("value", "rating", "score", "stars", "event_value"),
        "event_id": ("event_id", "eventid", "message_id", "messageid"),
        "slate_id": ("slate_id",),
        "title": ("title", "name", "movie_title", "product_name"),
        "description": ("description", "overview", "summary"),
        "categories": ("categories", "category", "genres", "genre", "class"),
        "tags": ("tags", "keywords"),
        "available": ("available", "in_stock", "availability", "stock", "stock_count", "inventory"),
        "publish_time": ("publish_time", "published_at", "publish_date", "creation_timestamp"),
        "expire_time": ("expire_time", "expires_at", "expiration_time"),
        "owner": ("owner", "owner_id", "seller", "seller_id"),
    }
)  # fmt: skip
"""What a field is called in files, most likely first. Compared in lower case."""

ITEM_FILE_IDS = ("id",)
"""What an item is called where rows are items. In a file of events it numbers the rows."""

NUMBER_COLUMNS = ("year", "release_year", "price", "duration")
"""Columns of items that are taken as numbers when nothing else is said."""


class Columns(Protocol):
    """The columns of a table, as far as fields are looked up in it."""

    columns: Sequence[str]

    @property
    def headless(self) -> Sequence[str] | None:
        """Return the first line when it looks like data where a header is due."""

    def has(self, name: str) -> bool:
        """Return whether there is a column, or one that a path begins in."""

    def check_once(self, name: str) -> None:
        """Check that a column is there once."""


def find_column(
    field: str, table: Columns, given: str | None = None, more: Sequence[str] = ()
) -> str | None:
    """Return the column of a field: the one given ("": nowhere), else the first known name (`more`
    come last); None without one.

    Raises:
        ColumnError: the column given is not there, or two columns have its name.

    """
    if given == "":
        return None
    if given is not None:
        name = given.strip().lower()
        if not table.has(name):
            raise ColumnError(f"there is no column {given!r}; {_what_there_is(table)}")
    else:
        found = next((one for one in (*SYNONYMS[field], *more) if one in table.columns), None)
        if found is None:
            return None
        name = found
    table.check_once(name)
    return name


def require_column(
    field: str, table: Columns, given: str | None = None, more: Sequence[str] = ()
) -> str:
    """Return the column of a field, as find_column does.

    Raises:
        ColumnError: there is none.

    """
    found = find_column(field, table, given, more)
    if found is None:
        hint = "" if table.headless else f". Name it with --{field}-column."
        raise ColumnError(f"no column for {field}; {_what_there_is(table)}{hint}")
    return found


def _what_there_is(table: Columns) -> str:
    headless = table.headless
    if headless is not None:
        return (
            f"the file seems to have no header, its first line is: {', '.join(headless)}; name its "
            "columns with --columns, such as --columns user,item,value,timestamp"
        )
    return f"the file has: {', '.join(table.columns) or 'no columns'}"
