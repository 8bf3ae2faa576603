"""Polling end to end, against a local server, by the steps without the engine."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from pipeline.config import Config
from pipeline.feed_states import states_in
from pipeline.run import Session, Summary, new_inputs, without_articles
from pipeline.verify import verify_warehouse
from pipeline.warehouse import open_warehouse
from schemas.errors import UsageError
from schemas.feeds import FeedState
from tests.feed_server import Answer, Server, conditional, item, rss
from tests.plain import NOW, plain_config, plain_line
from tests.tables import all_rows
from transforms.files import store_at


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        yield one


def config_of(server: Server, output: Path, *feeds: object, **options: object) -> Config:
    """A configuration for feeds of the local server."""
    follow = [server.url(feed) if isinstance(feed, str) else feed for feed in feeds or ("/feed",)]
    section = {"host_spacing": 0, "allow_private_addresses": True, "ports": [server.port], "follow": follow, **options}
    return plain_config(output.parent, output, feeds=section).model_copy(update={"input": ()})


def poll(config: Config, now: datetime = NOW, limit: int | None = None) -> Summary:
    """One run, by plain steps."""
    summary = Summary()
    session = Session(config, new_inputs(config), summary, now=now)
    while batch := session.plan(None if limit is None else limit - summary.read):
        session.send(batch, plain_line if batch.chunks else without_articles)
    session.close()
    return summary


def state_of(config: Config, url: str | None = None) -> FeedState:
    states = states_in(store_at(config.output))
    return states[url] if url else next(iter(states.values()))


def articles(config: Config) -> list[dict[str, Any]]:
    files = sorted(map(str, Path(config.output).glob("articles/*/*/*.parquet")))
    rows: list[dict[str, Any]] = ds.dataset(files, partitioning="hive").to_table().to_pylist()
    return rows


def test_a_feed_and_its_second_poll(server: Server, tmp_path: Path) -> None:
    server.routes["/feed"] = conditional(rss(item(n, f"https://harbour.example/{n}") for n in range(5)), '"1"')
    config = config_of(server, tmp_path / "out")
    first = poll(config)
    assert (first.feeds, first.feeds_asked, first.read, first.unique) == (1, 1, 5, 5)
    state = state_of(config)
    assert (state.title, state.etag, state.polls, state.failure) == ("Harbour Daily", '"1"', 1, None)
    assert state.news_at == state.succeeded_at == NOW and state.due_at and state.due_at > NOW + timedelta(minutes=30)
    assert poll(config, NOW + timedelta(minutes=29)).feeds_asked == 0 and len(server.hits) == 1
    before = all_rows(tmp_path / "out")
    second = poll(config, NOW + timedelta(minutes=40))
    assert (second.feeds_asked, second.read, second.batches) == (1, 0, 1)
    assert server.hits[-1].headers["if-none-match"] == '"1"' and all_rows(tmp_path / "out") == before
    assert state_of(config).polls == 2 and not verify_warehouse(config.output).problems
    assert not list((tmp_path / "out/_newsbeam/staging").iterdir())


def test_every_entry_has_one_outcome(server: Server, tmp_path: Path) -> None:
    """What is new in a later body is unique, what was there is known, what makes no article is a dead letter once."""
    items = [item(n, f"https://harbour.example/{n}") for n in range(4)] + ["<item><guid>x</guid></item>"]
    server.routes["/feed"] = Answer(rss(items))
    config = config_of(server, tmp_path / "out")
    first = poll(config)
    assert (first.read, first.unique, first.dead) == (5, 4, 1)
    server.routes["/feed"] = Answer(rss([item(9, "https://harbour.example/9"), *items]))
    second = poll(config, NOW + timedelta(hours=1))
    assert (second.read, second.unique, second.known, second.dead) == (6, 1, 5, 0)
    server.routes["/feed"] = Answer(rss(items, more="<lastBuildDate>today</lastBuildDate>"))
    third = poll(config, NOW + timedelta(hours=2))
    assert third.read == 0 and third.feeds_asked == 1
    assert not verify_warehouse(config.output).problems


def test_an_etag_that_lies_is_found_out(server: Server, tmp_path: Path) -> None:
    """The server says "not modified" for ever; once a day the whole body is asked for."""
    server.routes["/feed"] = conditional(rss([item(1, "https://harbour.example/1")]), '"same"')
    config = config_of(server, tmp_path / "out")
    poll(config)
    server.routes["/feed"] = conditional(rss([item(n, f"https://harbour.example/{n}") for n in (1, 2)]), '"same"')
    assert poll(config, NOW + timedelta(hours=3)).read == 0
    assert poll(config, NOW + timedelta(hours=25)).unique == 1


PAGE = (
    "<!doctype html><html><head><title>Ship number {n} is late</title></head><body><article><h1>Ship number {n} is late"
    "</h1><p>The harbour council counted {n} ships on Monday, and said that number {n} was late.</p>"
    "<p>Ada Verrin, who chairs the council, told reporters that the quay would be dredged before the winter, and that "
    "ship {n} would be unloaded by hand.</p><p>The crew was offered soup and a bed for night {n} in the old customs "
    "house, which has stood empty since the ferry was moved to Calder.</p></article></body></html>"
)


def pages(server: Server, numbers: range) -> None:
    for n in numbers:
        server.routes[f"/{n}.html"] = Answer(PAGE.format(n=n).encode(), headers={"Content-Type": "text/html"})


def test_full_text_of_what_is_new(server: Server, tmp_path: Path) -> None:
    links = [server.url(f"/{n}.html") for n in range(4)]
    server.routes["/feed"] = Answer(rss(item(n, link) for n, link in enumerate(links[:3])))
    server.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /2.html\n")
    pages(server, range(4))
    config = config_of(server, tmp_path / "out", full_text=True)
    assert poll(config).unique == 3
    found = {row["url"]: row for row in articles(config)}
    whole, forbidden = found[links[0]], found[links[2]]
    assert "the old customs house" in whole["body"] and whole["extraction"].startswith("page ")
    size = len(PAGE.format(n=0))
    assert (whole["fetched_url"], whole["fetched_status"], whole["fetched_bytes"]) == (links[0], 200, size)
    assert whole["title"] == "Ship number 0 is late" and whole["published_at"]
    assert forbidden["extraction"].startswith("feed ") and "council" in forbidden["body"]
    assert any("RobotsForbid" in problem for problem in forbidden["problems"]) and forbidden["fetched_status"] is None
    assert not server.asked("/2.html")
    server.routes["/feed"] = Answer(rss(item(n, link) for n, link in enumerate(links)))
    second = poll(config, NOW + timedelta(hours=1))
    assert (second.unique, second.known, second.read) == (1, 3, 4)
    assert len(server.asked("/0.html")) == len(server.asked("/3.html")) == len(server.asked("/robots.txt")) == 1


def test_a_page_that_fails_for_now_is_waited_for_and_then_done_without(server: Server, tmp_path: Path) -> None:
    link = server.url("/1.html")
    server.routes["/feed"] = Answer(rss([item(1, link), item(2, server.url("/2.html"))]))
    server.routes["/1.html"] = Answer(status=500)
    pages(server, range(2, 3))
    config = config_of(server, tmp_path / "out", full_text=True)
    assert poll(config).unique == 1
    outcomes = [poll(config, NOW + timedelta(hours=hours)).unique for hours in range(1, 5)]
    assert outcomes == [0, 0, 1, 0] and len(server.asked("/1.html")) == 4 and len(server.asked("/2.html")) == 1
    late = next(row for row in articles(config) if row["url"] == link)
    assert late["fetched_status"] == 500 and any("Http500" in problem for problem in late["problems"])


def test_a_host_has_its_share_and_the_rest_stays_due(server: Server, tmp_path: Path) -> None:
    pages(server, range(10))
    server.routes["/feed"] = Answer(rss(item(n, server.url(f"/{n}.html")) for n in range(10)))
    config = config_of(server, tmp_path / "out", full_text=True, requests_per_host=6)
    assert [poll(config, NOW + timedelta(hours=hours)).unique for hours in range(4)] == [4, 5, 1, 0]
    assert all("old customs" in row["body"] for row in articles(config))
    assert all(len(server.asked(f"/{n}.html")) == 1 for n in range(10))


def test_reason_to_ignore_robots(server: Server, tmp_path: Path) -> None:
    pages(server, range(1))
    server.routes |= {
        "/feed": Answer(rss([item(0, server.url("/0.html"))])),
        "/robots.txt": Answer(b"User-agent: *\nDisallow: /\n"),
    }
    config = config_of(server, tmp_path / "out", full_text=True, ignore_robots_because="the publisher agreed")
    poll(config)
    assert not server.asked("/robots.txt") and "old customs" in articles(config)[0]["body"]


NO_FEEDS = {
    "empty": Answer(b""),
    "a page": Answer(b"<!doctype html><html><body><p>We are working on our site.</p></body></html>"),
    "not found": Answer(status=404),
    "asks to wait": Answer(status=429, headers={"Retry-After": "7200"}),
}


@pytest.mark.parametrize("name", NO_FEEDS)
def test_what_is_no_feed_is_a_failure_with_a_name(server: Server, tmp_path: Path, name: str) -> None:
    server.routes["/feed"] = NO_FEEDS[name]
    config = config_of(server, tmp_path / "out")
    summary = poll(config)
    assert list(summary.feeds_failed) == [server.url()] and summary.read == 0
    state = state_of(config)
    assert state.failures > 0 and state.failure and state.failure.error and state.due_at
    assert state.due_at >= NOW + timedelta(hours=2 if "wait" in name else 0.5)


def test_odd_bodies_lose_nothing(server: Server, tmp_path: Path) -> None:
    """Wrong charset, cut off, entries without link, title or text, dates of 1970 and 2099."""
    western = rss([item(1, "https://harbour.example/1", words="Der Käpt’n fuhr über die Förde, es war schön.")])
    western = western.decode().encode("windows-1252")
    undated = "<item><title>No link here</title><description>But there are some words.</description></item>"
    odd = [
        undated,
        "<item><link>https://harbour.example/t</link><description>No title here, but words.</description></item>",
        "<item><link>https://harbour.example/w</link><title>No words, but a title</title></item>",
        "<item><link>https://harbour.example/n</link></item>",
        item(7, "https://harbour.example/7", date="Thu, 01 Jan 1970 00:00:00 GMT"),
        item(8, "https://harbour.example/8", date="Fri, 01 Jan 2099 00:00:00 GMT"),
    ]
    whole = rss([item(20, "https://harbour.example/20"), item(21, "https://harbour.example/21")])
    server.routes |= {
        "/charset": Answer(western, headers={"Content-Type": "text/xml; charset=utf-8"}),
        "/odd": Answer(rss(odd)),
        "/cut": Answer(whole[: whole.index(b"number 21 is")]),
    }
    config = config_of(server, tmp_path / "out", "/charset", "/odd", "/cut")
    summary = poll(config)
    assert (summary.unique, summary.dead_by_class) == (7, {"NoText": 1, "TruncatedEntry": 1})
    found = {row["url"]: row for row in articles(config)}
    assert "über die Förde" in found["https://harbour.example/1"]["body"]
    for number in (7, 8):
        row = found[f"https://harbour.example/{number}"]
        assert row["published_at"] is None and row["date_source"] == "arrival" and str(row["date"]) == "2026-02-01"
    assert state_of(config, server.url("/cut")).body_hash is None


def test_ten_thousand_entries(server: Server, tmp_path: Path) -> None:
    server.routes["/feed"] = Answer(rss(item(n, f"https://harbour.example/{n}") for n in range(10_000)))
    config = config_of(server, tmp_path / "out", limits={"entries": 300})
    assert poll(config).unique == 300


def test_the_first_two_thousand_entries_are_read(server: Server, tmp_path: Path) -> None:
    items = ["<item><guid>x</guid></item>"] * 1_999 + [item(n, f"https://harbour.example/{n}") for n in range(2)]
    server.routes |= {"/many": Answer(rss(items)), "/most": Answer(rss(items[1:]))}
    config = config_of(server, tmp_path / "out", "/many", "/most")
    summary = poll(config)
    assert (summary.read, summary.dead) == (4_000, 3_997)
    noted = {row["input"]: any("more than 2,000" in one for one in row["problems"]) for row in articles(config)}
    assert noted == {server.url("/many"): True, server.url("/most"): False}


def test_a_host_that_asks_to_wait_is_not_asked_for_other_feeds(server: Server, tmp_path: Path) -> None:
    server.routes["*"] = Answer(status=429, headers={"Retry-After": "7200"})
    config = config_of(server, tmp_path / "out", "/a", "/b", "/c")
    summary = poll(config)
    assert (summary.feeds_asked, len(server.hits)) == (1, 1)
    states = states_in(store_at(config.output)).values()
    assert all(state.due_at and state.due_at >= NOW + timedelta(hours=1.99) for state in states)
    assert sorted(state.failures for state in states) == [0, 0, 0.5]


def test_nor_for_those_that_are_not_due_yet(server: Server, tmp_path: Path) -> None:
    """/b is due when /a's host has asked for two hours of silence: the next run must not ask it."""
    fresh = {"Cache-Control": "max-age=3000"}
    server.routes |= {"/a": Answer(rss([item(1, "https://h.example/1")])), "/b": Answer(rss([], "B"), headers=fresh)}
    config = config_of(server, tmp_path / "out", "/a", "/b")
    poll(config)
    server.routes["/a"] = Answer(status=429, headers={"Retry-After": "7200"})
    assert poll(config, NOW + timedelta(minutes=40)).feeds_asked == 1
    assert poll(config, NOW + timedelta(minutes=80)).feeds_asked == 0
    assert len(server.asked("/b")) == 1
    server.routes["/a"] = Answer(rss([item(1, "https://h.example/1")]))
    assert poll(config, NOW + timedelta(hours=3)).feeds_asked == 2


def test_gone_and_moved(server: Server, tmp_path: Path) -> None:
    body = Answer(rss([item(1, "https://harbour.example/1")]))
    server.routes |= {
        "/gone": Answer(status=410),
        "/old": Answer(status=301, headers={"Location": "/new"}),
        "/new": body,
    }
    config = config_of(server, tmp_path / "out", "/gone", "/old")
    for hours in range(0, 50, 10):
        poll(config, NOW + timedelta(hours=hours))
    assert len(server.asked("/gone")) == 1 and state_of(config, server.url("/gone")).gone
    assert (len(server.asked("/old")), len(server.asked("/new"))) == (3, 5)
    assert {row["input"] for row in articles(config)} == {server.url("/old")}


def test_the_state_survives_snapshots(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.snapshots.FOLD_AFTER", 2)
    config = config_of(server, tmp_path / "out")
    for number in range(6):
        server.routes["/feed"] = conditional(rss([item(number, f"https://harbour.example/{number}")]), f'"{number}"')
        assert poll(config, NOW + timedelta(hours=number)).unique == 1
        assert (state_of(config).polls, state_of(config).etag) == (number + 1, f'"{number}"')
    warehouse = open_warehouse(config.output)
    assert warehouse.history.manifest.number > 2 and not verify_warehouse(config.output).problems


def test_a_limit_leaves_the_feed_due(server: Server, tmp_path: Path) -> None:
    server.routes["/feed"] = conditional(rss(item(n, f"https://harbour.example/{n}") for n in range(5)), '"1"')
    config = config_of(server, tmp_path / "out")
    assert poll(config, limit=2).unique == 2 and not state_of(config).polls
    assert poll(config).unique == 3 and len(server.hits) == 2
    assert state_of(config).polls == 1 and len(articles(config)) == 5
    assert not verify_warehouse(config.output).problems


def test_credentials_are_sent_and_kept_nowhere(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.routes["/feed"] = Answer(rss([item(1, "https://harbour.example/1")]))
    feed = {"url": server.url(), "credentials": {"Authorization": "HARBOUR_LOGIN"}, "headers": {"X-Reader": "yes"}}
    config = config_of(server, tmp_path / "out", feed)
    assert "HARBOUR_LOGIN is not set" in poll(config).feeds_failed[server.url()] and not server.hits
    monkeypatch.setenv("HARBOUR_LOGIN", "ada:very-secret")
    assert poll(config, NOW + timedelta(days=2)).unique == 1
    assert server.hits[0].headers["authorization"] == "Basic YWRhOnZlcnktc2VjcmV0"
    assert server.hits[0].headers["x-reader"] == "yes"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"YWRhOnZlcnktc2VjcmV0" not in kept and b"very-secret" not in kept


def test_defaults_of_a_group(server: Server, tmp_path: Path) -> None:
    server.routes["/feed"] = Answer(rss([item(1, "https://harbour.example/1")]))
    groups = {"sports": {"section": "Sport", "interval": "2 h"}}
    config = config_of(server, tmp_path / "out", {"url": server.url(), "group": "sports"}, groups=groups)
    poll(config)
    assert (articles(config)[0]["section"], articles(config)[0]["topic"]) == ("Sport", "sport")
    due = state_of(config).due_at
    assert due and due >= NOW + timedelta(hours=2)


def test_many_public_feeds_need_a_contact(tmp_path: Path) -> None:
    follow = [f"https://{name}.example/feed" for name in "abcdef"]
    values = {"output": str(tmp_path / "out"), "root": str(tmp_path), "feeds": {"follow": follow}}
    config = Config.model_validate(values)
    with pytest.raises(UsageError, match=r"feeds\.contact"):
        Session(config, [], Summary())
    Session(
        Config.model_validate({**values, "feeds": {"follow": follow, "contact": "desk@harbour.example"}}), [], Summary()
    )


def test_lists_and_addresses_as_input(server: Server, tmp_path: Path) -> None:
    (tmp_path / "feeds.txt").write_text(f"# ours\n{server.url('/a')}\n\n{server.url('/b')} # the second\n")
    config = config_of(server, tmp_path / "out", "/a", files=["feeds.txt"])
    config = config.model_copy(update={"input": (server.url("/c"),)})
    assert poll(config).feeds == 3 and {hit.path for hit in server.hits} == {"/a", "/b", "/c"}


def test_where_it_came_from_is_in_the_log(server: Server, tmp_path: Path) -> None:
    server.routes["/feed"] = Answer(rss(item(n, f"https://harbour.example/{n}") for n in range(300)))
    config = config_of(server, tmp_path / "out")
    poll(config)
    entry = json.loads((tmp_path / "out/_newsbeam/log/000000000001.json").read_text())
    pieces = [(piece["input"], piece["format"], piece["records"], piece["last"]) for piece in entry["pieces"]]
    assert pieces == [(server.url(), "polled", 256, False), (server.url(), "polled", 44, True)]
    assert [state["url"] for state in entry["feeds"]] == [server.url()]


def test_a_feed_that_breaks_the_reader_does_not_end_the_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transforms.feeds

    def broken(data: bytes, url: str, kind: str) -> object:
        if b"Bad" in data:
            raise KeyError("what nobody thought of")
        return parse(data, url, kind)

    parse = transforms.feeds.parse_feed
    monkeypatch.setattr(transforms.feeds, "parse_feed", broken)
    server.routes |= {
        "/a": Answer(rss([item(1, "https://harbour.example/1")], title="Bad")),
        "/b": Answer(rss([item(2, "https://harbour.example/2")])),
    }
    summary = poll(config_of(server, tmp_path / "out", "/a", "/b"))
    assert summary.unique == 1 and "nobody thought of" in summary.feeds_failed[server.url("/a")]
