"""The fast decoder gives spaCy's tokens and entities, on real, odd and generated texts, and refuses other models."""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import gzip
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model, chain

from transforms import decoder, encoder, native, pieces
from transforms.decoder import FastNer, Span, misfit
from transforms.names import DEFAULT_MODELS, namer

MODEL = str(DEFAULT_MODELS["en"])
OTHERS = ["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]

INVENTED = [
    "Ada Lovelace met Charles Babbage in London on 5 June 1833.",
    "The Northern Water Board of Oslo paid $3.5 million to Bran & Sons Ltd. last week.",
    "Mr. O'Tuohy, 54, of Cork told the BBC: \"We're not worried.\"",
    "Ms. Ito's firm isn't in Tokyo; it's in Osaka.",
    "At 10 a.m. the U.S. Senate, on Tuesday, voted 52-48.",
    "Shares of Kestrel Inc. fell 3.2% to 1,250p in Frankfurt (Reuters).",
    "Angela",
    "Angela Merkel",
    "Angela Merkel Angela Merkel",
    "from Paris to Rome to Paris to Rome",
]
STRADDLING = [
    "x:) )",
    "(: :) ) : ) ;-) ) :-( ( :(",
    "10 am 10 a.m. 10a.m. 11 a.m . 10a.m . at 9 p.m ., he",
    "he 's she 's He 's Let 's that 's who 's ' 's",
    "Kestrel Inc . of Wash . and Corp . said . . .",
    "U.S. Oil U.S. Officials NOTE: 1986 Note: 0 and: ) and",
    "markets' reaction, Goin ' home, nothin ’ doin '",
    "^_^ ^_ ^ ( ^_^ ) ಠ_ಠ ( ಠ_ಠ ) ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ( ╯ ° □ °",
    'a . b . c . ä . \\ " w / o and / or <3 < 3 < 33',
    "°C. 10 ° C. 5 ° F. ° c",
]
ODD = [
    "",
    " ",
    "\n",
    " \n ",
    "\t\t",
    "\u00a0",
    "\x00",
    "a\x00b Paris\x00London \x00 Rome",
    "\n \n  \n Paris \n\n \n",
    "  Paris  in   spring    ",
    "Paris\tand\tRome\u00a0in\u2003May\u2028of\u20291987\x1c\x1d\x85end",
    "Paris\u200band\ufeffRome",
    "👩‍👩‍👧‍👦 in Paris 🇫🇷🇩🇪 with 😀😀😀 and e\u0301te\u0301",
    "قال محمد بن سلمان في الرياض يوم الثلاثاء، שלום עולם ירושלים",
    "習近平在北京會見了普京。安倍晋三は東京で演説した。",
    "Москва, Владимир Путин. Ελλάδα, Αθήνα.",
    "ﬁnance ＦＵＬＬ ｗｉｄｔｈ ①②③ ½ ﷺ \U0001f468 \U000e0041 \U0010fffd",
    "http://example.org/a?b=c&d=(e) me@example.org #London @Paris 10km 5% $5m £3bn €4",
    "((((((Paris))))))\"\"\"''' ... ... ....... ——--—",
    "-" * 400 + " Paris " + "=" * 300 + "_" * 200,
    "A." * 100 + " " + "don't" * 50,
    "lemma ORTH nsubj PERSON ent_type",
    "Paris " * 300,
    "Paris\n" * 300,
    "I\n " * 300,
    "x" * pieces.LONGEST + " in Paris",
    "(" * 200 + "x" * (pieces.LONGEST - 200) + " in Paris",
]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.load(MODEL, exclude=OTHERS)


@pytest.fixture(scope="module")
def fast(nlp: Language) -> FastNer:
    return FastNer(nlp)


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


def spacy_reads(nlp: Language, text: str) -> tuple[list[tuple[int, int]], list[Span]]:
    """The places of spaCy's tokens, and its entities."""
    doc = nlp.get_pipe("ner")(nlp.tokenizer(text))
    ents = [Span(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
    return [(token.idx, token.idx + len(token)) for token in doc], ents


def fast_tokens(fast: FastNer, texts: list[str]) -> list[list[tuple[int, int]]]:
    found: list[list[tuple[int, int]]] = [[] for _ in texts]
    tokens = fast.tokens(texts)
    for start, end, number in zip(tokens.start.tolist(), tokens.end.tolist(), tokens.text.tolist(), strict=True):
        found[number].append((start, end))
    return found


def check(nlp: Language, fast: FastNer, texts: list[str]) -> None:
    """Same tokens and same entities, of all texts in one batch."""
    for text, tokens, ents in zip(texts, fast_tokens(fast, texts), fast.ents(texts), strict=True):
        assert (tokens, ents) == spacy_reads(nlp, text), text[:200]


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


# Models

TOK2VEC: dict[str, Any] = {
    "width": 32,
    "depth": 2,
    "embed_size": 100,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
    "pretrained_vectors": None,
}


def invented_model(*, width: int = 32, depth: int = 2, vectors: bool = False) -> Language:
    """A pipeline of random weights, which finds entities everywhere."""
    nlp = spacy.blank("en")
    numbers = np.random.default_rng(7)
    if vectors:
        for word in " ".join(INVENTED[:5]).split():
            nlp.vocab.set_vector(word, numbers.normal(size=20).astype("f4"))
    shape = {"width": width, "depth": depth, "pretrained_vectors": vectors}
    tok2vec = {"@architectures": "spacy.HashEmbedCNN.v2", **TOK2VEC, **shape}
    ner: Any = nlp.add_pipe("ner", config={"model": {"tok2vec": tok2vec}})
    for label in ("ORG", "X-RAY", "PERSON"):
        ner.add_label(label)
    nlp.initialize()
    upper = ner.model.get_ref("upper")
    for name in ("W", "b"):
        upper.set_param(name, numbers.normal(size=upper.get_param(name).shape).astype("f4"))
    return nlp


@pytest.mark.parametrize(
    "settings",
    [{}, {"vectors": True}, {"width": 64, "depth": 1}, {"width": 24, "depth": 6, "vectors": True}],
    ids=str,
)
def test_models_of_other_shapes(settings: dict[str, Any]) -> None:
    nlp = invented_model(**settings)
    vectors = nlp.vocab.vectors
    check(nlp, FastNer(nlp), INVENTED + STRADDLING + ODD)
    assert nlp.vocab.vectors is vectors
    assert vectors.strings is nlp.vocab.strings


def test_words_and_rules_set_by_hand() -> None:
    nlp = invented_model()
    nlp.vocab["Babbage"].norm_ = "computer"
    nlp.tokenizer.add_special_case("Charles", [{"ORTH": "Char"}, {"ORTH": "les", "NORM": "more"}])
    nlp.tokenizer.add_special_case("London", [{"ORTH": "London", "NORM": "city"}])
    check(nlp, FastNer(nlp), INVENTED)


def test_vectors_are_spacys(nlp: Language, fast: FastNer) -> None:
    text = " ".join(INVENTED * 60)
    tok2vec = nlp.get_pipe("ner").model.get_ref("tok2vec").layers[0]
    lacking = encoder.read_layers(tok2vec.get_ref("encode"))[1]
    vectors = fast._vectors(fast.tokens([text])) + lacking
    assert np.abs(vectors - tok2vec.predict([nlp.tokenizer(text)])[0]).max() < 5e-5


@pytest.mark.skipif(not native.lanes(), reason="the kernel is not compiled here")
@pytest.mark.parametrize("depth", [2, 4, 7])
def test_compiled_encoder_is_the_one_in_numpy(depth: int) -> None:
    numbers = np.random.default_rng(depth)
    shape = 3, native.WIDTH, native.PIECES * native.WIDTH
    layers = [
        encoder.Layer(*(numbers.normal(size=size).astype("f4") for size in (shape, shape[2], shape[1])))
        for _ in range(depth)
    ]
    types = SimpleNamespace(
        vectors=numbers.normal(size=(50, shape[1])).astype("f4"),
        products=[numbers.normal(size=(50, shape[2])).astype("f4") for _ in range(3)],
    )
    compiled, plain = native.encoder_for(layers), encoder.Encoder(layers)
    assert isinstance(compiled, native.NativeEncoder)
    for count in (
        0,
        1,
        3,
        4,
        5,
        127,
        128,
        129,
        native.BLOCK - 1,
        native.BLOCK,
        native.BLOCK + 1,
        3 * native.BLOCK + 70,
    ):
        tokens = np.concatenate([numbers.integers(1, 50, count), np.zeros(depth)])
        tokens = np.concatenate([np.zeros(depth), tokens]).astype(np.int64)
        found, expected = (one.encode(tokens, types)[depth:-depth] for one in (compiled, plain))
        assert np.abs(found - expected).max(initial=0) < 1e-3, count


def test_other_shapes_are_left_to_numpy() -> None:
    layer = encoder.Layer(np.ones((3, 64, 192), "f4"), np.ones(192, "f4"), np.ones(64, "f4"))
    assert isinstance(native.encoder_for([layer] * 4), encoder.Encoder)


def test_the_kernel_is_compiled_where_it_can_be(fast: FastNer) -> None:
    if not shutil.which("gcc"):
        pytest.skip("no C compiler here")
    assert fast.compiled


def test_winograd_is_a_convolution() -> None:
    numbers = np.random.default_rng(1)
    rows = numbers.normal(size=(4 * 8 + 4, 16)).astype("f4")
    kernel = numbers.normal(size=(3, 16, 32)).astype("f4")
    bias = numbers.normal(size=32).astype("f4")
    layers = [encoder.Layer(kernel, bias, np.ones(16, "f4"))] * 2
    by_phase = rows.reshape(-1, 4, 16).transpose(1, 0, 2)
    outputs = encoder.Encoder(layers)._convolution(by_phase, encoder.winograd_kernels(kernel), bias)
    expected = np.hstack([rows[:32], rows[1:33], rows[2:34]]) @ kernel.reshape(48, 32) + bias
    assert np.abs(np.stack(outputs, 1).reshape(32, 32) - expected).max() < 1e-4


# Pipelines that can't be decoded


def with_listener() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    nlp.add_pipe("ner", config={"model": {"tok2vec": listener}}).add_label("ORG")
    nlp.initialize()
    return nlp


def with_beam() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("beam_ner", name="ner", config={"beam_width": 4}).add_label("ORG")
    nlp.initialize()
    return nlp


def with_component(factory: str, **place: Any) -> Callable[[], Language]:
    def load() -> Language:
        nlp = invented_model()
        nlp.add_pipe(factory, **place)
        return nlp

    return load


def with_rule_over_a_blank() -> Language:
    nlp = invented_model()
    nlp.tokenizer.add_special_case("New York", [{"ORTH": "New York"}])
    return nlp


def with_late_label() -> Language:
    nlp = invented_model()
    nlp.get_pipe("ner").add_label("LATE")
    return nlp


def untrained() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    return nlp


def changed(attribute: str, value: object) -> Callable[[], Language]:
    def load() -> Language:
        nlp = spacy.blank("en")
        tok2vec: dict[str, Any] = {"@architectures": "spacy.HashEmbedCNN.v2", **TOK2VEC}
        model: dict[str, Any] = {"tok2vec": tok2vec}
        (tok2vec if attribute in TOK2VEC else model)[attribute] = value
        nlp.add_pipe("ner", config={"model": model}).add_label("ORG")
        nlp.initialize()
        return nlp

    return load


@spacy.Language.component("test_decoder_sets_ents")
def sets_ents(doc: Doc) -> Doc:
    doc.ents = ()
    return doc


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (lambda: spacy.blank("en"), "no ner component"),
        (lambda: spacy.blank("xx"), "no ner component"),
        (lambda: spacy.load(MODEL), "parser sets sentences before ner"),
        (lambda: spacy.load(MODEL, exclude=["parser"]), "attribute_ruler may change entities"),
        (lambda: spacy.load(MODEL, exclude=OTHERS, disable=["ner"]), "no ner component"),
        (untrained, "model is not trained"),
        (with_beam, "beam width 4"),
        (with_listener, "tok2vec is shared: a listener"),
        (with_component("entity_ruler", before="ner"), "entity ruler present"),
        (with_component("entity_ruler", after="ner"), "entity ruler present"),
        (with_component("span_ruler"), "span ruler present"),
        (with_component("sentencizer", before="ner"), "sentencizer sets sentences before ner"),
        (with_component("sentencizer", after="ner"), None),
        (with_component("entity_linker"), "entity_linker may change entities"),
        (with_component("spancat"), "spancat may change entities"),
        (with_component("merge_entities"), "merge_entities may change entities"),
        (with_component("test_decoder_sets_ents", name="own"), "own may change entities"),
        (with_component("ner", name="second"), "second may change entities"),
        (with_component("textcat"), None),
        (with_rule_over_a_blank, "tokenizer rule 'New York' spans white space"),
        (with_late_label, "labels added after training"),
        (changed("window_size", 2), "convolution window is not 1"),
        (changed("maxout_pieces", 1), "convolution of one maxout piece"),
        (changed("hidden_width", 16), None),
        (changed("extra_state_tokens", True), "state of 6 tokens in 2 maxout pieces"),
        (changed("use_upper", False), "ner is not a TransitionBasedParser with an upper layer"),
    ],
)
def test_misfit(load: Callable[[], Language], reason: str | None) -> None:
    nlp = load()
    assert misfit(nlp) == reason
    if reason:
        with pytest.raises(ValueError, match=reason):
            FastNer(nlp)


def test_misfit_of_other_layers() -> None:
    listener: Model[Any, Any] = Model("transformer-listener", lambda model, docs, is_train: (docs, lambda d: d))
    assert encoder.misfit(chain(listener, listener), None) == "tok2vec is shared: a transformer"
    unknown: Model[Any, Any] = Model("unknown", lambda model, docs, is_train: (docs, lambda d: d))
    assert encoder.misfit(chain(unknown, unknown), None) == "tok2vec is not an embedding and an encoder"


def test_misfit_of_other_tokenizers(nlp: Language) -> None:
    assert pieces.misfit(nlp.tokenizer) is None
    assert pieces.misfit(lambda text: nlp.tokenizer(text)) == "tokenizer function"


def test_importing_is_cheap() -> None:
    code = "import sys, transforms.decoder, os; print('spacy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1"]
