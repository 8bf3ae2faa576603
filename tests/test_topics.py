"""Topics: what publishers' labels stand for, what the text model says, and which of them counts."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.records import Article, Score
from transforms.taxonomy import named_topics, one_topic, taxonomy
from transforms.topics import filing, find_topics

LABELS = """
Sport | sport
SPORTS NEWS | sport
Fußball | sport
Football/Premier League | sport
News > Sport | sport
Politics | politics
us-politics | politics
Innenpolitik | politics
política | politics
Politique | politics
Business & Finance | economy
Wirtschaft | economy
Économie | economy
Economía | economy
Science and Technology | science
Tech | science
Wissen | science
Health & Wellness | health
Gesundheit | health
Santé | health
Entertainment & Arts | arts
Arts & Life | arts
Kultur | arts
Home & Garden | lifestyle
Reise | lifestyle
Crime & Courts | crime
War in Ukraine | conflict
Disasters and accidents | disaster
Wetter | weather
Météo | weather
Umwelt | environment
Climate change | environment
Bildung | education
Higher Education | education
Jobs | labour
Arbeit | labour
Kirche | religion
Faith | religion
Royals | human
Familie | society
Immigration | society
Science & Health |
Business/Technology |
News |
World |
Opinion |
Local |
Panorama |
Sucesos |
|
&/> |
""".strip().split("\n")


@pytest.mark.parametrize("line", LABELS)
def test_labels(line: str) -> None:
    label, _, expected = line.rpartition("|")
    assert one_topic([label]) == (expected.strip() or None)


def test_the_table_is_iptcs() -> None:
    table = taxonomy()
    codes = [topic.code or "" for topic in table.topics.values()]
    assert len(table.topics) == len(set(codes)) == 17
    assert set(table.slugs.values()) == set(table.topics)
    assert all(code.startswith("medtop:") and len(code) == 15 for code in codes)
    assert table.name.startswith("IPTC Media Topics ")


def test_codes_and_names_are_as_iptc_has_them(shared: Path) -> None:
    live = json.loads((shared / "data" / "iptc-mediatopic-mapping.json").read_text())
    for topic in taxonomy().topics.values():
        assert live[topic.code]["Name (en-GB)"] == topic.name
        assert live[topic.code]["Level1/NewsCode"] == topic.code


URL = "https://example.com/sport/2026/01/31/minister-on-politics"
CHOICES = [
    (Article(section="Health", categories=["Sport"], url=URL), "health", "section"),
    (Article(section="News", categories=["Health"], url=URL), "health", "category"),
    (Article(section="News", categories=["Health", "Ghana", "wellness"]), "health", "category"),
    (Article(section="News", categories=["Health", "Politics"], url=URL), "sport", "url"),
    (Article(canonical_url="https://example.com/news/science-and-technology/x-1"), "science", "url"),
    (Article(url="https://example.com/Wirtschaft/Unternehmen/x.html"), "economy", "url"),
    (Article(url="https://example.com/sport/politics/x-1"), "unclassified", None),
    (Article(url="https://example.com/politics"), "unclassified", None),  # the last segment names the article
    (Article(section="Opinion"), "unclassified", None),
    (Article(), "unclassified", None),
]


@pytest.mark.parametrize(("article", "topic", "source"), CHOICES)
def test_what_the_publisher_says(article: Article, topic: str, source: str | None) -> None:
    found = find_topics([replace(article, outcome="unique")], filing())[0]
    assert (found.topic, found.topic_source, found.taxonomy) == (topic, source, taxonomy().name)
    if source:
        assert (found.topic_code, found.topic_score) == (taxonomy().topics[topic].code, 1.0)
        assert found.topics == [Score(topic, 1.0)]
    else:
        assert (found.topic_code, found.topic_score, found.topics) == (None, None, [])


def test_labels_of_any_size_are_bounded() -> None:
    assert named_topics("sport " * 100_000) == frozenset()
    assert named_topics("a > " * 1_000_000) == frozenset()
