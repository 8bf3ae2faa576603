"""Local folder and object store: one contract. The warehouse in a bucket, and the store that goes away."""

import io
import json
import random
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.feed_states import states_in
from pipeline.fingerprint_rebuild import rebuild_fingerprints
from pipeline.inputs import _glob, list_inputs
from pipeline.query import connect, rows_as_text
from pipeline.status import status_of
from pipeline.verify import verify_warehouse
from schemas.errors import WorldError
from tests.command import newsbeam, start
from tests.engines import Server, minio_found
from tests.feed_server import Answer, item, rss
from tests.feed_server import Server as FeedServer
from tests.plain import NOW, plain_config, plain_run
from tests.stories import stories, write_jsonl
from tests.tables import all_rows
from tests.test_polls import config_of, pages, poll
from transforms import s3
from transforms.files import Inputs, LocalStore, Store, store_at

engines = pytest.mark.engines


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the empty bucket `news`, and the variables set by which it is found."""
    with minio_found(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(params=["local", pytest.param("s3", marks=engines)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return LocalStore(str(tmp_path))
    request.getfixturevalue("bucket")
    return store_at(f"s3://news/{tmp_path.name}")


def test_create_only_if_absent(store: Store) -> None:
    assert store.create("log/1.json", b"one")
    assert not store.create("log/1.json", b"two")
    assert store.read("log/1.json") == b"one"


def test_of_many_at_once_one_creates(store: Store) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        if store.create("log/1.json", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and store.read("log/1.json") == b"%d" % won[0]


def test_files_are_found_by_folder(store: Store) -> None:
    for name in ("t/date=2026-01-01/a b.parquet", "t/date=2026-01-02/c.parquet", "t/_delta_log/0.json", "t/.hidden"):
        store.write(name, b"x")
    assert [info.name for info in store.walk("t")] == [
        "t/date=2026-01-01/a b.parquet",
        "t/date=2026-01-02/c.parquet",
    ]
    assert store.names("t") == [".hidden", "_delta_log", "date=2026-01-01", "date=2026-01-02"]
    assert store.names("absent") == [] and store.info("t") is None and store.info("absent") is None


def test_move_may_be_done_again(store: Store) -> None:
    store.write("staged/a", b"x")
    store.move("staged/a", "final/date=1/a")
    store.move("staged/a", "final/date=1/a")
    assert store.read("final/date=1/a") == b"x" and store.info("staged/a") is None
    with pytest.raises(FileNotFoundError):
        store.move("staged/b", "final/b")


def test_remove_takes_a_file_or_a_folder(store: Store) -> None:
    for name in ("a/b/c", "a/d", "ab"):
        store.write(name, b"x")
    store.remove("a")
    store.remove("absent")
    assert [info.name for info in store.walk()] == ["ab"]
    store.remove("ab")
    assert not list(store.walk())


def test_versions_change_with_content(store: Store) -> None:
    store.write("a", b"one")
    before = store.info("a")
    store.write("a", b"other")
    after = store.info("a")
    assert before and after and before.version != after.version and abs(after.modified - time.time()) < 60


def test_large_files_are_read_in_parts(store: Store) -> None:
    data = random.Random(3).randbytes(2 * s3.BLOCK + 12_345)
    with store.writer("big") as file:
        for at in range(0, len(data), 1_000_000):
            file.write(data[at : at + 1_000_000])
    assert store.read("big", 7_999_990, 20) == data[7_999_990:8_000_010] and store.read("big", 5, 0) == b""
    with store.open("big") as file:
        file.seek(-10, io.SEEK_END)
        assert file.read() == data[-10:] and file.read(1) == b""
        file.seek(0)
        assert b"".join(iter(lambda: file.read(700_000), b"")) == data


GLOBS = [
    ("in/*.jsonl", "in/a.jsonl", True),
    ("in/*.jsonl", "in/sub/a.jsonl", False),
    ("in/**/*.jsonl", "in/a.jsonl", True),
    ("in/**/*.jsonl", "in/x/y/a.jsonl", True),
    ("in/**", "in/x/y/a.jsonl", True),
    ("in/[ab]?.txt", "in/a1.txt", True),
    ("in/[!ab]?.txt", "in/a1.txt", False),
    ("in/a+(b).txt", "in/a+(b).txt", True),
    ("in/a.txt", "in/aXtxt", False),
]


@pytest.mark.parametrize(("pattern", "name", "fits"), GLOBS)
def test_globs_of_addresses(pattern: str, name: str, fits: bool) -> None:
    import re

    assert bool(re.fullmatch(_glob(pattern), name)) is fits


def test_settings_come_from_variables_then_files(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = one\n[other]\naws_access_key_id = two\n")
    (tmp_path / "config").write_text("[profile other]\nregion = eu-west-1\nendpoint_url = http://store.example\n")
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    assert s3.settings(files) == {"aws_access_key_id": "one", "aws_region": "us-east-1"}
    other = s3.settings({**files, "AWS_PROFILE": "other", "AWS_DEFAULT_REGION": "eu-north-1", "UNRELATED": "x"})
    assert other == {
        "aws_access_key_id": "two",
        "aws_region": "eu-west-1",
        "aws_endpoint_url": "http://store.example",
        "aws_allow_http": "true",
    }
    assert s3.settings({**files, "AWS_ACCESS_KEY_ID": "mine"})["aws_access_key_id"] == "mine"


def test_an_unreachable_store_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    with pytest.raises(WorldError, match="check AWS_ENDPOINT_URL") as told:
        store_at("s3://news/unreachable").check()
    assert "secret" not in str(told.value)


@engines
@pytest.mark.parametrize(
    ("address", "secret", "sentence"),
    [
        ("s3://absent/x", None, "there is no such bucket"),
        ("s3://news/x", "wrong", "credentials are needed, and the object store refuses them"),
        ("s3://", None, "an address of an object store is s3://BUCKET/FOLDER"),
    ],
)
def test_wrong_addresses_and_keys(
    bucket: Server, monkeypatch: pytest.MonkeyPatch, address: str, secret: str | None, sentence: str
) -> None:
    if secret:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with pytest.raises(WorldError, match=sentence):
        store_at(address).check()


@engines
def test_the_same_tables_in_a_bucket(bucket: Server, tmp_path: Path) -> None:
    """Inputs and warehouse in the bucket, or in folders: the same rows; every command that reads works there."""
    rows = list(stories(11, 600))
    inputs = tmp_path / "in"
    inputs.mkdir()
    write_jsonl(inputs / "a.jsonl.gz", iter(rows[:400]))
    write_jsonl(inputs / "b.jsonl", iter(rows[350:]))
    remote = store_at("s3://news/in")
    for path in inputs.iterdir():
        remote.write(path.name, path.read_bytes())
    plain_run(plain_config(inputs, tmp_path / "out", batch={"bytes": 200_000}))
    asked = sum(s3.requests.values())
    config = plain_config(inputs, "s3://news/out", batch={"bytes": 200_000}).model_copy(update={"root": "s3://news/in"})
    summary = plain_run(config)
    print(f"{(sum(s3.requests.values()) - asked) / summary.batches:.0f} requests a batch")
    ours, theirs = all_rows(tmp_path / "out"), all_rows("s3://news/out", delta=True)
    letters = ours.pop("dead_letters"), theirs.pop("dead_letters")  # whose ids name the input's version
    assert ours == theirs and len(letters[0]) == len(letters[1]) == 2
    assert verify_warehouse("s3://news/out").problems == []
    assert status_of("s3://news/out").outcomes == status_of(str(tmp_path / "out")).outcomes
    sql = "SELECT topic, date, count(*) AS n, sum(word_count) AS words FROM articles GROUP BY ALL ORDER BY ALL"
    with connect("s3://news/out") as there, connect(str(tmp_path / "out")) as here:
        assert rows_as_text(there, sql, True) == rows_as_text(here, sql, True)
    assert not list(store_at("s3://news/out").walk("_newsbeam/staging"))
    assert plain_run(config).batches == 0


@engines
def test_feeds_into_a_bucket(bucket: Server, tmp_path: Path) -> None:
    """Feeds with the whole text of their pages, near copies and fingerprints made anew: as in a folder."""
    with FeedServer() as server:
        links = [server.url(f"/{number}.html") for number in range(4)]
        server.routes["/feed"] = Answer(rss(item(number, link) for number, link in enumerate(links)))
        pages(server, range(4))
        here = config_of(server, tmp_path / "out", full_text=True)
        there = here.model_copy(update={"output": "s3://news/feeds"})
        for config in (here, there):
            poll(config)
        server.routes["/feed"] = Answer(rss([item(9, server.url("/absent.html"))]))
        for config in (here, there):
            poll(config, NOW + timedelta(hours=2))
    assert all_rows(here.output) == all_rows(there.output, delta=True)
    assert states_in(store_at(there.output)) == states_in(store_at(here.output))
    assert rebuild_fingerprints(there.output) == rebuild_fingerprints(here.output)
    assert verify_warehouse(there.output).problems == []
    assert not list(store_at(there.output).walk("_newsbeam/staging"))
    with connect(there.output) as connection:
        assert connection.sql("SELECT count(*) FROM linked_entities").fetchall() == [(0,)]


@engines
def test_inputs_are_found_in_a_bucket(bucket: Server, tmp_path: Path) -> None:
    store = store_at("s3://news/found")
    for name in ("a.jsonl", "sub/b.jsonl", "sub/.c.jsonl", "sub/d.txt", "out/e.jsonl"):
        store.write(name, b"{}")
    names = [info.name for info in list_inputs("s3://news/found", ["."], "s3://news/found/out")]
    assert names == ["a.jsonl", "sub/b.jsonl", "sub/d.txt"]
    names = [info.name for info in list_inputs(str(tmp_path), ["s3://news/found/**/*.jsonl"], str(tmp_path))]
    assert names == [f"s3://news/found/{name}" for name in ("a.jsonl", "out/e.jsonl", "sub/b.jsonl")]
    assert Inputs(str(tmp_path)).read("s3://news/found/sub/d.txt", 1, 1) == b"}"


@engines
def test_the_store_is_killed_while_it_works(bucket: Server, tmp_path: Path) -> None:
    """Five times in one run, at random moments, back after some seconds: the run waits, and the tables are exact."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = write_jsonl(tmp_path / "a.jsonl.gz", stories(13, 1500))
    plain_run(plain_config(tmp_path, tmp_path / "out", "a.jsonl.gz", batch={"bytes": 100_000}))
    arguments = ["--output", "s3://news/killed", "--set", "models.en=null", "--set", "batch.bytes=100kB"]
    run = start("run", "--input", str(path), *arguments, "--now", "2026-02-01T12:00:00Z", "--set", f"root={tmp_path}")
    while not store_at("s3://news/killed").names("runs"):
        time.sleep(0.1)
        assert run.poll() is None, run.communicate()
    for _ in range(5):
        time.sleep(chance.uniform(0.5, 2))
        bucket.kill()
        time.sleep(chance.uniform(0.5, 2))
        bucket.start()
    out, err = run.communicate(timeout=200)
    assert run.returncode == 0, (out, err)
    assert all_rows("s3://news/killed", delta=True) == all_rows(tmp_path / "out")
    newsbeam("verify", *arguments)


@engines
def test_configuration_in_a_bucket(bucket: Server, tmp_path: Path) -> None:
    store = store_at("s3://news/project")
    store.write("articles/a.jsonl", json.dumps({"title": "Ferry returns", "text": "It sails again."}).encode())
    store.write("news.yaml", b"input: articles\noutput: tables\nmodels: {en: null}\n")
    newsbeam("run", "s3://news/project/news.yaml")
    rows = newsbeam("query", "s3://news/project/news.yaml", "SELECT title FROM articles", "--json").stdout
    assert json.loads(rows) == [{"title": "Ferry returns"}]
