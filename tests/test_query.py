"""`query`: views of complete batches only, from any folder, and answers for people and machines."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipeline.log import append
from pipeline.query import DERIVED, connect, rows_as_text, view_sql
from pipeline.warehouse import open_warehouse
from schemas.errors import UsageError, WorldError
from schemas.tables import TABLES
from tests.warehouses import BATCHES, PAGE, add, article, build, snapshot_of, staged


@pytest.fixture
def connection(sample: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(str(sample)) as found:
        yield found


def counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in view_sql()}


def test_every_table_is_a_view(connection: duckdb.DuckDBPyConnection) -> None:
    assert counts(connection) == {
        "runs": 3, "articles": 7, "entities": 10, "duplicates": 3, "dead_letters": 2, "latest_articles": 5, "copies": 7,
        "aliases": 0, "linked_entities": 10,
    }  # fmt: skip


def types(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    return {
        name: [(row[0], row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()]
        for name in view_sql()
    }


def test_an_empty_warehouse_has_the_same_columns(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    open_warehouse(str(tmp_path))
    with connect(str(tmp_path)) as empty:
        assert set(counts(empty).values()) == {0}
        assert types(empty) == types(connection)


def test_partitions_keep_their_types(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute("SELECT date, topic FROM articles WHERE topic = '2024'").fetchall()
    assert rows == [(date(2026, 1, 31), "2024")]
    assert dict(types(connection)["articles"])["date"] == "DATE"
    assert dict(types(connection)["duplicates"])["date"] == "DATE"


def test_a_partition_is_found_without_reading_the_others(connection: duckdb.DuckDBPyConnection) -> None:
    plan = connection.execute("EXPLAIN ANALYZE SELECT title FROM articles WHERE date = '2026-02-01'").fetchall()[0][1]
    assert "Scanning Files: 1/7" in plan


def test_latest_articles_has_the_last_version_of_each_identity(connection: duckdb.DuckDBPyConnection) -> None:
    found = dict(connection.execute("SELECT identity, title FROM latest_articles").fetchall())
    assert len(found) == 5
    assert found[PAGE] == "The dam gave way"


def test_the_last_version_within_a_batch_is_the_one_that_was_decided_last(tmp_path: Path) -> None:
    versions = [
        article("https://a.example/1", "One", "Undated, so it comes last."),
        article("https://a.example/1", "Two", "This came first, at noon.", "2026-01-30T12:00"),
        article("https://a.example/1", "Three", "And this in the evening.", "2026-01-30T18:00"),
    ]
    add(tmp_path, versions)
    with connect(str(tmp_path)) as connection:
        chain = dict(connection.execute("SELECT revises, article_id FROM articles").fetchall())
        latest = connection.execute("SELECT article_id FROM latest_articles").fetchall()
    assert latest == [(chain[chain[chain[None]]],)]


def test_copies_counts_copies_and_sources(connection: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT copies, sources, last_published - first_published FROM copies WHERE article_id = $id"
    (copies, sources, time), *_ = connection.execute(sql, {"id": BATCHES[0][0].article_id}).fetchall()
    assert (copies, sources, time.total_seconds()) == (1, 2, 7200)


def test_an_unfinished_batch_is_not_seen(tmp_path: Path) -> None:
    build(tmp_path)
    warehouse = open_warehouse(str(tmp_path))
    entry = staged(warehouse, [article("https://late.example/1", "Late", "It came late.", "2026-02-01T05:00")])
    append(warehouse.store, entry)
    for file in entry.files:
        if file.table != "runs":
            warehouse.store.move(file.staged, file.path)
    with connect(str(tmp_path)) as connection:
        assert counts(connection)["articles"] == 7


def test_a_connection_sees_one_state_while_others_publish(tmp_path: Path) -> None:
    build(tmp_path)
    with connect(str(tmp_path)) as before:
        add(tmp_path, [article("https://new.example/1", "New", "It is new.", "2026-02-02T05:00", topic="sport")])
        assert counts(before)["articles"] == 7
        with connect(str(tmp_path)) as after:
            assert counts(after)["articles"] == 8


ODD = [
    "it's",
    'quo"te',
    "with space",
    "100%20",
    "a[b]c",
    "a*b",
    "what?",
    "[*]",
    "**",
    "{a,b}",
    "ünïcode",
    "env=prod",
    "a;b--",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_folders_are_read_and_only_they(name: str, tmp_path: Path) -> None:
    """Beside each stands another warehouse, which a glob would take in too."""
    for beside in ("axb", "whatx", "b", "abc"):
        (tmp_path / beside).mkdir()
    add(tmp_path / "made", BATCHES[0])
    (tmp_path / "made").rename(tmp_path / name)
    add(tmp_path / "axb", BATCHES[2])
    with connect(str(tmp_path / name)) as connection:
        assert connection.execute("SELECT count(*) FROM articles").fetchall() == [(3,)]
        assert "env" not in [column for column, _ in types(connection)["articles"]]


@pytest.mark.parametrize("name", ["a\\b", "date=2020-01-01", "TITLE=x"])
def test_folders_that_duckdb_would_misread_are_refused(name: str, tmp_path: Path) -> None:
    add(tmp_path / "made", BATCHES[0])
    (tmp_path / name).mkdir()
    (tmp_path / "made").rename(tmp_path / name / "warehouse")
    with pytest.raises(UsageError, match="symbolic link"):
        connect(str(tmp_path / name / "warehouse"))
    (tmp_path / "link").symlink_to(tmp_path / name / "warehouse")
    with connect(str(tmp_path / "link")) as connection:
        assert counts(connection)["articles"] == 3


def test_what_is_no_warehouse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a warehouse"):
        connect(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT no_such FROM articles", 'Referenced column "no_such" not found'),
        ("SELECT * FROM no_such", "no_such does not exist"),
        ("SELECT * FROM connection", "connection does not exist"),
        ("SELECT 'x'::INT", "Could not convert"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_wrong_question_gets_the_sentence(
    sql: str, sentence: str, as_json: bool, connection: duckdb.DuckDBPyConnection
) -> None:
    with pytest.raises(UsageError, match=sentence):
        rows_as_text(connection, sql, as_json)


def test_a_damaged_file_is_no_wrong_question(tmp_path: Path) -> None:
    add(tmp_path, BATCHES[0])
    path = next(tmp_path.glob("articles/date=*/topic=*/*.parquet"))
    path.write_bytes(path.read_bytes()[:1000])
    with connect(str(tmp_path)) as connection, pytest.raises(WorldError, match="newsbeam verify") as caught:
        rows_as_text(connection, "SELECT title FROM articles", False)
    assert caught.value.status == 1


def test_json_is_one_object_a_row(connection: duckdb.DuckDBPyConnection) -> None:
    sql = """SELECT date, topic, published_at, topics, raw, raw_size, 0.5::DECIMAL(3, 1) AS half, 'nan'::FLOAT AS nan,
        1 AS twice, 2 AS twice, MAP {'a': 1} AS map FROM articles, dead_letters
        WHERE articles.batch = 1 AND topic = 'sport' AND error_class = 'BadRecord'"""
    sql = sql.replace("date,", "articles.date,", 1)
    assert json.loads(rows_as_text(connection, sql, True)) == [
        {
            "date": "2026-01-30",
            "topic": "sport",
            "published_at": "2026-01-30T23:59:00+00:00",
            "topics": [{"topic": "sport", "score": 1.0}],
            "raw": {"base64": "eyJ0aXRsZSI6ICIbWzMxbXJlZP8="},
            "raw_size": 20,
            "half": 0.5,
            "nan": None,
            "twice": 1,
            "twice_1": 2,
            "map": {"a": 1},
        }
    ]


def test_no_rows_are_an_empty_list(connection: duckdb.DuckDBPyConnection) -> None:
    assert rows_as_text(connection, "SELECT 1 WHERE false", True) == "[]"
    assert json.loads(rows_as_text(connection, "SELECT 'text'::BLOB AS raw", True)) == [{"raw": "text"}]


def test_a_table_for_people_shows_rows_and_steers_no_terminal(connection: duckdb.DuckDBPyConnection) -> None:
    text = rows_as_text(connection, "SELECT 'a\x1b[31m\u202eb\nc' AS text, 7 AS number UNION ALL SELECT 'd', 8", False)
    assert "number" in text and "8" in text
    assert "\x1b" not in text and "\u202e" not in text


def test_several_questions_are_drawn_one_after_the_other(connection: duckdb.DuckDBPyConnection) -> None:
    text = rows_as_text(connection, "SELECT 1 AS first; SET threads = 1; SELECT 2 AS second", False)
    assert text.index("first") < text.index("second")
    assert rows_as_text(connection, "SELECT 1 AS first; SELECT 2 AS second", True) == '[\n{"second": 2}\n]'


def test_times_are_utc_and_no_extension_is_fetched(connection: duckdb.DuckDBPyConnection) -> None:
    settings = "SELECT current_setting('TimeZone'), current_setting('autoinstall_known_extensions')"
    assert connection.execute(settings).fetchall() == [("UTC", False)]


def test_nothing_is_written(sample: Path) -> None:
    before = snapshot_of(sample)
    with connect(str(sample)) as connection:
        counts(connection)
    assert snapshot_of(sample) == before


def test_the_views_can_be_made_by_hand_in_the_warehouse(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sample)
    assert set(view_sql()) == {*TABLES, *DERIVED}
    with duckdb.connect() as by_hand, connect(str(sample)) as ours:
        for name, sql in view_sql().items():
            by_hand.execute(f"CREATE VIEW {name} AS {sql}")
        assert counts(by_hand) == counts(ours)
        assert types(by_hand) == types(ours)
