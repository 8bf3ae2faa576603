"""Rows of every kind become JSON Lines: JSON documents, CSV, Parquet and Arrow."""

import io
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Article
from tests.reading import read_bytes
from tests.test_formats import Dripping
from transforms.compression import Readable
from transforms.formats import arrow, delimited, json_document, parquet, recognise
from transforms.formats.converted import Blocks
from transforms.formats.jsonl import cut

ROW = {"title": "Roof leaks", "text": "The pool is wet."}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", "]}", '\\"', "\n,"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=4)


def elements(stream: Readable) -> list[Any]:
    """The lines that are no blank ones, as values."""
    text = b"".join(json_document.lines(stream, 0))
    return [json.loads(line) for line in text.split(b"\n") if line.strip()]


@settings(max_examples=150)
@given(st.lists(JSON, max_size=6), st.sampled_from([None, 0, 2]), SIZES)
def test_an_array_gives_its_elements(values: list[Any], indent: int | None, sizes: list[int]) -> None:
    """Whatever they are, however they are printed, however the bytes arrive."""
    assert elements(Dripping(json.dumps(values, indent=indent).encode(), sizes)) == values


@given(st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), min_size=1, max_size=4), JSON, SIZES)
def test_an_object_gives_what_it_holds(values: list[Any], other: Any, sizes: list[int]) -> None:
    document = {"status": "ok", "meta": {"count": 3}, "response": {"results": values, "x": other}, "more": [other]}
    data = json.dumps(document, indent=1).encode()
    assert elements(Dripping(data, sizes)) == values
    assert elements(Dripping(data + b"\n" + json.dumps(ROW).encode(), sizes)) == [*values, ROW]


ROW_TEXT = json.dumps(ROW)
DOCUMENTS: list[tuple[str, list[str]]] = [
    (ROW_TEXT, ["Roof leaks"]),
    (json.dumps(ROW, indent=4), ["Roof leaks"]),
    (json.dumps(ROW, indent=1) + "\n" + json.dumps(ROW, indent=1), ["Roof leaks"] * 2),
    (f"[{ROW_TEXT}, {ROW_TEXT}]", ["Roof leaks"] * 2),
    (f"[{ROW_TEXT}]\n[{ROW_TEXT}]", ["Roof leaks"] * 2),
    (f"[{ROW_TEXT} {ROW_TEXT}]", ["Roof leaks"] * 2),  # the comma was forgotten
    (f"[{ROW_TEXT}, [1], 2, null, {ROW_TEXT}]", ["Roof leaks", *["NotAnObject"] * 3, "Roof leaks"]),
    (f'[{ROW_TEXT}, {{"title": broken}}, {ROW_TEXT}]', ["Roof leaks", "InvalidJson", "Roof leaks"]),
    ('[{"title": "a", "title": "b", "text": "c", "score": NaN}]', ["b"]),
    (f"[{ROW_TEXT}, {'[' * 100_000}{']' * 100_000}, {ROW_TEXT}]", ["Roof leaks", "TooDeep", "Roof leaks"]),
    (f"[{ROW_TEXT}, {{}}]", ["Roof leaks", "NoText"]),
    (f'{{"hits": {{"hits": [{ROW_TEXT}]}}}}', ["Roof leaks"]),
    (f'{{"title": "A day", "body": "Long.", "items": [{ROW_TEXT}]}}', ["A day"]),
    ('{\n"content": [{"type": "p", "text": "Wet."}],\n"title": "Roof"}', ["Roof"]),
    (f'{{"deep": [{{"articles": [{ROW_TEXT}]}}]}}', ["NoText"]),
    ("\ufeff" + f"[{ROW_TEXT}]", ["Roof leaks"]),
    ("[]", []),
]


def told(article: Article) -> str:
    return article.letter.error_class if article.letter else article.title


@pytest.mark.parametrize(("text", "expected"), DOCUMENTS, ids=[text[:40] for text, _ in DOCUMENTS])
def test_documents(text: str, expected: list[str]) -> None:
    assert [told(article) for article in read_bytes(text.encode(), "a.json")] == expected


def test_an_array_that_is_not_closed_keeps_what_stands_before() -> None:
    lines = json_document.lines(io.BytesIO(f"[{ROW_TEXT}, {ROW_TEXT}, {ROW_TEXT[:20]}".encode()), 0)
    cuts = []
    with pytest.raises(EOFError, match="not closed"):
        cuts.extend(cut(Blocks(lines)))
    assert told(read_bytes(f"{ROW_TEXT[:20]}".encode(), "a.json")[0]) == "InvalidJson"


TABLES: list[tuple[str, bytes, list[tuple[str, str]]]] = [
    ("a.csv", b"title,text\nRoof,Wet\nPool,Dry\n", [("Roof", "Wet"), ("Pool", "Dry")]),
    ("a.csv", b'title,text\r\n"Roof, old","Wet\r\n\r\nand ""cold"""\r\n', [("Roof, old", 'Wet\n\nand "cold"')]),
    ("a.csv", b'title,text\nRoof,"He said \\"no\\", twice"\n', [("Roof", 'He said "no", twice')]),
    ("a.csv", b"sep=;\ntitle;text\nRoof;Wet\n", [("Roof", "Wet")]),
    ("a.txt", b"title|text|date\nRoof|Wet|2026-01-02\n", [("Roof", "Wet")]),
    ("a.tsv", "title\ttext\nDach\tnaß\n".encode("utf-16"), [("Dach", "naß")]),
    ("a.csv", "title,text\nDach,naß\n".encode("cp1252"), [("Dach", "naß")]),
    ("a.csv", "\ufefftitle,text\nDach,naß\n".encode(), [("Dach", "naß")]),
    ("a.csv", b"title,text\rRoof,Wet\r", [("Roof", "Wet")]),
    ("a.csv", b"title,text\n\nRoof\nPool,Dry,,\nShed,Old,x\n", [("Roof", ""), ("Pool", "Dry"), ("RaggedRow", "")]),
    ("a.csv", b'title,text\nRoof,"Wet\nPool,Dry\n', [("InvalidCsv", ""), ("Pool", "Dry")]),
    ("a.csv", b"title,title,text\nRoof,Old,Wet\n", [("Roof", "Wet")]),
    ("a.csv", b"title,text\n", []),
]


@pytest.mark.parametrize(("name", "data", "expected"), TABLES)
def test_tables(name: str, data: bytes, expected: list[tuple[str, str]]) -> None:
    assert [(told(article), article.body) for article in read_bytes(data, name)] == expected


def test_a_table_without_a_header_can_be_mapped() -> None:
    data = b"https://a.example/1,Some words on rain,17\nhttps://a.example/2,Other words on wind,18\n"
    found = read_bytes(data, "a.csv", {"url": "column_1", "text": "column_2"})
    assert [(article.url, article.body) for article in found] == [
        ("https://a.example/1", "Some words on rain"),
        ("https://a.example/2", "Other words on wind"),
    ]
    (letter, _) = read_bytes(data, "a.csv")
    assert letter.letter and "column_1, column_2, column_3" in letter.letter.error


def test_a_field_of_10_mb_and_one_that_is_too_long() -> None:
    data = b'title,text\nLong,"%s"\nToo long,"%s"\nRoof,Wet\n' % (
        (b"word " * 99 + b"word\n") * 20_000,
        b"word " * 3_400_000,
    )
    (long, too_long, after) = delimited.lines(io.BytesIO(data), 0)
    assert len(json.loads(long)["text"]) == 10_000_000
    assert json.loads(too_long)[0] == "InvalidCsv" and json.loads(after)["title"] == "Roof"


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(max_examples=150)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.sampled_from(",;\t|"), SIZES)
def test_a_table_gives_what_was_written(rows: list[tuple[str, str]], delimiter: str, sizes: list[int]) -> None:
    import csv

    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("title", "text"), *rows])
    lines = b"".join(delimited.lines(Dripping(out.getvalue().encode(), sizes), 0)).splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == rows


def columns() -> pa.Table:
    return pa.table(
        {
            "title": pa.array(["Roof", "Pool", "Shed"], pa.large_string()),
            "text": pa.array(["Wet", "Dry", None]).dictionary_encode(),
            "date": pa.array([datetime(2026, 1, day, 9) for day in (1, 2, 3)], pa.timestamp("ns", "Europe/Oslo")),
            "tags": [["a", "b"], [], None],
            "logo": [b"\x89PNG\xff", b"words", None],
        }
    )


def as_parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def as_arrow(table: pa.Table, stream: bool = False) -> bytes:
    out = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return out.getvalue()


COLUMNAR = [
    (parquet, as_parquet(columns(), row_group_size=2)),
    (arrow, as_arrow(columns())),
    (arrow, as_arrow(columns(), stream=True)),
]


@pytest.mark.parametrize(("module", "data"), COLUMNAR, ids=["parquet", "arrow file", "arrow stream"])
def test_columns(module: Any, data: bytes) -> None:
    found = recognise(data[:100], "a")
    assert found is module.FORMAT
    articles = read_bytes(data, "a")
    assert [(one.title, one.body, one.categories, str(one.published_at)) for one in articles] == [
        ("Roof", "Wet", ["a", "b"], "2026-01-01 09:00:00+00:00"),
        ("Pool", "Dry", [], "2026-01-02 09:00:00+00:00"),
        ("Shed", "", [], "2026-01-03 09:00:00+00:00"),
    ]
    whole = b"".join(module.lines(io.BytesIO(data), 0)).splitlines()
    for done in range(4):
        assert b"".join(module.lines(io.BytesIO(data), done)).splitlines() == whole[done:]


def test_row_groups_that_are_done_are_not_read() -> None:
    data = bytearray(as_parquet(columns(), row_group_size=1, compression="none"))
    start = data.index(b"Roof")
    data[start - 20 : start + 8] = bytes(28)
    assert b"Pool" in b"".join(parquet.lines(io.BytesIO(bytes(data)), 1))


def test_a_long_value_that_every_row_repeats_fits_into_memory() -> None:
    """1 MB in the file, 4 GB as text: a few rows at a time."""
    import tracemalloc

    text = pa.DictionaryArray.from_arrays(pa.array([0] * 400), ["word " * 2_000_000])
    data = as_parquet(pa.table({"title": ["Roof"] * 400, "text": text}), dictionary_pagesize_limit=20_000_000)
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    first = next(parquet.lines(io.BytesIO(data), 0))
    assert len(first) > 10_000_000 and len(data) < 5_000_000
    assert tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before < 700_000_000
    tracemalloc.stop()


def test_text_that_is_no_utf8_loses_nothing() -> None:
    text = pa.array(["Dach ist na\xdf".encode("latin-1"), b"Wet"]).view(pa.binary())
    bad = pa.Array.from_buffers(pa.string(), 2, text.buffers())
    (first, second) = read_bytes(as_parquet(pa.table({"title": ["Dach", "Roof"], "text": bad})), "a.parquet")
    assert (first.body, first.problems) == ("Dach ist naß", ["decoded as windows-1252"])
    assert second.body == "Wet"


def test_a_value_that_makes_no_sense_loses_its_row() -> None:
    table = pa.table({"title": ["Roof", "Pool"], "at": pa.array([1 << 60, 0], pa.timestamp("us"))})
    assert [told(article) for article in read_bytes(as_parquet(table), "a.parquet")] == ["InvalidValue", "Pool"]


def test_a_foreign_schema_is_a_letter_for_each_row() -> None:
    found = read_bytes(as_parquet(pa.table({"kopf": ["Dach"], "nr": [1]})), "a.parquet")
    assert [told(article) for article in found] == ["NoText"]
    assert found[0].letter and "kopf, nr" in found[0].letter.error
    assert told(read_bytes(as_parquet(pa.table({"kopf": ["Dach"]})), "a.parquet", {"title": "kopf"})[0]) == "Dach"
