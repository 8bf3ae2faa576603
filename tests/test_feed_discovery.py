"""Which feeds a page names."""

import tarfile
from pathlib import Path

import pytest

from transforms.feed_discovery import MOST, find_feeds

JSON = "application/json"
SITE = "https://paper.example"
URL = f"{SITE}/news/"


def link(href: str, kind: str = "application/rss+xml", **more: str) -> str:
    attributes = "".join(f" {name}='{value}'" for name, value in more.items())
    return f"<link rel='alternate' type='{kind}' href='{href}'{attributes}>"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (link("/rss"), [f"{SITE}/rss"]),
        (link("feed.xml") + link("/atom", "application/atom+xml"), [f"{URL}feed.xml", f"{SITE}/atom"]),
        (link("/feed.json", "application/feed+json"), [f"{SITE}/feed.json"]),
        (link("/feed.json", JSON) + link("/wp-json/1", JSON), [f"{SITE}/feed.json"]),
        ("<base href='https://www.paper.example/x/'>" + link("rss"), ["https://www.paper.example/x/rss"]),
        ("<LINK REL=ALTERNATE TYPE=application/rss+xml HREF=/rss>", [f"{SITE}/rss"]),
        ("<link rel='feed' href='/f'>", [f"{SITE}/f"]),
        ("<link rel='alternate' hreflang='de' href='/de'><link rel='stylesheet' href='/rss.css'>", []),
        (link("/rss?a=1&amp;b=2"), [f"{SITE}/rss?a=1&b=2"]),
        (f"<!-- {link('/old')} --><script>'{link('/js')}'</script>", []),
        ("<a href='/rss'>A</a><a href='/story/rss-explained'>B</a>", [f"{SITE}/rss", f"{SITE}/story/rss-explained"]),
        ("<a href='/about'>Us</a><a href='https://other.example/rss'>Other</a>", []),
        ("<a href='https://feeds.paperfeeds.example/main'>Feed</a>", []),
        ("<a href='https://feeds.paperfeeds.example/rss/main'>Feed</a>", ["https://feeds.paperfeeds.example/rss/main"]),
        ("<a href='feed://paper.example/rss.xml'>Feed</a>", [f"{SITE}/rss.xml"]),
        (
            f"<a href='/rss/all'>All</a>{link('/comments/feed')}{link('/feed')}",
            [f"{SITE}/feed", f"{SITE}/rss/all", f"{SITE}/comments/feed"],
        ),
        (link("/feed") * 2 + "<a href='/feed'>Feed</a>", [f"{SITE}/feed"]),
        (link("javascript:alert(1)") + link("file:///etc/passwd"), []),
    ],
)
def test_feeds_of_a_page(page: str, expected: list[str]) -> None:
    assert [feed.url for feed in find_feeds(page.encode(), URL)] == expected


def test_titles_and_what_is_declared() -> None:
    declared, linked = find_feeds(f"<a href='/rss'>x</a>{link('/atom', title='All &amp; more')}".encode(), URL)
    assert (declared.title, declared.declared) == ("All & more", True)
    assert (linked.title, linked.declared) == (None, False)


@pytest.mark.parametrize("page", ["<a " * 500_000, "<!--" * 500_000, "<link x='" * 200_000, link("/rss") * 20_000])
@pytest.mark.timeout(20)
def test_pages_that_are_made_to_be_slow(page: str) -> None:
    assert len(find_feeds(page.encode(), URL)) <= MOST


def test_published_pages(shared: Path) -> None:
    """57 pages that each declare one feed in another way: Mark Pilgrim's autodiscovery tests."""
    pages = 0
    with tarfile.open(shared / "data" / "feeds-feedvalidator.tar.gz") as tar:
        for member in tar:
            path = Path(member.name)
            file = tar.extractfile(member) if path.match("feedfinder-tests/html*.html") else None
            if file:
                found = find_feeds(file.read(), f"{SITE}/{path.name}")
                assert found and Path(found[0].url).stem == path.stem, member.name
                pages += 1
    assert pages == 57
