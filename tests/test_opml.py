"""Lists of feeds: read leniently, written strictly."""

import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.following import as_entry, listed
from schemas.errors import UsageError
from transforms.opml import MOST_PROBLEMS, Listed, NotAList, parse_opml, write_opml


def opml(*outlines: str) -> bytes:
    return f"<opml version='1.0'><head><title>Mine</title></head><body>{''.join(outlines)}</body></opml>".encode()


@pytest.mark.parametrize(
    ("outline", "expected"),
    [
        ("<outline text='A' xmlUrl='https://a.example/f'/>", Listed(url="https://a.example/f", title="A")),
        ("<outline text='A' title='B' XMLURL=' https://a.example/f '/>", Listed(url="https://a.example/f", title="B")),
        ("<outline xmlUrl='feed://a.example/f'/>", Listed(url="http://a.example/f")),
        ("<outline xmlUrl='feed:https://a.example/f'/>", Listed(url="https://a.example/f")),
        (
            "<outline text='News'><outline text='World'><outline xmlUrl='https://a.example/f'/></outline></outline>",
            Listed(url="https://a.example/f", groups=("News", "World")),
        ),
        (
            "<outline text='A & B' xmlUrl='https://a.example/f?a=1&b=2' htmlUrl='https://a.example/'/>",
            Listed(url="https://a.example/f?a=1&b=2", title="A & B", link="https://a.example/"),
        ),
        (
            '<outline text="The "Red" Paper" description="It "says"" xmlUrl="https://a.example/f"/>',
            Listed(url="https://a.example/f", title='The "Red" Paper'),
        ),
        (
            '<outline text="A" description="By <a href="https://b.example/">Bo</a>, 3 < 4" xmlUrl="https://a.example/f"/>',
            Listed(url="https://a.example/f", title="A"),
        ),
    ],
)
def test_one_feed(outline: str, expected: Listed) -> None:
    assert parse_opml(opml(outline)).feeds == (expected,)


@pytest.mark.parametrize(
    ("outline", "problem"),
    [
        ("<outline text='A' type='rss'/>", "has no xmlUrl"),
        ("<outline text='A' xmlUrl='javascript:alert(1)'/>", "has no address of a feed"),
        ("<outline text='A' xmlUrl='file:///etc/passwd'/>", "has no address of a feed"),
        ("<outline type='include' url='https://a.example/more.opml'/>", "not followed"),
        ("<outline xmlUrl='https://a.example/f'/>" * 2, "stands there twice"),
        ("<outline text='A & B'/>", "not well-formed XML"),
        ("<outline text='<a href=\"x\">' xmlUrl='https://a.example/f'/>", "not well-formed XML"),
    ],
)
def test_problems_are_named(outline: str, problem: str) -> None:
    assert problem in " ".join(parse_opml(opml(outline)).problems)


def test_an_address_that_is_refused_loses_only_itself(tmp_path: Path) -> None:
    refused, fine = (f"<outline xmlUrl='https://{host}/f'/>" for host in ("ada:secret@a.example", "b.example"))
    (tmp_path / "a.opml").write_bytes(opml(refused, fine))
    told: list[str] = []
    assert [one.url for one in listed(str(tmp_path / "a.opml"), (), told.append)] == ["https://b.example/f"]
    assert len(told) == 1 and "name or password" in told[0]


def test_folders_and_links_to_pages_are_no_problem() -> None:
    assert parse_opml(opml("<outline text='Empty'/><outline type='link' url='https://a.example/'/>")).problems == ()


@pytest.mark.parametrize("data", [b"", b"\0\1", b"hello", b"<html></html>", b"<rss version='2.0'/>"])
def test_what_is_no_list(data: bytes) -> None:
    with pytest.raises(NotAList):
        parse_opml(data)


def test_bounds() -> None:
    assert len(parse_opml(opml("<outline type='rss'/>" * 500)).problems) == MOST_PROBLEMS + 1
    deep = parse_opml(opml("<outline text='x'>" * 100_000))
    assert "not well-formed XML" in deep.problems[0]
    bomb = b"<!DOCTYPE opml [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>" + opml(
        "<outline text='&b;' xmlUrl='https://a.b/f'/>"
    )
    assert "haha" not in str(parse_opml(bomb))


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.strip)
LISTS = st.lists(
    st.builds(
        Listed,
        url=st.integers(0, 99).map("https://a.example/{}?a=1&b=2".format),
        title=st.none() | st.sampled_from(["A & B", 'The "Red" Paper', "<b>", "日本"]),
        groups=st.lists(st.sampled_from(["News & More", "World", "Sport"]), max_size=3).map(tuple),
        link=st.none() | st.just("https://a.example/"),
    ),
    unique_by=lambda feed: feed.url,
    max_size=20,
)


@given(LISTS, NAMES)
def test_what_is_written_reads_the_same(feeds: list[Listed], title: str) -> None:
    data = write_opml(feeds, title)
    root = ElementTree.fromstring(data)
    assert (root.tag, root.get("version")) == ("opml", "2.0")
    assert all(outline.get("text") is not None for outline in root.iter("outline"))
    again = parse_opml(data)
    assert again.problems == ()
    assert sorted(again.feeds, key=lambda feed: feed.url) == sorted(feeds, key=lambda feed: feed.url)


def test_published_lists(shared: Path) -> None:
    """118 lists of real feeds, of which 80 are no XML: all feeds are found, or it is said how many are not."""
    lists = broken = feeds = lost = 0
    with tarfile.open(shared / "data" / "opml-awesome-rss-feeds.tar.gz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".opml") else None
            if file:
                data = file.read()
                found = parse_opml(data)
                again = parse_opml(write_opml(found.feeds, "All"))
                assert set(again.feeds) == set(found.feeds) and again.problems == ()
                twice = sum("twice" in problem for problem in found.problems)
                named = [int(problem.split()[0]) for problem in found.problems if "too damaged" in problem]
                assert len(found.feeds) + twice + sum(named) == data.lower().count(b"xmlurl="), member.name
                lists, broken, feeds = lists + 1, broken + bool(found.problems), feeds + len(found.feeds)
                lost += sum(named)
    assert (lists, broken) == (118, 80)
    assert (feeds, lost) == (1_572, 0)


def test_passwords_are_not_told(tmp_path: Path) -> None:
    """An address that holds one is refused, since it would stand in tables and messages; it is said without it."""
    told: list[str] = []
    twice = "<outline xmlUrl='https://me:hush@a.example/f'/>" * 2
    (tmp_path / "a.opml").write_bytes(opml(twice, "<outline xmlUrl='https://b.example/f'/>"))
    (tmp_path / "a.txt").write_text("https://me:hush@a.example/f")
    assert [one.url for one in listed(str(tmp_path / "a.opml"), (), told.append)] == ["https://b.example/f"]
    with pytest.raises(UsageError) as refused:
        as_entry("https://me:hush@a.example/f", "https://me:hush@a.example/f")
    assert "hush" not in f"{told} {refused.value}" and "…@a.example" in str(refused.value)
