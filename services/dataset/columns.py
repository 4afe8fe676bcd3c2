"""Which column means what."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

SYNONYMS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "user": ("user", "user_id", "userid", "uid", "customer", "customer_id", "reviewerid",
                 "visitorid", "visitor_id", "member_id", "account_id"),
        "session": ("session", "session_id", "sessionid"),
        "item": ("item", "item_id", "itemid", "iid", "movie", "movie_id", "movieid",
                 "product", "product_id", "productid", "asin", "sku", "track", "track_id",
                 "venue_id", "venueid", "song_id", "article_id", "id", "business_id", "location_id",
                 "artist_id", "artistid", "poi", "venue", "artist"),
        "timestamp": ("timestamp", "time", "event_time", "ts", "unixreviewtime", "created_at",
                      "datetime", "date", "utc_time", "timestamp_ms", "event_timestamp"),
        "type": ("event", "type", "event_type", "action"),
        "value": ("value", "rating", "score", "stars"),
        "event_id": ("event_id", "eventid"),
        "title": ("title", "name", "movie_title", "product_name"),
        "description": ("description", "overview", "summary"),
        "categories": ("categories", "category", "genres", "genre", "class"),
        "tags": ("tags", "keywords"),
        "available": ("available", "in_stock"),
    }
)  # fmt: skip
"""What a field is called in files, most likely first. Compared in lower case."""

NUMBER_COLUMNS = ("year", "release_year", "price", "duration")
"""Columns of items that are taken as numbers when nothing else is said."""


class ColumnError(Exception):
    """A column that was asked for, or is required, is not in the file."""


def find_column(field: str, columns: Sequence[str], given: str | None = None) -> str | None:
    """Return the column of a field: the one given, else the first known name; None without one.

    Raises:
        ColumnError: the column given is not there.

    """
    if given is not None:
        name = given.strip().lower()
        if name not in columns:
            raise ColumnError(f"there is no column {given!r}; the file has: {', '.join(columns)}")
        return name
    return next((name for name in SYNONYMS[field] if name in columns), None)


def require_column(field: str, columns: Sequence[str], given: str | None = None) -> str:
    """Return the column of a field, as find_column does.

    Raises:
        ColumnError: there is none.

    """
    found = find_column(field, columns, given)
    if found is None:
        raise ColumnError(
            f"no column for {field}; the file has: {', '.join(columns)}. "
            f"Name it with --{field}-column."
        )
    return found
