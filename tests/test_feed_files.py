"""Saved feeds through the whole line: every entry has one outcome, and polls of the same news settle."""

import gzip
import re
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.run import Summary
from tests.feed_expectations import files
from tests.plain import plain_config, plain_run
from tests.tables import read_rows
from transforms.compression import plain_name
from transforms.feeds import NotAFeed, parse_feed
from transforms.formats import recognise
from transforms.formats.base import HEAD

PAGE = "https://paper.example/bridge"
TEASER = "The bridge over the Aue stays closed for another month, and the ferry runs until midnight."
OTHER_TEASER = "Another month of detours: engineers found a second crack, says the town."
WHOLE = " ".join(
    f"<p>Paragraph {number}: the engineers looked at pillar {number} and wrote down what they saw there.</p>"
    for number in range(12)
)


def item(text: str, title: str = "Bridge stays closed", link: str = PAGE, guid: str = "g") -> str:
    inside = f"<title>{title}</title><link>{link}</link><guid isPermaLink='false'>{guid}</guid>"
    return f"<item>{inside}<description><![CDATA[{text}]]></description></item>"


def feed(name: str, *items: str) -> str:
    return f"<rss version='2.0'><channel><title>{name}</title>{''.join(items)}</channel></rss>"


class Polls:
    """A warehouse into which one poll after the other comes, each a saved feed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder / "in", 0
        self.folder.mkdir()
        self.config = plain_config(self.folder, folder / "out")

    def poll(self, *feeds: str) -> dict[str, int]:
        """What the feeds of one moment bring, by outcome."""
        self.count += 1
        for number, text in enumerate(feeds):
            (self.folder / f"{self.count:02}-{number}.xml").write_text(text)
        summary = plain_run(self.config)
        assert summary.read == summary.unique + summary.duplicates + summary.known + summary.dead
        outcomes = {name: getattr(summary, name) for name in ("unique", "duplicates", "known", "dead")}
        return {name: count for name, count in outcomes.items() if count}


@pytest.fixture
def polls(tmp_path: Path) -> Polls:
    return Polls(tmp_path)


def test_two_feeds_with_one_page_and_other_summaries_settle(polls: Polls) -> None:
    both = feed("One", item(TEASER)), feed("Two", item(OTHER_TEASER))
    assert polls.poll(*both) == {"unique": 2}  # the second is a revision of the first, or the first of the second
    assert [polls.poll(*both) for _ in range(10)] == [{"known": 2}] * 10
    assert [polls.poll(one) for one in both] == [{"known": 1}] * 2


def test_summaries_of_a_page_that_is_known_whole_are_copies_of_it(polls: Polls) -> None:
    assert polls.poll(feed("Whole", item(WHOLE))) == {"unique": 1}
    both = feed("One", item(TEASER)), feed("Two", item(OTHER_TEASER))
    assert polls.poll(*both) == {"duplicates": 2}
    assert [polls.poll(*both, feed("Whole", item(WHOLE))) for _ in range(5)] == [{"known": 3}] * 5


def test_two_headlines_of_one_page_settle(polls: Polls) -> None:
    assert polls.poll(feed("Whole", item(WHOLE))) == {"unique": 1}
    both = feed("One", item(TEASER)), feed("Two", item(OTHER_TEASER, title="A second crack"))
    assert sum(polls.poll(*both).values()) == 2
    assert [polls.poll(*both) for _ in range(3)] == [{"known": 2}] * 3


def test_the_whole_page_after_its_summary_is_a_revision(polls: Polls) -> None:
    assert polls.poll(feed("One", item(TEASER))) == {"unique": 1}
    assert polls.poll(feed("Whole", item(WHOLE))) == {"unique": 1}
    assert polls.poll(feed("One", item(TEASER)), feed("Two", item(OTHER_TEASER))) == {"known": 1, "duplicates": 1}


def test_an_edited_entry_is_a_revision(polls: Polls) -> None:
    assert polls.poll(feed("One", item(TEASER))) == {"unique": 1}
    assert polls.poll(feed("One", item(TEASER, title="Bridge opens on 3 May"))) == {"unique": 1}
    assert polls.poll(feed("One", item(TEASER, title="Bridge opens on 4 May"))) == {"unique": 1}
    rows = read_rows(Path(polls.config.output), "articles")
    assert sum("('revises', None)" in row for row in rows) == 1


def test_guids_that_change_every_day_double_nothing(polls: Polls) -> None:
    assert polls.poll(feed("One", item(TEASER, guid="1"))) == {"unique": 1}
    assert polls.poll(feed("One", item(TEASER, guid="2"))) == {"known": 1}
    without = [feed("Two", item(OTHER_TEASER, link="", guid=str(day) * 9)) for day in range(3)]
    assert [polls.poll(one) for one in without] == [{"unique": 1}, {"duplicates": 1}, {"duplicates": 1}]


def test_entries_that_share_a_guid_or_an_address_are_all_kept(polls: Polls) -> None:
    stories = [item(f"{TEASER} Part {number}.", f"Story {number}", link="", guid="same") for number in range(4)]
    lives = [item(f"{OTHER_TEASER} {number}.", f"Live {number}", guid=f"live-{number}") for number in range(4)]
    assert polls.poll(feed("One", *stories), feed("Two", *lives)) == {"unique": 8}
    assert polls.poll(feed("One", *stories[::-1]), feed("Two", *lives[1:])) == {"known": 7}


def test_a_feed_that_breaks_off_in_its_packing_keeps_what_came(tmp_path: Path) -> None:
    whole = feed("One", *(item(f"{TEASER} Part {n}.", f"Story {n}", f"{PAGE}/{n}") for n in range(400)))
    (tmp_path / "cut.xml.gz").write_bytes(gzip.compress(whole.encode())[:-500])
    summary = plain_run(plain_config(tmp_path, tmp_path / "out"))
    assert summary.unique > 200
    assert summary.dead_by_class == {"BrokenFile": 1, "TruncatedEntry": 1}


def test_a_feed_is_cut_and_a_run_goes_on_inside_it(tmp_path: Path) -> None:
    items = (item(f"{TEASER} Part {n}.", f"Story {n}", f"{PAGE}/{n}") for n in range(600))
    (tmp_path / "a.xml").write_text(feed("A", *items))
    config = plain_config(tmp_path, tmp_path / "out")
    assert [plain_run(config, limit=limit).unique for limit in (2, 300, None)] == [2, 300, 298]
    assert plain_run(config).read == 0


def test_a_feed_that_is_too_long_is_one_letter(tmp_path: Path) -> None:
    (tmp_path / "long.xml").write_bytes(b"<rss><channel>" + b" " * 18_000_000)
    summary = plain_run(plain_config(tmp_path, tmp_path / "out"))
    assert (summary.read, summary.dead_by_class) == (1, {"FeedTooLong": 1})


def accounted(folder: Path, output: Path) -> tuple[Summary, int]:
    """What the line makes of all files of a folder, and how many records there must be."""
    config: Config = plain_config(folder, output)
    return plain_run(config), sum(records(path) for path in folder.iterdir())


def records(path: Path) -> int:
    """One for each entry of a feed, else for the letter that says why there are none."""
    data = path.read_bytes()
    form = recognise(data[:HEAD], plain_name(path.name))
    try:
        return len(parse_feed(data).entries) if form and form.name == "feed" else 1
    except NotAFeed:
        return 1


@pytest.mark.parametrize("archive", ["feedjira", "gofeed", "feedvalidator", "feedparser"])
def test_every_entry_of_others_feeds_is_accounted_for(
    archive: str, shared: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    every = 1 if request.config.getoption("--soak") else 5 if archive == "feedjira" else 40
    folder = tmp_path / "in"
    folder.mkdir()
    for name, data in list(files(shared / "data" / f"feeds-{archive}.tar.gz"))[::every]:
        (folder / re.sub(r"[^\w.]+", "-", name.strip("./"))).write_bytes(data)
    summary, expected = accounted(folder, tmp_path / "out")
    assert summary.read == expected
    assert summary.read == summary.unique + summary.duplicates + summary.known + summary.dead
    assert not summary.unreadable
