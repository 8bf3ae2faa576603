"""Models of other shapes are decoded too; those that cannot be are told, with the reason."""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import shutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model, chain

from tests.decoding import INVENTED, MODEL, ODD, OTHERS, STRADDLING, check
from transforms import encoder, native, pieces
from transforms.decoder import FastNer, misfit

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
