"""Times in all their forms, against microseconds that were worked out by hand."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dataset.faults import RowFaultError
from services.dataset.values.cells import Moment
from services.dataset.values.times import TimeOptions, TimeReader, Unit, zone_of

DAY = 1_696_118_400_000_000
"""2023-10-01T00:00:00Z."""
MORNING = 1_696_156_200_000_000
"""2023-10-01T10:30:00Z."""
SECOND = 10**6

WRITTEN = {
    "2023-10-01": DAY,
    "2023-10-01Z": DAY,
    "20231001": DAY,
    "20231001.0": DAY,
    "2023-W39-7": DAY,
    "2023W397": DAY,
    "2023-274": DAY,
    "2023/10/01": DAY,
    "2023.10.1": DAY,
    "2024-366": 1_735_603_200_000_000,
    "2024-02-29": 1_709_164_800_000_000,
    "2023-10-01T10:30:00": MORNING,
    "2023-10-01 10:30": MORNING,
    "2023-10-01T1030": MORNING,
    "20231001T103000Z": MORNING,
    "20231001103000": MORNING,
    "2023-10-01t10:30:00z": MORNING,
    "2023-10-01T10:30:00Z[UTC]": MORNING,
    "2023-10-01T12:30:00+02:00[UTC]": MORNING,
    "2023-10-01 10:30:00 UTC": MORNING,
    "2023-10-01 10:30:00 GMT": MORNING,
    "2023-10-01T10:30:00-00:00": MORNING,
    "2023-10-01 12:30:00 +0200": MORNING,
    "2023-10-01T12:30:00+02": MORNING,
    "2023-10-01T05:00:00-05:30": MORNING,
    "2023-W39-7T10:30Z": MORNING,
    "2023-274T10:30:00+00:00": MORNING,
    "2023/10/1 10:30:0": MORNING,
    "2023-10-01T10": MORNING - 1800 * SECOND,
    "2023-10-01T10:30:00,5": MORNING + SECOND // 2,
    "2023-10-01T10:30:00.1Z": MORNING + 100_000,
    "2023-10-01T10:30:00.123456789Z": MORNING + 123_456,
    "20231001103000123": MORNING + 123_000,
    "2023-10-01T24:00": DAY + 86_400 * SECOND,
    "2023-10-01T24:00:00.000Z": DAY + 86_400 * SECOND,
    # A leap second is the next one.
    "2016-12-31T23:59:60Z": 1_483_228_800 * SECOND,
    "Sun, 01 Oct 2023 12:30:00 +0200": MORNING,
    "01 Oct 2023 10:30:00 GMT": MORNING,
    "Sun, 01 Oct 2023 06:30:00 EDT": MORNING,
    "0001-01-01": -62_135_596_800 * SECOND,
    "1969-12-31T23:59:59.999999Z": -1,
    "9999-12-31T23:59:59.999999Z": 253_402_300_799_999_999,
    # Numbers.
    "0": 0,
    "-1": -SECOND,
    "+5": 5 * SECOND,
    "1696156200": MORNING,
    "1696156200.0": MORNING,
    "1696156200.25": MORNING + 250_000,
    "1.6961562e9": MORNING,
    "1.6961562E+12": MORNING,
    "1696156200123": MORNING + 123_000,
    "1696156200123.9": MORNING + 123_900,
    "1696156200123456": MORNING + 123_456,
    "1696156200123456789": MORNING + 123_456,
    "-1000000000000": -1_000_000_000 * SECOND,
    "  1696156200 ": MORNING,
    "99999999999": 99_999_999_999 * SECOND,
    "100000000000": 100_000_000 * SECOND,
}  # fmt: skip

REFUSED = {
    "10/01/2023": "either way round",
    "1.10.2023": "either way round",
    "10/01/23 10:30": "either way round",
    "202310011030": "unix milliseconds: say --time-format",
    "2023-10": "is a month",
    "20231301": "no day of the calendar",
    "12345678": "no day of the calendar",
    "2023-02-29": "neither a unix time nor ISO 8601",
    "2023-366": "neither",
    "2023-000": "neither",
    "2023-10-01T24:00:01": "neither",
    "2023-10-01T25:00": "neither",
    "2023-10-01T10:60": "neither",
    "2023-10-01T10:30:61": "neither",
    "2023-10-01T10:30+25:00": "neither",
    # A day with an offset, or a day and a time?
    "2023-10-01+02:00": "neither",
    "2023-10-01-02:00": "neither",
    "2023-10-01x10:30": "neither",
    "2023-10-01T10:30:00 PST": "neither",
    "2023-10-01 10:30:00 PM": "neither",
    "yesterday": "neither",
    "inf": "neither",
    "1_000": "neither",
    "２０２３-10-01": "neither",
    "1e30": "too far away",
    "0001-01-01T00:00:00+01:00": "outside the years 1 to 9999",
    "9999-12-31T24:00": "outside the years 1 to 9999",
    "-62135596801": "outside the years 1 to 9999",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_time_is_the_same_in_all_its_forms(text: str) -> None:
    assert TimeReader().read(text) == WRITTEN[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_ambiguous_or_no_time_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(RowFaultError, match=REFUSED[text]) as caught:
        TimeReader().read(text)
    assert caught.value.reason == "INVALID_TIME"
    assert repr(text) in caught.value.detail


@pytest.mark.parametrize("cell", ["", " ", None, "NaT", "nan", "<NA>", float("nan")])
def test_an_empty_cell_is_no_time(cell: object) -> None:
    assert TimeReader().read(cell) is None


@pytest.mark.parametrize("cell", [True, [1], {"a": 1}])
def test_truth_and_structures_are_no_times(cell: object) -> None:
    with pytest.raises(RowFaultError):
        TimeReader().read(cell)


def test_numbers_of_typed_sources() -> None:
    assert TimeReader().read(1_696_156_200) == MORNING
    assert TimeReader().read(1_696_156_200_123) == MORNING + 123_000
    assert TimeReader().read(1_696_156_200.5) == MORNING + 500_000
    assert TimeReader().read(20_231_001) == DAY
    assert TimeReader().read(Moment(MORNING, aware=True)) == MORNING
    assert TimeReader().read(Moment(MORNING, aware=False)) == MORNING
    with pytest.raises(RowFaultError, match="outside the years"):
        TimeReader().read(Moment(-(10**18), aware=True))


BERLIN = TimeOptions(zone_of("Europe/Berlin"))


@pytest.mark.parametrize(
    ("cell", "micros"),
    [
        ("2023-10-01", DAY - 7200 * SECOND),
        ("20231001", DAY - 7200 * SECOND),
        ("2023-10-01 12:30", MORNING),
        ("2023-01-15 11:30", 1_673_778_600 * SECOND),
        ("Sun, 01 Oct 2023 12:30:00", MORNING),
        # The clocks went back on this day, which had 25 hours.
        ("2023-10-29T24:00", 1_698_620_400 * SECOND),
        ("2023-10-29 01:59:59", 1_698_537_599 * SECOND),
        ("2023-10-29 03:00", 1_698_544_800 * SECOND),
        # These name their own zone, or have none.
        ("2023-10-01T10:30:00Z", MORNING),
        ("2023-10-01T06:30:00-04:00", MORNING),
        ("1696156200", MORNING),
        (Moment(MORNING, aware=True), MORNING),
        (Moment(MORNING, aware=False), MORNING - 7200 * SECOND),
    ],
)
def test_local_times_are_of_the_zone_that_is_given(cell: object, micros: int) -> None:
    assert TimeReader(BERLIN).read(cell) == micros


@pytest.mark.parametrize(
    ("text", "says"),
    [("2023-10-29 02:30", "happens twice"), ("2023-03-26 02:30", "happens never")],
)
def test_times_at_which_clocks_change_are_refused(text: str, says: str) -> None:
    with pytest.raises(RowFaultError, match=f"{says} in Europe/Berlin"):
        TimeReader(BERLIN).read(text)


def test_zones_are_named() -> None:
    assert zone_of("utc") is UTC
    assert zone_of("Z") is UTC
    for wrong in ("Berlin", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="no time zone"):
            zone_of(wrong)


@pytest.mark.parametrize(
    ("form", "text", "micros"),
    [
        ("unix", "20231001", 20_231_001 * SECOND),
        ("unix_ms", "202310011030", 202_310_011_030_000),
        ("unix_us", "1696156200", 1_696_156_200),
        ("unix_ns", "1696156200", 1_696_156),
        ("%d.%m.%Y %H:%M", "1.10.2023 10:30", MORNING),
        ("%m/%d/%Y %I:%M:%S %p", "10/1/2023 10:30:00 AM", MORNING),
        ("%Y-%m-%d %H:%M:%S %z", "2023-10-01 12:30:00 +0200", MORNING),
    ],
)
def test_a_format_that_is_given_is_the_only_one(form: str, text: str, micros: int) -> None:
    assert TimeReader(TimeOptions(format=form)).read(text) == micros
    for other in ("2023-W39-7", "soon", "9" * 30):
        with pytest.raises(RowFaultError):
            TimeReader(TimeOptions(format=form)).read(other)


def test_units_are_counted_as_numbers_are_read() -> None:
    reader = TimeReader()
    for cell in ("1696156200", "1696156201", "1696156200123", "2023-10-01", "20231001", "", "7"):
        reader.read(cell)
    assert reader.units == {Unit.SECONDS: 3, Unit.MILLISECONDS: 1}
    assert reader.many(["1696156200123456", "1696156200123457"]) == [
        MORNING + 123_456, MORNING + 123_457,
    ]  # fmt: skip
    assert reader.units[Unit.MICROSECONDS] == 2


whole_times = st.sampled_from([9, 10, 12, 13, 14, 16, 17, 19]).flatmap(
    lambda digits: st.lists(
        st.integers(10 ** (digits - 1), 10**digits - 1).map(str), min_size=1, max_size=5
    )
)
dates = st.sampled_from(["%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"]).flatmap(
    lambda form: st.lists(
        st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
            lambda moment: moment.strftime(form)
        ),
        min_size=1,
        max_size=3,
    )
)
odd = st.sampled_from(
    ["", "+1696156200", "1_69615620", " 169615620", "１696156200", "1696156200.0"]
)
formats = st.sampled_from([None, "unix", "unix_ms", "unix_us", "unix_ns", "%Y%m%d%H"])


@given(st.one_of(whole_times, dates), st.lists(odd, max_size=1), formats)
def test_many_at_once_are_read_as_one_by_one(
    texts: list[str], more: list[str], form: str | None
) -> None:
    """The quick way takes only what the slow way reads, and reads it alike, units too."""
    quick, slow = TimeReader(TimeOptions(format=form)), TimeReader(TimeOptions(format=form))
    cells = texts + more
    found = quick.many(cells)
    if found is not None:
        assert found == [slow.read(cell) for cell in cells]
        assert quick.units == slow.units


def test_many_takes_what_is_usual() -> None:
    assert TimeReader().many(["1696156200"] * 3) == [MORNING] * 3
    assert TimeReader().many([1_696_156_200]) is None
    assert TimeReader().many(["1696156200", "1696156200123"]) is None


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["T", " "]),
)
def test_iso_8601_with_any_offset_is_the_moment_it_says(
    naive: datetime, minutes: int, between: str
) -> None:
    moment = naive.replace(tzinfo=UTC)
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert TimeReader().read(naive.isoformat(between)) == micros
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert TimeReader().read(local.isoformat(between)) == micros
