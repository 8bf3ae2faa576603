"""Dates: a table of texts and the moments that they name."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.dates import (
    LONGEST,
    Reading,
    date_in_dateline,
    date_in_line,
    date_in_name,
    date_in_url,
    read_date,
    surest_date,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)

READ = """
2026-01-31                            | 2026-01-31 00:00:00 | day
2026/1/3                              | 2026-01-03 00:00:00 | day
20260131                              | 2026-01-31 00:00:00 | day
2026-01-31T00:00:00                   | 2026-01-31 00:00:00 | day
2026-01-31T00:00:00Z                  | 2026-01-31 00:00:00 | second
2026-01-31T14:05:06Z                  | 2026-01-31 14:05:06 | second
2026-01-31T14:05:06+01:00             | 2026-01-31 13:05:06 | second
2026-01-31T14:05+0530                 | 2026-01-31 08:35:00 | minute
2026-01-31 14:05                      | 2026-01-31 14:05:00 | minute_no_zone
2026-01-31 14:05:06                   | 2026-01-31 14:05:06 | second_no_zone
2026-01-31 14:05:06 UTC               | 2026-01-31 14:05:06 | second
2026-01-31 14:05:06 +0000 UTC         | 2026-01-31 14:05:06 | second
2026-01-31T14:05:06+01:00[Europe/Rome]| 2026-01-31 13:05:06 | second
2026-01-31 14:05 Europe/Rome          | 2026-01-31 13:05:00 | minute
2026-01-31 14:05 IST                  | 2026-01-31 14:05:00 | minute_no_zone
20260131140506                        | 2026-01-31 14:05:06 | second_no_zone
20260131T140506Z                      | 2026-01-31 14:05:06 | second
1700000000                            | 2023-11-14 22:13:20 | second
1700000000.25                         | 2023-11-14 22:13:20 | second
1700000000123                         | 2023-11-14 22:13:20 | second
1700000000123456                      | 2023-11-14 22:13:20 | second
541350067                             | 1987-02-26 15:01:07 | second
Tue, 03 Mar 2026 14:05:06 GMT         | 2026-03-03 14:05:06 | second
Tue, 03 Mar 2026 14:05:06 -0500       | 2026-03-03 19:05:06 | second
Tue, 03 Mar 2026 14:05:06 EST         | 2026-03-03 19:05:06 | second
3 Mar 26 14:05:06 +0100               | 2026-03-03 13:05:06 | second
Sun, 1 Mar 87 08:00 GMT               | 1987-03-01 08:00:00 | minute
Tue Mar 03 14:05:06 +0000 2026        | 2026-03-03 14:05:06 | second
Tue Mar  3 14:05:06 2026              | 2026-03-03 14:05:06 | second_no_zone
26-FEB-1987 15:01:01.79               | 1987-02-26 15:01:01 | second_no_zone
 9-APR-1987 15:01:01.79 F RM          | 1987-04-09 15:01:01 | second_no_zone
3 March 2026                          | 2026-03-03 00:00:00 | day
Tuesday 3rd March, 2026               | 2026-03-03 00:00:00 | day
March 3, 2026                         | 2026-03-03 00:00:00 | day
Sept. 2, 2025                         | 2025-09-02 00:00:00 | day
3 March 2026, 14:05 GMT               | 2026-03-03 14:05:00 | minute
3 March 2026 14.05 GMT                | 2026-03-03 14:05:00 | minute
14:05 BST, 3 July 2025                | 2025-07-03 13:05:00 | minute
3 July 2025 at 14:05                  | 2025-07-03 14:05:00 | minute_no_zone
March 3, 2026 2:05 PM ET              | 2026-03-03 19:05:00 | minute
July 3, 2025 at 12:05 a.m. EDT        | 2025-07-03 04:05:00 | minute
July 3, 2025 12:05 pm PT              | 2025-07-03 19:05:00 | minute
3.2.2026, 14:05 Uhr MEZ               | 2026-02-03 13:05:00 | minute
3.2.2026 14.05 Uhr                    | 2026-02-03 14:05:00 | minute_no_zone
03/04/2025                            | 2025-03-04 00:00:00 | day
13/04/2025                            | 2025-04-13 00:00:00 | day
04/13/2025                            | 2025-04-13 00:00:00 | day
3. März 2025, 14:05 Uhr               | 2025-03-03 14:05:00 | minute_no_zone
3 mars 2025                           | 2025-03-03 00:00:00 | day
3 de marzo de 2025                    | 2025-03-03 00:00:00 | day
3 марта 2025                          | 2025-03-03 00:00:00 | day
2025年3月3日                          | 2025-03-03 00:00:00 | day
3 марта 2025, 14:05 МСК               | 2025-03-03 11:05:00 | minute
3 hours ago                           | 2026-03-04 09:00:00 | minute
yesterday                             | 2026-03-03 00:00:00 | day
gestern                               | 2026-03-03 00:00:00 | day
2026-03-05T11:59:00Z                  | 2026-03-05 11:59:00 | second
""".strip("\n").split("\n")

NOT_READ = [
    "0", "12", "2026", "May", "May 2026", "2026-01", "2026-W05-1", "2026-13-01", "2026-02-30T10:00:00Z",
    "30 February 2026", "3 March 2026 25:61", "3 March 1650", "3 March 2027", "2026-03-05T12:01:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "99999999999999", "12345678", "hello world",
    "not yet known", "<script>", "31-MAR-1987 605:12:19.12", "2026-01-31 14:05 +99:99",
]  # fmt: skip


@pytest.mark.parametrize("line", READ)
def test_read(line: str) -> None:
    text, moment, precision = line.split("|")
    expected = Reading(datetime.fromisoformat(moment.strip()).replace(tzinfo=UTC), precision.strip())
    reading = read_date(text, NOW)
    assert reading and reading._replace(moment=reading.moment.replace(microsecond=0)) == expected


@pytest.mark.parametrize("text", [*NOT_READ, "1" * 1_000_000, "1:" * 500_000, "3 March 2026 " + "x" * LONGEST])
def test_not_read(text: str) -> None:
    assert read_date(text, NOW) is None


@pytest.mark.parametrize(
    ("language", "month"),
    [(None, 3), ("en-US", 3), ("en_us", 3), ("English", 3), ("en", 3), ("en-GB", 4), ("de", 4), ("fr-FR", 4)],
)
def test_whose_month_comes_first(language: str | None, month: int) -> None:
    reading = read_date("03/04/2025", NOW, language)
    assert reading and reading.moment.month == month


@given(st.datetimes(datetime(1701, 1, 1), datetime(2026, 3, 1)), st.integers(-14 * 60, 14 * 60))
def test_whatever_isoformat_writes_is_read(moment: datetime, minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_date(there.isoformat(), NOW) == Reading(there.astimezone(UTC), "second")


@given(st.text(max_size=LONGEST + 10) | st.text("0123456789:-/., TZamMarchUhr+", max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    reading = read_date(text, NOW)
    assert reading is None or (1700 <= reading.moment.year <= 2026 and reading.moment.tzinfo is UTC)


@pytest.mark.parametrize(
    "text", ["1 " * 40, "a " * 40, "1:1:" * 20, "ago " * 20, "MARCH " * 13, "-" * 80, "Ü" * 80, "12 12 12 12 pm pm"]
)
def test_hostile_texts_are_refused_soon(text: str) -> None:
    read_date("warm up in März 2020", NOW)
    start = time.process_time()
    read_date(text, NOW)
    assert time.process_time() - start < 0.5


URLS = [
    ("https://x.example/2026/01/31/storm", "2026-01-31"),
    ("https://x.example/news/2026-01-31-storm.html", "2026-01-31"),
    ("https://x.example/2026_01_31/storm", "2026-01-31"),
    ("https://x.example/world/2026/jan/31/storm", "2026-01-31"),
    ("https://x.example/20260131/storm", "2026-01-31"),
    ("https://x.example/2026/1/3/storm", "2026-01-03"),
    ("https://x.example/world-20121231", None),  # may be any number
    ("https://x.example/2026/01/storm", None),
    ("https://x.example/2026/13/01/storm", None),
    ("https://x.example/2026/01/315/storm", None),
    ("https://x.example/2026/foo/31/storm", None),
    ("https://x.example/2027/01/31/preview", None),  # ahead
    ("https://x.example/storm?day=/2026/01/31/", None),
    ("https://x.example/" + "2026/" * 100_000, None),
    (None, None),
]


@pytest.mark.parametrize(("url", "day"), URLS)
def test_date_in_url(url: str | None, day: str | None) -> None:
    expected = Reading(datetime.fromisoformat(day).replace(tzinfo=UTC), "day") if day else None
    assert date_in_url(url, NOW) == expected


LINES = [
    ("Published: 3 March 2026, 14:05 GMT", "2026-03-03T14:05", False),
    ("First published on 3 March 2026", "2026-03-03", False),
    ("Last updated 3 March 2026 at 10:00", "2026-03-03T10:00", True),
    ("3 March 2026", "2026-03-03", False),
    ("March 3, 2026 2:05 PM ET", "2026-03-03T19:05", False),
    ("Dienstag, 3. März 2026", "2026-03-03", False),
    ("Veröffentlicht am 3. März 2026, 14:05 Uhr", "2026-03-03T14:05", False),
    ("Stand: 03.03.2026", "2026-03-03", True),
    ("The vote of 3 March 2026", None, False),
    ("Election 3 May 2025", None, False),
    ("Storm of 3 March 2026", None, False),
    ("Record March 3, 2026", None, False),
    ("March 3, 2026 end", None, False),
    ("Martes, 3 de marzo de 2026", "2026-03-03", False),
    ("In 2026 30 people", None, False),
    ("By 2025 12 cities", None, False),
    ("Published in 2025", None, False),
    ("Stand up for the 2026 team", None, False),
]


@pytest.mark.parametrize(("line", "moment", "last_change"), LINES)
def test_date_in_line(line: str, moment: str | None, last_change: bool) -> None:
    found = date_in_line(line, NOW)
    if moment is None:
        assert found is None
    else:
        assert found and found[0].moment == datetime.fromisoformat(moment).replace(tzinfo=UTC)
        assert found[1] == last_change


@pytest.mark.parametrize("text", ["9-APR-1987 00:00 # by hand", "31-MAR-1987 605:12:19.12", "Net 12 cts = 1986"])
def test_what_is_in_no_date_is_not_asked_of_other_languages(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.dates._dateparser", None)
    assert read_date(text, NOW) is None


def test_a_date_alone_counts_only_where_it_may() -> None:
    assert date_in_line("3 March 2026", NOW, bare=False) is None
    assert date_in_line("Published 3 March 2026", NOW, bare=False) is not None


SEVERAL = [
    (["2026-01-31", "2026-01-30"], "2026-01-31T00:00", "day"),
    (["soon", "2026-01-30"], "2026-01-30T00:00", "day"),
    (["0001-01-01T00:00:00Z", "2099-01-01", "2026-01-30"], "2026-01-30T00:00", "day"),
    (["2026-01-31T14:05", "2026-01-31T14:05-05:00"], "2026-01-31T19:05", "minute"),  # the zone of the other
    (["2026-01-31T14:05", "2026-02-01T14:05Z"], "2026-01-31T14:05", "minute_no_zone"),  # another moment
    (["2026-01-31T14:05Z", "2026-01-31T15:05:01Z"], "2026-01-31T14:05", "minute"),
    (["2026-01-31", "2026-01-31T23:30-05:00"], "2026-02-01T04:30", "minute"),  # the time of that day, there
    (["2026-01-31", "2026-02-02T08:00Z"], "2026-01-31T00:00", "day"),
    (["2026-01-31", "2026-01-31T10:00"], "2026-01-31T00:00", "day"),
]


@pytest.mark.parametrize(("texts", "moment", "precision"), SEVERAL)
def test_surest_date(texts: list[str], moment: str, precision: str) -> None:
    assert surest_date(texts, NOW) == Reading(datetime.fromisoformat(moment).replace(tzinfo=UTC), precision)


def test_no_text_is_no_date() -> None:
    assert surest_date([], NOW) is None and surest_date(["soon"], NOW) is None


MARCH = Reading(datetime(2026, 3, 4, 9, tzinfo=UTC), "second")
DATELINES = [
    ("LONDON, March 3, 2026 (Agency) - The bank", None, None, "2026-03-03"),
    ("CAIRO, Dec. 9, 2025 -- A tablet", None, None, "2025-12-09"),
    ("NEW YORK (Dec 9, 2025) — A tablet", None, None, "2025-12-09"),
    ("LONDON, March 3 (Agency) - The bank", "https://x.example/2026/03/a", None, "2026-03-03"),
    ("LONDON, March 3 (Agency) - The bank", "https://x.example/2025/a", None, "2025-03-03"),
    ("LONDON, March 3 (Agency) - The bank", None, MARCH, "2026-03-03"),
    ("LONDON, December 30 (Agency) - The bank", None, MARCH, "2025-12-30"),  # the last one before the change
    ("LONDON, March 3 (Agency) - The bank", None, None, None),  # of any year
    ("LONDON, March 3 (Agency) - The bank", "https://x.example/a?day=/2026/", None, None),
    ("LONDON, March 3, 2031 (Agency) - The bank", None, None, None),
    ("LONDON, February 30, 2025 - The bank", None, None, None),
    ("LONDON (Agency) - The bank", "https://x.example/2026/03/a", None, None),
    ("On March 3, 2026 - a Tuesday - the bank", None, None, None),  # no place in capitals
    ("THE vote of May 4, 2025, was not the last", None, None, None),
    ("A" * 100_000, None, None, None),
    ("", None, None, None),
]


@pytest.mark.parametrize(("line", "url", "updated", "day"), DATELINES)
def test_date_in_dateline(line: str, url: str | None, updated: Reading | None, day: str | None) -> None:
    expected = Reading(datetime.fromisoformat(day).replace(tzinfo=UTC), "day") if day else None
    assert date_in_dateline(line, NOW, url, updated) == expected


NAMES = [
    ("news/2026/01/31/a.html", "%Y/%m/%d", "2026-01-31"),
    ("news-20260131.jsonl.gz", "news-%Y%m%d", "2026-01-31"),
    ("dump.310126.txt", ".%d%m%y.", "2026-01-31"),
    ("a.tar!/2026-01-31/x.html", "%Y-%m-%d", "2026-01-31"),
    ("news-20261331.jsonl", "news-%Y%m%d", None),
    ("news-20260230.jsonl", "news-%Y%m%d", None),
    ("news-20310131.jsonl", "news-%Y%m%d", None),
    ("news.jsonl", "%Y-%m-%d", None),
    ("news-20260131.jsonl", None, None),
]


@pytest.mark.parametrize(("name", "pattern", "day"), NAMES)
def test_date_in_name(name: str, pattern: str | None, day: str | None) -> None:
    expected = Reading(datetime.fromisoformat(day).replace(tzinfo=UTC), "day") if day else None
    assert date_in_name(name, pattern, NOW) == expected
