"""Topics: what publishers' labels stand for, what the text model says, and which of them counts."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.errors import UsageError, WorldError
from schemas.records import Article, Score
from transforms.taxonomy import named_topics, one_topic, taxonomy
from transforms.topic_model import DEFAULT
from transforms.topics import Classify, Filing, TextModel, filing, find_topics

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


def _texts(*openings: str) -> list[Article]:
    return [Article(title=one, body="", language="en", outcome="unique") for one in openings]


RATES = "Central bank raises key rate as inflation worries investors and lenders"


def test_the_text_tells_where_the_publisher_does_not() -> None:
    found = find_topics(_texts(RATES, "Nothing much, really"), filing())
    assert (found[0].topic, found[0].topic_source, found[0].topic_code) == ("economy", "text", "medtop:04000000")
    assert found[0].topic_model == filing().model.name
    assert found[0].topic_score == found[0].topics[0].score >= 0.4
    assert len(found[0].topics) == 3
    assert (found[1].topic, found[1].topic_source, found[1].topic_model) == ("unclassified", None, None)


def test_below_the_threshold_an_article_is_unclassified_but_keeps_its_scores() -> None:
    (found,) = find_topics(_texts(RATES), filing()._replace(threshold=1.0))
    assert (found.topic, found.topic_score, found.topics[0].topic) == ("unclassified", None, "economy")


def test_other_languages_go_by_the_section_only() -> None:
    article = replace(_texts(RATES)[0], language="de")
    assert find_topics([article], filing())[0].topic == "unclassified"
    assert find_topics([article], filing()._replace(languages=()))[0].topic == "economy"
    assert find_topics([replace(article, section="Sport")], filing())[0].topic == "sport"


def test_only_unique_articles_get_topics() -> None:
    article = replace(_texts(RATES)[0], outcome="duplicate")
    assert find_topics([article], filing()) == [article]


def _with(classify: Classify) -> Filing:
    return filing()._replace(model=TextModel("by hand 1", classify))


def test_another_model_is_a_function_of_texts() -> None:
    seen: list[str] = []

    def classify(texts: Sequence[str]) -> list[dict[str, float]]:
        seen.extend(texts)
        return [{"sport": 0.9, "arts": 0.9, "crime": 0.1, "human": 0.05} for _ in texts]

    found = find_topics([*_texts("One"), Article(section="Health", outcome="unique")], _with(classify))
    assert seen == ["One\n\n"]
    assert (found[0].topic, found[0].topic_model) == ("arts", "by hand 1")  # a tie goes by name
    assert [score.topic for score in found[0].topics] == ["arts", "sport", "crime"]


BAD = [
    (lambda text: {"cooking": 0.9}, "'cooking' is no topic of"),
    (lambda text: {"sport": 1.5}, "the score 1.5 of sport is not between 0 and 1"),
    (lambda text: {"sport": float("nan")}, "the score nan of sport is not between 0 and 1"),
    (lambda text: 1 / 0, "ZeroDivisionError"),
]


@pytest.mark.parametrize(("one", "problem"), BAD)
def test_a_failure_on_one_article_loses_only_its_topic(one: Callable[[str], dict[str, float]], problem: str) -> None:
    def classify(texts: Sequence[str]) -> list[dict[str, float]]:
        return [one(text) if "bad" in text else {"sport": 0.8} for text in texts]

    found = find_topics(_texts("Good", "A bad one", "Better"), _with(classify))
    assert [article.topic for article in found] == ["sport", "unclassified", "sport"]
    assert [len(article.problems) for article in found] == [0, 1, 0]
    assert found[1].problems[0].startswith("no topic: ") and problem in found[1].problems[0]


def test_as_many_results_as_texts_or_none_counts() -> None:
    found = find_topics(_texts("One", "Two"), _with(lambda texts: [{"sport": 0.8}] * (len(texts) + 1)))
    assert all("no topic: ValueError" in article.problems[0] for article in found)


OWN = """
taxonomy: Harbour desk
topics:
  ships: {sections: [shipping, Häfen], keywords: [freighter, harbour]}
  rail-2: {name: Railways}
"""


def test_a_taxonomy_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text(OWN, "utf-8")
    own = taxonomy(str(path))
    assert re.fullmatch("Harbour desk [0-9a-f]{8}", own.name)
    assert one_topic(["sport"], str(path)) is None
    assert one_topic(["Ports / HÄFEN"], str(path)) == "ships"
    assert one_topic(["railways"], str(path)) == "rail-2"


def test_other_topics_never_go_by_the_same_name(tmp_path: Path) -> None:
    names = set()
    for number, more in enumerate(("", "  trams: {}\n", "  trams: {keywords: [tram]}\n")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(OWN + more, "utf-8")
        names.add(taxonomy(str(path)).name)
    assert len(names) == 2


REFUSED = [
    ("topics: {a: {}, b: {}}", "taxonomy"),
    ("taxonomy: T\ntopics: {a: {}}", "2 to 500 topics, not 1"),
    ("taxonomy: T\ntopics: {a: {}, ../x: {}}", r"'../x' cannot name a topic's folder"),
    ("taxonomy: T\ntopics: {a: {}, A: {}}", "'A' cannot name"),
    ("taxonomy: T\ntopics: {a: {}, unclassified: {}}", "not 'unclassified'"),
    ("taxonomy: T\ntopics: {a: {}, 2024: {}}", "str"),
    ("taxonomy: T\ntopics: {a: {section: [x]}, b: {}}", "section"),
    ("taxonomy: T\ntopics: {a: {sections: [x]}, b: {sections: [X]}}", "'x' stands under both a and b"),
    ("taxonomy: [", "docs/topics.md shows"),
    ('taxonomy: "a\\e[2J"\ntopics: {a: {}, b: {}}', "1 to 100 characters"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_taxonomy_that_cannot_be_used(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "topics.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=re.escape(reason)) as error:
        taxonomy(str(path))
    assert str(path) in str(error.value)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text(OWN, "utf-8")
    with pytest.raises(UsageError, match=r"give topics\.model too"):
        filing(str(path))
    with pytest.raises(UsageError, match="train it anew"):
        filing(str(path), str(DEFAULT))
    with pytest.raises(WorldError, match="is the module installed"):
        filing(model="no_such_module:classify")
