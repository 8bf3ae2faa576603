"""Language: one sentence in each of many, and what is too short."""

import gzip
import json
from pathlib import Path

import pytest

from transforms.language import FEW, LANGUAGES, detect, detect_all, language_code
from transforms.text import paragraphs

SENTENCES = {
    "en": "The harbour was closed on Monday after a crane fell into the water, the council said.",
    "de": "Der Hafen wurde am Montag gesperrt, nachdem ein Kran ins Wasser gestürzt war.",
    "fr": "Le port a été fermé lundi après la chute d'une grue dans l'eau, a annoncé la mairie.",
    "es": "El puerto fue cerrado el lunes después de que una grúa cayera al agua, dijo el alcalde.",
    "it": "Il porto è stato chiuso lunedì dopo che una gru è caduta in acqua, ha detto il sindaco.",
    "pt": "O porto foi fechado na segunda-feira depois que um guindaste caiu na água, disse a prefeitura.",
    "nl": "De haven werd maandag gesloten nadat een kraan in het water was gevallen, zei de gemeente.",
    "pl": "Port został zamknięty w poniedziałek po tym, jak dźwig wpadł do wody, podały władze.",
    "sv": "Hamnen stängdes på måndagen efter att en kran hade fallit i vattnet, säger kommunen.",
    "ru": "Порт был закрыт в понедельник после того, как кран упал в воду, сообщила мэрия.",
    "uk": "Порт закрили в понеділок після того, як кран упав у воду, повідомила мерія міста.",
    "ar": "أُغلق الميناء يوم الاثنين بعد سقوط رافعة في الماء، حسبما قال المجلس البلدي.",
    "zh": "市政府表示，一台起重机掉入水中后，港口于周一关闭，预计将于周五重新开放。",
    "ja": "クレーンが水に落ちたため、港は月曜日に閉鎖されたと市議会が発表した。",
    "tr": "Belediye, bir vincin suya düşmesinin ardından limanın pazartesi günü kapatıldığını söyledi.",
    "hi": "परिषद ने कहा कि एक क्रेन के पानी में गिरने के बाद सोमवार को बंदरगाह बंद कर दिया गया।",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_detect(language: str) -> None:
    assert detect(SENTENCES[language]) == language
    assert language in LANGUAGES.split()


@pytest.mark.parametrize(
    "text", ["", "Yes.", "Harbour closed", "1,204 3.5 17-02 " * 20, "🎤" * 50, "—" * 500, "\x00" * 300]
)
def test_too_little_to_tell(text: str) -> None:
    assert detect(text) is None


def test_capitals_do_not_matter() -> None:
    assert detect(SENTENCES["en"].upper()) == "en"


def test_many_at_once_are_as_one_by_one() -> None:
    texts = [*SENTENCES.values(), "", "Yes.", *[sentence * 9 for sentence in SENTENCES.values()]]
    assert len(texts) > FEW
    assert detect_all(texts) == [detect(text) for text in texts]
    assert detect_all([]) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("pt_BR", "pt"),
        ("EN", "en"),
        ("eng", "en"),
        ("German", "de"),
        ("nb-NO", "no"),
        ("english", "en"),
        ("klingon", None),
        ("e1", None),
        ("", None),
        (None, None),
    ],
)
def test_language_code(name: str | None, code: str | None) -> None:
    assert language_code(name) == code


def test_newswire_is_english(shared: Path) -> None:
    with gzip.open(shared / "data" / "reuters21578.jsonl.gz") as file:
        texts = ["\n\n".join(paragraphs(json.loads(next(file))["text"])) for _ in range(4_000)]
    long = [text for text in texts if len(text.split()) >= 40]
    languages = detect_all(long)
    assert languages.count("en") / len(long) > 0.98
    assert sum(language not in ("en", None) for language in languages) <= 2


def test_headlines_are_english_or_untold(shared: Path) -> None:
    with gzip.open(shared / "data" / "huffpost-headlines.jsonl.gz") as file:
        titles = [json.loads(next(file))["headline"] for _ in range(4_000)]
    languages = detect_all(titles)
    assert languages.count("en") / len(titles) > 0.98
    assert sum(language not in ("en", None) for language in languages) <= 8
