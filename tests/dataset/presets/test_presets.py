"""Named formats: a small file of each, made by hand as the format is described."""

import json
from pathlib import Path

import pytest

from services.cli.failures import CommandError
from services.cli.reading import EventMapping, ItemMapping, Reading, opened_events, opened_items
from services.cli.reading import opened_users as opened_user_files
from services.dataset.fields.event_fields import event_fields
from services.dataset.fields.item_fields import ItemReader, ItemRow, item_fields
from services.dataset.fields.user_fields import UserReader, UserRow, user_fields
from services.dataset.history.event_batch import EventReader
from tests.dataset.tables import written

Event = tuple[str, str, str, float | None, int]
"""Subject ("s:" before sessions), item, type, value, unix seconds."""


def events_of(path: Path, name: str) -> tuple[list[Event], list[str]]:
    """Return the events of a file of a format, and the reasons of rows that are none."""
    found: list[Event] = []
    faults: list[str] = []
    with opened_events([str(path)], Reading(format_name=name), EventMapping()) as (table, options):
        for batch in EventReader(table, event_fields(table, options)).batches():
            faults += [one.fault.reason for one in batch.faults]
            for user, session, item, kind, value, time in zip(
                batch.users, batch.sessions, batch.items, batch.types, batch.values.tolist(),
                batch.times_us.tolist(), strict=True,
            ):  # fmt: skip
                number = None if value != value else value
                found.append((user or f"s:{session}", item, kind, number, time // 10**6))
    return found, faults


def items_of(path: Path, name: str) -> list[ItemRow]:
    with opened_items([str(path)], Reading(format_name=name), ItemMapping()) as (table, options):
        rows = list(ItemReader(table, item_fields(table, options)).rows())
    assert all(isinstance(row, ItemRow) for row in rows)
    return [row for row in rows if isinstance(row, ItemRow)]


def users_of(path: Path, name: str) -> dict[str, dict]:
    with opened_user_files([str(path)], Reading(format_name=name)) as (table, ids):
        rows = list(UserReader(table, user_fields(table, ids)).rows())
    return {row.user: dict(row.attributes) for row in rows if isinstance(row, UserRow)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ratings.dat", "1::1193::5::978300760\n1::661::3.5::978302109\n"),
        ("u.data", "1\t1193\t5\t978300760\n1\t661\t3.5\t978302109\n"),
        ("ratings.csv",
         "userId,movieId,rating,timestamp\n1,1193,5.0,978300760\n1,661,3.5,978302109\n"),
    ],
)  # fmt: skip
def test_movielens_ratings(tmp_path: Path, name: str, text: str) -> None:
    assert events_of(written(tmp_path / name, text), "movielens") == (
        [("1", "1193", "rating", 5.0, 978300760), ("1", "661", "rating", 3.5, 978302109)], [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("movies.dat", "1::Café, le (1995)::Animation|Comedy\n".encode("latin-1")),
        ("movies.csv", 'movieId,title,genres\n1,"Café, le (1995)",Animation|Comedy\n'.encode()),
        ("u.item", (
            "1|Café, le (1995)|01-Jan-1995||http://x/?a=b|0|0|0|1|0|1" + "|0" * 13 + "\n"
        ).encode("latin-1")),
    ],
)  # fmt: skip
def test_movielens_movies(tmp_path: Path, name: str, content: bytes) -> None:
    (row,) = items_of(written(tmp_path / name, content), "movielens")
    assert (row.content.item_id, row.content.title) == ("1", "Café, le (1995)")
    assert row.content.categories == ("Animation", "Comedy")
    assert set(row.given) == {"title", "categories"}


def test_movielens_users(tmp_path: Path) -> None:
    path = written(tmp_path / "users.dat", "1::F::1::10::02139\n2::M::56::16::70072\n")
    assert users_of(path, "movielens") == {
        "1": {"gender": "F", "age": 1.0, "occupation": 10.0, "zip": "02139"},
        "2": {"gender": "M", "age": 56.0, "occupation": 16.0, "zip": "70072"},
    }
    path = written(tmp_path / "u.user", "1|24|M|technician|85711\n2|53|F|other|T8H1N\n")
    assert users_of(path, "movielens")["2"] == {
        "age": 53.0, "gender": "F", "occupation": "other", "zip": "T8H1N",
    }  # fmt: skip


def test_recbole(tmp_path: Path) -> None:
    text = (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        '196\t242\t3\t881250949\n186\t"302\t3\t891717742.0\n'
    )
    assert events_of(written(tmp_path / "ml.inter", text), "recbole")[0] == [
        ("196", "242", "rating", 3.0, 881250949), ("186", '"302', "rating", 3.0, 891717742),
    ]  # fmt: skip
    text = "user_id:token\titem_id:token\ttimestamp:float\n1\t2\t3\n"
    assert events_of(written(tmp_path / "b.inter", text), "recbole")[0] == [
        ("1", "2", "view", None, 3)
    ]
    text = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n" \
        "1\tToy Story\t1995\tAnimation Children's Comedy\n"  # fmt: skip
    (row,) = items_of(written(tmp_path / "ml.item", text), "recbole")
    assert row.content.title == "Toy Story"
    assert row.content.categories == ("Animation", "Children's", "Comedy")
    assert row.content.numbers == {"release_year": 1995.0}
    text = "user_id:token\tage:token\tzip_code:token\n1\t24\t85711\n"
    assert users_of(written(tmp_path / "ml.user", text), "recbole") == {
        "1": {"age": 24.0, "zip_code": 85711.0}
    }


def test_ga4(tmp_path: Path) -> None:
    rows = [
        {"event_timestamp": "1696156200000000", "event_name": "view_item", "user_id": None,
         "user_pseudo_id": "12.34", "items": [{"item_id": "A", "item_name": "a"}]},
        {"event_timestamp": "1696156201000000", "event_name": "purchase", "user_id": "ann",
         "user_pseudo_id": "12.34", "items": [{"item_id": "A"}, {"item_id": "B"}]},
        {"event_timestamp": "1696156202000000", "event_name": "page_view", "user_id": "ann",
         "items": []},
    ]  # fmt: skip
    path = written(tmp_path / "ga4.jsonl", "\n".join(map(json.dumps, rows)))
    assert events_of(path, "ga4") == (
        [
            ("s:12.34", "A", "view", None, 1696156200),
            ("ann", "A", "purchase", None, 1696156201),
            ("ann", "B", "purchase", None, 1696156201),
        ],
        [],
    )


def test_segment(tmp_path: Path) -> None:
    rows = [
        {"type": "track", "event": "Product Viewed", "userId": "ann", "anonymousId": "x",
         "messageId": "m1", "timestamp": "2023-10-01T10:30:00.000Z",
         "properties": {"product_id": "A", "price": 9}},
        {"type": "track", "event": "Order Completed", "userId": None, "anonymousId": "x",
         "messageId": "m2", "timestamp": "2023-10-01T10:30:01.000Z",
         "properties": {"order_id": 1, "products": [{"product_id": "A"}, {"product_id": "B"}]}},
        {"type": "track", "event": "Signed Up", "userId": "ann", "messageId": "m3",
         "timestamp": "2023-10-01T10:30:02.000Z", "properties": {"plan": "x"}},
    ]  # fmt: skip
    path = written(tmp_path / "segment.jsonl", "\n".join(map(json.dumps, rows)))
    assert events_of(path, "segment") == (
        [
            ("ann", "A", "view", None, 1696156200),
            ("s:x", "A", "purchase", None, 1696156201),
            ("s:x", "B", "purchase", None, 1696156201),
        ],
        ["MISSING_ITEM"],
    )


def test_snowplow(tmp_path: Path) -> None:
    products = "contexts_com_snowplowanalytics_snowplow_ecommerce_product_1"
    action = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"
    rows = [
        {"event_id": "e1", "user_id": "ann", "domain_userid": "d", products: [{"id": "A"}],
         "collector_tstamp": "2023-10-01T10:30:00.000Z", action: {"type": "product_view"}},
        {"event_id": "e2", "user_id": None, "domain_userid": "d",
         products: [{"id": "A"}, {"id": "B"}], "collector_tstamp": "2023-10-01 10:30:01.000",
         action: {"type": "transaction"}},
    ]  # fmt: skip
    path = written(tmp_path / "snowplow.jsonl", "\n".join(map(json.dumps, rows)))
    assert events_of(path, "snowplow") == (
        [
            ("ann", "A", "view", None, 1696156200),
            ("s:d", "A", "purchase", None, 1696156201),
            ("s:d", "B", "purchase", None, 1696156201),
        ],
        [],
    )


def test_retailrocket(tmp_path: Path) -> None:
    text = (
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433221332117,257597,view,355908,\n1433224214164,992329,addtocart,248676,\n"
        "1433222276276,599528,transaction,356475,4000\n"
    )
    assert events_of(written(tmp_path / "events.csv", text), "retailrocket")[0] == [
        ("257597", "355908", "view", None, 1433221332),
        ("992329", "248676", "add_to_cart", None, 1433224214),
        ("599528", "356475", "purchase", None, 1433222276),
    ]


def test_otto(tmp_path: Path) -> None:
    text = (
        '{"session":0,"events":[{"aid":1517085,"ts":1659304800025,"type":"clicks"},'
        '{"aid":2,"ts":1659304801000,"type":"carts"}]}\n'
        '{"session":1,"events":[{"aid":3,"ts":1659304802000,"type":"orders"}]}\n'
    )
    assert events_of(written(tmp_path / "train.jsonl", text), "otto")[0] == [
        ("s:0", "1517085", "click", None, 1659304800),
        ("s:0", "2", "add_to_cart", None, 1659304801),
        ("s:1", "3", "purchase", None, 1659304802),
    ]


def test_mind(tmp_path: Path) -> None:
    text = (
        "1\tU1\t11/11/2019 9:05:58 AM\tN1 N2\tN55689-1 N35729-0 N-3-1\n"
        "2\tU2\t11/12/2019 6:11:30 PM\t\tN1-0\n"
    )
    assert events_of(written(tmp_path / "behaviors.tsv", text), "mind")[0] == [
        ("U1", "N55689", "click", None, 1573463158), ("U1", "N-3", "click", None, 1573463158),
    ]  # fmt: skip
    text = 'N1\tsports\tgolf\tThe "Open\tAn abstract\thttps://x\t[]\t[{"Label": "x"}]\n'
    (row,) = items_of(written(tmp_path / "news.tsv", text), "mind")
    assert (row.content.item_id, row.content.title) == ("N1", 'The "Open')
    assert row.content.description == "An abstract"
    assert (row.content.categories, row.content.tags) == (("sports",), ("golf",))


def test_amazon_reviews(tmp_path: Path) -> None:
    review = {"rating": 5.0, "title": "t", "text": "x", "images": [], "asin": "B1",
              "parent_asin": "B0", "user_id": "AE", "timestamp": 1588687728923,
              "verified_purchase": True}  # fmt: skip
    path = written(tmp_path / "All_Beauty.jsonl", json.dumps(review) + "\n")
    assert events_of(path, "amazon-reviews-2023")[0] == [("AE", "B0", "rating", 5.0, 1588687728)]
    text = "user_id,parent_asin,rating,timestamp\nAE,B0,4.0,1588687728923\n"
    path = written(tmp_path / "ratings.csv", text)
    assert events_of(path, "amazon-reviews-2023")[0] == [("AE", "B0", "rating", 4.0, 1588687728)]
    meta = {"main_category": "All Beauty", "title": "Soap", "average_rating": 4.8, "features": [],
            "description": ["One.", "Two."], "price": None, "categories": ["Bath", "Soap"],
            "details": {}, "parent_asin": "B0"}  # fmt: skip
    (row,) = items_of(written(tmp_path / "meta.jsonl", json.dumps(meta)), "amazon-reviews-2023")
    assert (row.content.item_id, row.content.title) == ("B0", "Soap")
    assert row.content.description == "One.\nTwo."
    assert row.content.categories == ("Bath", "Soap")


def test_personalize(tmp_path: Path) -> None:
    text = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n1,2,1586731606,watch,\n"
    path = written(tmp_path / "interactions.csv", text)
    assert events_of(path, "personalize")[0] == [("1", "2", "watch", None, 1586731606)]
    text = "USER_ID,ITEM_ID,TIMESTAMP\n1,2,20231001\n"
    assert events_of(written(path, text), "personalize")[0] == [("1", "2", "view", None, 20231001)]
    text = "ITEM_ID,CREATION_TIMESTAMP,GENRES,PRICE\n2,1586731606,a|b,9.5\n"
    (row,) = items_of(written(tmp_path / "items.csv", text), "personalize")
    assert row.publish_time_ns == 1586731606 * 10**9
    assert row.content.categories == ("a", "b")
    assert row.content.numbers == {"price": 9.5}
    text = "USER_ID,AGE,MEMBERSHIP\n1,24,gold\n"
    assert users_of(written(tmp_path / "users.csv", text), "personalize") == {
        "1": {"age": 24.0, "membership": "gold"}
    }


def test_formats_that_are_not_there_are_said(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", "a\n")
    with pytest.raises(CommandError, match="no format 'nope'; there are: movielens, "):
        events_of(path, "nope")
    with pytest.raises(CommandError, match="the format otto has no items"):
        items_of(path, "otto")


def test_what_is_given_goes_before_the_format(tmp_path: Path) -> None:
    path = written(tmp_path / "u.data", "1;2;5;978300760\n")
    reading = Reading(format_name="movielens", delimiter=";")
    mapping = EventMapping(event_type="play", value_column="")
    with opened_events([str(path)], reading, mapping) as (table, options):
        fields = event_fields(table, options)
        (batch,) = EventReader(table, fields).batches()
    assert (list(batch.items), list(batch.types)) == (["2"], ["play"])
    assert batch.values[0] != batch.values[0]
