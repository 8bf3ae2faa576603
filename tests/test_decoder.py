"""The fast decoder gives spaCy's tokens and entities, on real, odd and generated texts."""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from tests.decoding import INVENTED, MODEL, ODD, STRADDLING, check, fast_tokens, spacy_reads
from transforms import decoder, encoder, pieces
from transforms.decoder import FastNer, Span
from transforms.names import namer


@pytest.fixture(scope="module")
def in_numpy(nlp: Language) -> FastNer:
    fast = FastNer(nlp)
    fast._encoder = encoder.Encoder(fast._layers)
    return fast


@pytest.fixture(scope="module")
def articles(shared: Path) -> list[str]:
    """510 real ones: from the beginning, the middle and the end of Reuters-21578."""
    with gzip.open(shared / "data/reuters21578.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for number, line in enumerate(lines) if number % 6_000 < 170][:510]
    return [f"{row['title']}\n\n{row['text']}" for row in rows]


# Texts


def test_real_articles(nlp: Language, fast: FastNer, in_numpy: FastNer, articles: list[str]) -> None:
    for start in range(0, len(articles), 64):
        some = articles[start : start + 64]
        check(nlp, fast, some)
        assert namer(MODEL).find(some) == in_numpy.ents(some) == fast.ents(some)


@pytest.mark.parametrize("text", INVENTED + STRADDLING + ODD, ids=lambda text: repr(text[:20]))
def test_text_alone(nlp: Language, fast: FastNer, text: str) -> None:
    check(nlp, fast, [text])


def test_texts_together(nlp: Language, fast: FastNer) -> None:
    check(nlp, fast, INVENTED + STRADDLING + ODD)


def test_neighbouring_texts_do_not_touch(nlp: Language, fast: FastNer) -> None:
    check(nlp, fast, ["That is what he ", "'s about : ", ") in New", "York", "", "City"])


@pytest.mark.parametrize("texts", [["x:)", ")"], [")", "x:)", "(", "a:)", ")"], ["he", "'s", "8", "a.m."]])
def test_words_that_are_learned_in_a_row_do_not_touch(nlp: Language, texts: list[str]) -> None:
    tokens = FastNer(nlp, max_types=100).tokens(texts)
    found = list(zip(tokens.text.tolist(), tokens.start.tolist(), tokens.end.tolist(), strict=True))
    alone = [nlp.tokenizer(text) for text in texts]
    assert found == [(at, one.idx, one.idx + len(one)) for at, doc in enumerate(alone) for one in doc]


def test_long_text(nlp: Language, fast: FastNer) -> None:
    text = "".join(f"On day {day}, {name}\n" for day in range(200) for name in INVENTED)[:100_000]
    assert len(text) == 100_000
    check(nlp, fast, [text])


PARTS = st.one_of(
    st.sampled_from([*" ".join(INVENTED + STRADDLING).split(" "), "\n", "\n ", "  ", "\t", "\u00a0", "", "\r\n"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(PARTS, max_size=30).map(" ".join), min_size=1, max_size=3))
def test_generated_texts(nlp: Language, fast: FastNer, texts: list[str]) -> None:
    check(nlp, fast, texts)


# Limits


def test_a_million_characters_without_blank(fast: FastNer) -> None:
    started = time.process_time()
    for part in ("a", "(", "😀", "中文", "he's", "a.", "/x", "\x00"):
        text = "Angela Merkel was in Paris. " + part * (1_000_000 // len(part))
        assert fast.ents([text])[0][:2] == [Span(0, 13, "PERSON"), Span(21, 26, "GPE")]
    assert time.process_time() - started < 20


@pytest.mark.parametrize("part", [" ", "\n ", ": ) ", "he 's ", "Paris\n", "(" * 60 + "\n"])
def test_a_million_characters_with_blanks(fast: FastNer, part: str) -> None:
    """Only their tokens: all that follows takes the same time for every token."""
    started = time.process_time()
    fast.tokens([part * (1_000_000 // len(part))])
    assert time.process_time() - started < 20


def test_overlong_run_is_one_token(nlp: Language, fast: FastNer) -> None:
    run = "(" * (pieces.LONGEST + 1)
    assert fast_tokens(fast, [f"in {run} Paris"]) == [[(0, 2), (3, 3 + len(run)), (4 + len(run), 9 + len(run))]]


def test_lone_surrogate_raises_as_in_spacy(nlp: Language, fast: FastNer) -> None:
    for find in (fast.ents, lambda texts: [spacy_reads(nlp, text) for text in texts]):
        with pytest.raises(UnicodeEncodeError):
            find(["Paris", "Lon\ud800don"])
    check(nlp, fast, ["Paris and Lon"])


def test_batches_change_nothing(nlp: Language, fast: FastNer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = INVENTED * 3 + ODD
    expected = [spacy_reads(nlp, text)[1] for text in texts]
    assert [fast.ents(texts, batch) for batch in (1, 7, 64, 1_000)] == [expected] * 4
    monkeypatch.setattr(decoder, "CHARACTERS", 100)
    assert fast.ents(texts) == expected
    assert fast.ents([]) == []


def test_near_ties_go_to_spacy(nlp: Language, fast: FastNer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def near_tie(self: FastNer, text: str, ents: list[Span]) -> list[Span]:
        asked.append(text)
        return original(self, text, ents)

    original = FastNer._near_tie
    monkeypatch.setattr(FastNer, "_near_tie", near_tie)
    monkeypatch.setattr(decoder, "TIE", np.inf)
    texts = ["Paris", "Zabrina Quellworth flew to Brontovia.", ""]
    words = len(nlp.vocab.strings)
    found = fast.ents(texts)
    assert len(nlp.vocab.strings) == words
    assert asked == texts[:2]
    assert found == [spacy_reads(nlp, text)[1] for text in texts]


def test_near_ties_of_a_very_long_text_are_decided_here(fast: FastNer, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Zabrina Quellworth flew to Brontovia. " * 3_000
    expected = fast.ents([text])
    monkeypatch.setattr(decoder, "TIE", np.inf)
    monkeypatch.setattr(fast._nlp, "get_pipe", None)
    assert fast.ents([text]) == expected


def test_caches_that_are_always_full(nlp: Language, articles: list[str]) -> None:
    fast = FastNer(nlp, max_types=100, max_pieces=100)
    for start in range(0, 60, 6):
        check(nlp, fast, articles[start : start + 6])


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_new_words_without_end_take_bounded_memory(nlp: Language) -> None:
    """30,000 new words would take 120 MB, were they kept."""
    fast = FastNer(nlp, max_types=4_000, max_pieces=16_000)
    known = len(nlp.vocab.strings)
    sizes = []
    for start in range(0, 30_000, 500):
        fast.ents([" ".join(f"Q{number}x of" for number in range(start, start + 500))])
        sizes.append(resident_megabytes())
    assert max(sizes[20:]) - max(sizes[:20]) < 40
    assert len(nlp.vocab.strings) == known


def test_importing_is_cheap() -> None:
    code = "import sys, transforms.decoder, os; print('spacy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1"]
