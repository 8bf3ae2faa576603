"""What the tests of the decoder share: texts that are hard to cut into words, and spaCy's own answer."""

from spacy.language import Language

from transforms import pieces
from transforms.decoder import FastNer, Span
from transforms.names import DEFAULT_MODELS

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
