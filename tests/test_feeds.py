"""What becomes of feeds and their entries: parsing, identity, and what is no feed."""

import base64
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.records import Article
from tests.feed_expectations import ARCHIVE, REASONS, compare, files, reason, report, statements
from tests.reading import read_bytes
from transforms.feeds import Entry, Feed, NotAFeed, parse_feed
from transforms.feeds.links import unwrapped

SEEDS = Path(__file__).parents[1] / "seeds"
WORDS = "The council said on Monday that the bridge will stay closed until the end of the month."


def rss(*items: str, head: str = "", url: str | None = None) -> Feed:
    """A feed of these items, each the inside of one."""
    inner = "".join(f"<item>{item}</item>" for item in items)
    channel = f"<channel><title>Bridge News</title><link>https://bridge.example/</link>{head}{inner}</channel>"
    spaces = " ".join(
        f'xmlns:{name}="{address}"'
        for name, address in (
            ("dc", "http://purl.org/dc/elements/1.1/"),
            ("content", "http://purl.org/rss/1.0/modules/content/"),
            ("media", "http://search.yahoo.com/mrss/"),
            ("itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
            ("feedburner", "http://rssnamespace.org/feedburner/ext/1.0"),
            ("sy", "http://purl.org/rss/1.0/modules/syndication/"),
        )
    )
    return parse_feed(f'<rss version="2.0" {spaces}>{channel}</rss>'.encode(), url)


def entry(inside: str, **more: str) -> Entry:
    """The entry that the inside of an RSS item becomes."""
    (only,) = rss(inside, **more).entries
    return only


def atom(inside: str, head: str = "", url: str | None = None) -> Entry:
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title>{head}<entry>{inside}</entry></feed>'
    (only,) = parse_feed(feed.encode(), url).entries
    return only


def articles(feed: str | bytes, name: str = "feed.xml") -> list[Article]:
    """What a saved feed becomes."""
    return read_bytes(feed if isinstance(feed, bytes) else feed.encode(), name)


ORIGINAL = "<feedburner:origLink>https://b.example/1</feedburner:origLink>"
PICTURES = "".join(f"<media:content url='/{w}.jpg' medium='image' width='{w}'/>" for w in (90, 900, 200))
VIDEO = "<media:content url='/a.mp4' type='video/mp4'/>"
XHTML = "<div xmlns='http://www.w3.org/1999/xhtml'><p>A.</p><p>B.</p></div>"
UPDATED = "<updated>2026-03-03T00:00:00Z</updated>"


@pytest.mark.parametrize(
    ("inside", "field", "expected"),
    [
        ("<title>Tom &amp;amp; Ada win</title>", "title", "Tom &amp; Ada win"),
        ("<title>A &lt;em&gt;sharp&lt;/em&gt; turn</title>", "title", "A sharp turn"),
        ("<title>Why &lt;blink&gt; died</title>", "title", "Why <blink> died"),
        ("<description>&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two.&lt;/p&gt;</description>", "text", "One.\n\nTwo."),
        ("<description>Short.</description><content:encoded>Whole.&lt;br&gt;</content:encoded>", "text", "Whole."),
        ("<description>Short.</description><content:encoded>Whole.</content:encoded>", "summary", "Short."),
        ("<description>Short.</description>", "summary", None),
        ("<dc:creator>Ada Lind</dc:creator><title>x</title>", "authors", ["Ada Lind"]),
        ("<author>ada@paper.museum (Ada Lind)</author>", "authors", ["Ada Lind"]),
        ("<author>Ada Lind &lt;ada@paper.example&gt;</author>", "authors", ["Ada Lind"]),
        ("<author>news@paper.example</author>", "authors", []),
        ("<itunes:author>Ada Lind</itunes:author>", "authors", ["Ada Lind"]),
        ("<category>Ski</category><category>Ski</category><dc:subject>A</dc:subject>", "categories", ["Ski", "A"]),
        ("<pubDate>Mon, 02 Mar 2026 07:45:00 EST</pubDate>", "published", "Mon, 02 Mar 2026 07:45:00 EST"),
        ("<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>", "published", None),
        ("<dc:date>2026-03-02</dc:date>", "updated", "2026-03-02"),
        ("<source url='https://other.example/feed'>The Other Paper</source>", "source", "The Other Paper"),
        ("<title>x</title>", "source", "Bridge News"),
        ("<title>A - B - Herald</title><source url='https://h.example'>Herald</source>", "title", "A - B"),
        ("<link>/a/1</link>", "url", "https://bridge.example/a/1"),
        ("<guid>https://bridge.example/a/2</guid>", "url", "https://bridge.example/a/2"),
        ("<guid>17</guid><title>x</title>", "url", None),
        ("<guid isPermaLink='false'>17</guid><title>x</title>", "id", "17"),
        ("<link>javascript:alert(1)</link>", "url", None),
        (f"<link>https://f.example/r</link>{ORIGINAL}", "url", "https://b.example/1"),
        ("<media:thumbnail url='https://b.example/small.jpg'/>", "image_url", "https://b.example/small.jpg"),
        (PICTURES, "image_url", "https://bridge.example/900.jpg"),
        (f"{VIDEO}<enclosure url='/c.png' type='image/png'/>", "image_url", "https://bridge.example/c.png"),
        (
            "<description>&lt;img src='/1.gif' width='1'&gt;&lt;img src='/d.jpg'&gt; Words.</description>",
            "image_url",
            "https://bridge.example/d.jpg",
        ),
        ("<description>&lt;p&gt;A &amp;#1; B&lt;/p&gt;</description>", "text", "A B"),
        ("<title>Fish &nbsp; chips &eacute;</title>", "title", "Fish chips é"),
        ("<title>A&#0;B&#xD800;C</title>", "title", "A\ufffdB\ufffdC"),
    ],
)  # fmt: skip
def test_rss(inside: str, field: str, expected: object) -> None:
    assert getattr(entry(inside), field) == expected


@pytest.mark.parametrize(
    ("inside", "field", "expected"),
    [
        ("<title type='text'>Why &lt;br&gt; died</title>", "title", "Why <br> died"),
        ("<title type='html'>A &lt;i&gt;turn</title>", "title", "A turn"),
        (f"<content type='xhtml'>{XHTML}</content>", "text", "A.\n\nB."),
        ("<content type='text'>1 &lt; 2 &lt;b&gt;</content>", "text", "1 < 2 <b>"),
        ("<content src='https://a.example/x'/><summary>Short.</summary>", "text", "Short."),
        ("<link rel='enclosure' href='/x.mp3'/><link href='/page'/>", "url", "https://a.example/page"),
        ("<link xml:base='/news/' href='page'/>", "url", "https://a.example/news/page"),
        (f"<published>2026-03-02T10:00:00+01:00</published>{UPDATED}", "published", "2026-03-02T10:00:00+01:00"),
        ("<category term='x1' label='Sport'/>", "categories", ["Sport"]),
        ("<title xml:lang='fr'>Le pont</title>", "language", "fr"),
        ("<author><name>Ada Lind</name><email>a@a.example</email></author>", "authors", ["Ada Lind"]),
        ("<title>x</title>", "authors", ["Bo Ek"]),
        ("<source><title>Origin</title></source>", "source", "Origin"),
    ],
)  # fmt: skip
def test_atom(inside: str, field: str, expected: object) -> None:
    head = "<author><name>Bo Ek</name></author>"
    assert getattr(atom(inside, head, "https://a.example/feed"), field) == expected


def test_what_a_feed_says_of_itself() -> None:
    head = "<ttl>90</ttl><language>en-GB</language><skipHours><hour>0</hour><hour>24</hour><hour>7</hour></skipHours>"
    feed = rss(head=f"{head}<skipDays><day>Sunday</day><day>Monday</day></skipDays>")
    assert (feed.kind, feed.title, feed.link, feed.language) == (
        "rss20",
        "Bridge News",
        "https://bridge.example/",
        "en-GB",
    )
    assert (feed.ttl, feed.skip_hours, feed.skip_days) == (5400.0, (0, 7), (0, 6))
    often = rss(head="<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>")
    assert (often.ttl, often.entries, often.problems) == (21_600.0, (), ())


TOKEN = base64.urlsafe_b64encode(b'\x08\x13"\x1ahttps://paper.example/a/17\xd2\x01\x00').decode().rstrip("=")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.google.com/url?rct=j&url=https://paper.example/a&ct=ga", "https://paper.example/a"),
        ("https://out.example/redirect?target=https%3A%2F%2Fpaper.example%2Fa%3Fid%3D1", "https://paper.example/a?id=1"),
        ("https://a.example/click?u=https%3A%2F%2Fb.example%2Fredirect%3Furl%3Dhttps%3A%2F%2Fc.example%2F1", "https://c.example/1"),
        (f"https://news.google.com/rss/articles/{TOKEN}?oc=5", "https://paper.example/a/17"),
        ("https://news.google.com/rss/articles/CBMiWkFVX3lxTE1iMmNkZWZnaGlqa2xtbm9wcXJzdHV2", None),
        ("https://paper.example/story?ref=https://other.example/", None),
        ("https://paper.example/about/redirect?page=2", None),
        ("https://paper.example/redirect?url=javascript:alert(1)", None),
    ],
)  # fmt: skip
def test_wrapped_links(url: str, expected: str | None) -> None:
    assert unwrapped(url) == (expected or url)


SITE = "https://b.example/"


def identities(*items: str) -> list[str]:
    feed = "".join(f"<item>{item}</item>" for item in items)
    found = articles(f"<rss version='2.0'><channel><title>B</title>{feed}</channel></rss>")
    return [article.identity.partition(" ")[0] for article in found]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([(f"{SITE}1?utm_source=x", "g1", "One"), (f"{SITE}2", "g2", "Two")], [f"{SITE}1", f"{SITE}2"]),
        ([("", "g1", "One"), ("", "g2", "Two")], ["id:B#g1", "id:B#g2"]),
        ([("", "same", "One"), ("", "same", "Two")], ["id:B#content"] * 2),
        ([("", "1", "One"), ("", "2", "Two"), ("", "3", "Three")], ["id:B#content"] * 3),
        ([("", "2", "One"), ("", "1", "Two"), ("", "0", "Three")], ["id:B#content"] * 3),
        ([(f"{SITE}live", "g1", "One"), (f"{SITE}live", "g2", "Two")], ["id:B#g1", "id:B#g2"]),
        ([(f"{SITE}live", "", "One"), (f"{SITE}live", "", "Two")], ["id:B#content"] * 2),
        ([(SITE, "g1", "One")], ["id:B#g1"]),
        ([("", "", "One")], ["id:B#content"]),
    ],
)  # fmt: skip
def test_identity(items: list[tuple[str, str, str]], expected: list[str]) -> None:
    """An address; else a guid that is the entry's own; else the words."""
    form = "<link>{}</link><guid isPermaLink='false'>{}</guid><title>{}</title>"
    assert identities(*(form.format(*item) for item in items)) == expected


LATER = "<atom:updated>2026-03-04T00:00:00Z</atom:updated>"


@pytest.mark.parametrize(
    ("dates", "published", "source"),
    [
        ("<pubDate>Mon, 02 Mar 2026 07:45:00 EST</pubDate>", datetime(2026, 3, 2, 12, 45, tzinfo=UTC), "feed"),
        ("<pubDate>2026年3月2日</pubDate>", datetime(2026, 3, 2, tzinfo=UTC), "feed"),
        ("<pubDate>Mon, 02 Mar 2099 07:45:00 GMT</pubDate>", None, "arrival"),
        (f"<pubDate>0</pubDate>{LATER}", datetime(2026, 3, 4, tzinfo=UTC), "feed"),
        (f"<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>{LATER}", datetime(2026, 3, 4, tzinfo=UTC), "feed"),
        ("<pubDate>0</pubDate><link>https://b.example/2026/03/05/x</link>", datetime(2026, 3, 5, tzinfo=UTC), "url"),
        ("", None, "arrival"),
    ],
)  # fmt: skip
def test_dates(dates: str, published: datetime | None, source: str) -> None:
    """The zone counts, what cannot be believed falls through, and an entry without a date is kept."""
    item = f"<item><title>Bridge</title>{dates}</item>"
    feed = f"<rss version='2.0' xmlns:atom='http://www.w3.org/2005/Atom'><channel>{item}</channel></rss>"
    (article,) = articles(feed)
    assert (article.published_at, article.date_source, article.outcome) == (published, source, "read")


LOGIN = "<!doctype html><html><form><input name=p type='password'></form></html>"


@pytest.mark.parametrize(
    ("body", "error_class"),
    [
        (b"", "EmptyBody"),
        (b" \r\n ", "EmptyBody"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "BinaryBody"),
        (b"<!DOCTYPE html><html><body><h1>We are back soon</h1></body></html>", "HtmlPage"),
        (b"<html><head><title>Just a moment...</title></head></html>", "ChallengePage"),
        (LOGIN.encode(), "LoginPage"),
        (b"<?xml version='1.0'?><opml version='2.0'></opml>", "OtherXml"),
        (b"<?xml version='1.0'?><urlset></urlset>", "OtherXml"),
        (b'{"items": []}', "OtherJson"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": 3}', "OtherJson"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": [', "InvalidJson"),
        (b"Service unavailable", "PlainText"),
        (b"<rss version='2.0'><channel><title>Br", "TruncatedFeed"),
        (b"<rss><channel>" + b"<b>" * 600_000, "TooManyElements"),
        (b"<rss>" + b" " * 16_000_000, "FeedTooLong"),
        (b"<!---->" * 5_000 + b"<!--", "PlainText"),
    ],
)
def test_what_is_no_feed(body: bytes, error_class: str) -> None:
    with pytest.raises(NotAFeed) as raised:
        parse_feed(body)
    assert raised.value.problem.error_class == error_class


ACCENTS = "<rss version='2.0'><channel><item><title>Café à la crème</title></item></channel></rss>"


@pytest.mark.parametrize(
    ("data", "content_type", "is_noted"),
    [
        (ACCENTS.encode(), None, False),
        (b"<?xml version='1.0' encoding='iso-8859-1'?>" + ACCENTS.encode("latin-1"), None, False),
        (ACCENTS.encode("latin-1"), "text/xml; charset=ISO-8859-1", False),
        (ACCENTS.encode(), "text/xml", False),
        (ACCENTS.encode(), "text/xml; charset=iso-8859-1", True),
        (b"<?xml version='1.0' encoding='iso-8859-1'?>" + ACCENTS.encode(), None, True),
        (b"<?xml version='1.0' encoding='utf-8'?>" + ACCENTS.encode("latin-1"), None, True),
        (b"<?xml version='1.0' encoding='utf-8'?>" + ACCENTS.encode("latin-1"), "text/xml; charset=utf-8", True),
        (ACCENTS.encode("utf-16"), None, False),
        (("<?xml version='1.0'?>" + ACCENTS).encode("utf-16-be"), None, False),
        (("<?xml version='1.0'?>" + ACCENTS).encode("utf-32-le"), None, False),
    ],
)
def test_encodings(data: bytes, content_type: str | None, is_noted: bool) -> None:
    feed = parse_feed(data, content_type=content_type)
    assert feed.entries[0].title == "Café à la crème"
    assert bool(feed.problems) == is_noted


def test_entities_are_harmless(tmp_path: Path) -> None:
    """Nothing is expanded, and no file or address opened; the entries are there all the same."""
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    lol = "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))
    head = f"<!DOCTYPE rss [<!ENTITY l0 'ha'><!ENTITY f SYSTEM 'file://{secret}'>{lol}]>"
    feed = parse_feed(
        f"<?xml version='1.0'?>{head}<rss><channel><item><title>A &l9; &f; B</title></item></channel></rss>".encode()
    )
    assert len(feed.entries) == 1
    assert "SECRET" not in str(feed) and "haha" not in str(feed)
    path = str(secret).encode()  # feedparser opens bytes that are the name of a file
    with pytest.raises(NotAFeed):
        parse_feed(path)


def test_a_feed_that_is_cut_off_keeps_its_whole_entries() -> None:
    whole = "".join(f"<item><title>Story {n}</title><description>{WORDS}</description></item>" for n in range(3))
    feed = f"<rss version='2.0'><channel>{whole}</channel></rss>"
    for end in range(feed.index("Story 2"), feed.rindex("</item>")):
        found = parse_feed(feed[:end].encode()).entries
        assert [one.title for one in found[:2]] == ["Story 0", "Story 1"]
        assert [one.problem and one.problem.error_class for one in found] == [None, None, "TruncatedEntry"]
    assert all(one.problem is None for one in parse_feed(feed[: feed.index("</channel>")].encode()).entries)


def test_a_feed_that_is_no_xml_keeps_its_entries() -> None:
    broken = (
        b"<rss><channel><item><title>Bread & salt</title><br><link>https://b.example/1?a=1&b=2</link></item></channel>"
    )
    feed = parse_feed(b"Warning: mysql on line 3\n" + broken)
    assert [(one.title, one.url) for one in feed.entries] == [("Bread & salt", "https://b.example/1?a=1&b=2")]
    assert [problem.partition(":")[0] for problem in feed.problems] == [
        "25 characters before the feed",
        "not well-formed XML",
    ]


def test_namespaces_with_blanks_in_them() -> None:
    spaces = "xmlns='http://www.w3.org/2005/Atom' xmlns:a='two  or three words' a:b='c'"
    feed = parse_feed(f"<feed {spaces}><entry><a:x/><title>A</title></entry></feed>".encode())
    assert [one.title for one in feed.entries] == ["A"]


def test_a_feed_in_the_body_of_a_page() -> None:
    page = (
        "<!DOCTYPE html><html><body>{}<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>A</title></entry></feed>"
    )
    assert [article.title for article in articles(page.format("\n"))] == ["A"]
    with pytest.raises(NotAFeed):
        parse_feed(page.format("<p>How to write a feed:</p>").encode())


def test_ten_thousand_entries() -> None:
    feed = rss(*(f"<title>Story {n}</title><link>https://b.example/{n}</link>" for n in range(10_000)))
    assert len({one.url for one in feed.entries}) == 10_000


@pytest.mark.parametrize(
    "inside",
    [
        "<item><title>x<author>" + "a." * 200_000,
        "<item><pubDate>" + "1:" * 200_000 + "</pubDate></item>",
        "<item " + " ".join(f"a{n}='1'" for n in range(50_000)) + "><title>x</title></item>",
        "<item>" + "".join(f"<category>c{n}</category>" for n in range(4_000)) + "</item>",
        "<item><title>x" + "<" * 200_000,
        "<item><title>x" + "<![CDATA[" * 100_000,
        "<item><title>x" + "&" * 200_000,
        "<item><description>" + "&lt;img " * 50_000,
    ],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_feeds_that_are_made_to_be_slow(inside: str) -> None:
    try:
        assert len(parse_feed(f"<rss><channel>{inside}".encode()).entries) == 1
    except NotAFeed as error:
        assert error.problem.error_class == "TruncatedFeed"


def test_no_damage_breaks_the_parser(request: pytest.FixtureRequest) -> None:
    """Any bytes are a feed, or are not one for a named reason."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    names = ("harbour-feed.rss", "valley-atom.xml", "archive-feed.rdf", "lighthouse-feed.json", "cut-off.rss")
    feeds = [(SEEDS / name).read_bytes() for name in names]
    for _ in range(5_000 if request.config.getoption("--soak") else 200):
        data = bytearray(chance.choice(feeds))
        for _ in range(chance.randint(1, 8)):
            at, length = chance.randrange(len(data) or 1), chance.choice((1, 1, 3, 200))
            junk = chance.choice((b"", b"<", b"&#x110000;", b"]]>", b"<![CDATA[", b"\xff", b"</item>", b'"', b"<item>"))
            data[at : at + length] = junk
        try:
            parse_feed(bytes(data))
        except NotAFeed as error:
            assert error.problem.error_class != "BrokenFeed", error


def test_statements_are_taken_apart_and_never_evaluated() -> None:
    found = list(statements("not bozo and entries[0]['a'] == entries[1].b == 'x' + 'y' and __import__('os') == 1"))
    assert found == [(0, ("a",), "xy"), (1, ("b",), "xy")]
    assert next(statements("entries[0]['t'][0] == {'k': 'v', 'n': None}")) == (0, ("t", 0, "k"), "v")
    assert list(statements("entries[0]['x'] ==")) == []


def test_what_feedparser_expects_of_its_own_feeds(shared: Path) -> None:
    found = compare(ARCHIVE)
    assert not [one for one in found if not one.holds and not reason(one)], "\n".join(report(found))
    assert sum(one.holds for one in found) >= 840
    used = {reason(one) for one in found if not one.holds}
    assert used == set(REASONS.values())


@pytest.mark.parametrize("archive", ["feedjira", "gofeed", "feedvalidator", "feedparser"])
def test_every_feed_of_others_is_parsed_or_named(archive: str, shared: Path, request: pytest.FixtureRequest) -> None:
    every = 1 if request.config.getoption("--soak") else 5
    for name, data in list(files(shared / "data" / f"feeds-{archive}.tar.gz"))[::every]:
        try:
            feed = parse_feed(data)
        except NotAFeed as error:
            assert error.problem.error_class not in ("BrokenFeed", "TooManyElements"), name
        else:
            assert all(one.problem or one.title or one.text for one in feed.entries), name
