"""The configuration: what is refused, and in which words."""

from pathlib import Path

import pytest
import yaml

from pipeline.config import Config, example, keys, load_config
from pipeline.config_feeds import FeedOptions, Feeds
from schemas.errors import UsageError
from transforms.names import DEFAULT_MODELS

REFUSED = [
    ("feeds:\n  follow: [ftp://a.example/]", "only http and https are fetched, not ftp"),
    ("feeds:\n  follow: [{url: 'https://u:p@a.example/'}]", "the address holds a name or password"),
    ("feeds:\n  follow: [{url: 'https://a.example/', group: g}]", "there is no group 'g'"),
    ("feeds:\n  follow: [{url: 'https://a.example/', fulltext: true}]", "fulltext"),
    ("feeds:\n  interval: soon", "line 2: feeds.interval"),
    ("feeds:\n  limits:\n    feed_byte: 3", "there is no key 'feeds.limits.feed_byte'; did you mean 'feed_bytes'"),
    ("outptu: x", "line 1: there is no key 'outptu'; did you mean 'output'"),
    ("input: a\nbatch:\n  byte: 3", "line 3: there is no key 'batch.byte'; did you mean 'bytes'"),
    ("input: a\ninput: b", "line 2: the key 'input' stands there twice"),
    ("batch:\n  bytes: -1", "line 2: batch.bytes: Input should be greater than 0"),
    ("batch:\n  bytes: lots", "line 2: batch.bytes"),
    ("columns:\n  titel: x", "no field is named 'titel'; did you mean 'title'"),
    ("runner: Flink", "known are DirectRunner, PrismRunner"),
    ("- a\n- b", "a configuration is keys and values"),
    ("a: [", "is not valid YAML"),
    ("workers: 0", "workers"),
    ("dates:\n  file_name: '%Y-%m'", "the pattern needs %Y (or %y), %m and %d, each once"),
    ("dates:\n  file_name: '%Y%m%d%H'", "and no other %"),
    ("a: &a [*a]\n", "there is no key 'a'"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_refused(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        load_config(str(path), {})
    assert sentence in str(error.value)


def test_paths_are_below_the_root_and_the_root_below_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub/c.yaml"
    path.write_text("root: ..\ninput: news\noutput: out\nbatch: {bytes: 1.5 MB}\n")
    config = load_config(str(path), {"names.labels": ["ORG"], "models.de": "de_core_news_sm"})
    assert (config.root, config.output) == (str(tmp_path), str(tmp_path / "out"))
    assert (config.input, config.batch.bytes, config.names.labels) == (("news",), 1_500_000, ("ORG",))
    assert config.models == {**DEFAULT_MODELS, "de": "de_core_news_sm"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("names.gazetteer", "names.jsonl"),
        ("topics.taxonomy", "topics.yaml"),
        ("topics.model", "model.npz"),
        ("feeds.files", ["feeds.opml"]),
        ("input", ["articles", "feeds.opml"]),
    ],
)
def test_what_is_read_from_a_disk_only(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{key}: s3://news/project/.* would have to be on a disk"):
        load_config(None, {"root": "s3://news/project", key: value})
    if isinstance(value, str):
        load_config(None, {"root": "s3://news/project", key: f"/elsewhere/{value}"})


def test_the_example_says_every_default() -> None:
    assert Config.model_validate(yaml.safe_load(example())) == Config()
    assert all(meaning for meaning, _ in keys().values())


def test_the_options_of_a_feed_are_told() -> None:
    page = (Path(__file__).parents[1] / "docs/feeds.md").read_text("utf-8")
    assert all(f"| `{name}` |" in page for name in FeedOptions.model_fields)


def test_a_feed_has_its_own_options_then_its_groups_then_those_of_all() -> None:
    group = {"interval": "2 h", "full_text": True, "headers": {"A": "1", "B": "1"}}
    one = {"url": "feed://a.example/x", "group": "g", "interval": 90, "headers": {"B": "2"}}
    feeds = Feeds.model_validate({"follow": ["https://b.example/", one], "groups": {"g": group}})
    plain, special = map(feeds.feed, feeds.follow)
    assert (plain.interval, plain.full_text, plain.headers) == (1_800, False, {})
    assert (special.url, special.interval, special.full_text) == ("http://a.example/x", 90, True)
    assert special.headers == {"A": "1", "B": "2"}


def test_equal_treatment_equal_hash() -> None:
    assert Config(output="a").hash() == Config(output="b").hash() != Config(models={"en": None}).hash()


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("configs/*.yaml")), ids=lambda path: path.name)
def test_what_ships_is_valid(path: Path) -> None:
    load_config(str(path), {})
