"""Which language a text is in."""

from functools import cache
from typing import Any

SHORTEST = 60
"""Letters below which a guess is worth nothing."""
SAMPLE = 300
"""Characters that are looked at."""
_NAMES = {
    name: code
    for code, names in {
        "en": "eng english", "de": "deu ger german deutsch", "fr": "fra fre french français", "es": "spa spanish español",
        "it": "ita italian italiano", "pt": "por portuguese português", "nl": "nld dut dutch nederlands",
        "ru": "rus russian русский", "ar": "ara arabic العربية", "zh": "zho chi chinese 中文", "ja": "jpn japanese 日本語",
        "pl": "pol polish polski", "sv": "swe swedish svenska", "tr": "tur turkish türkçe", "uk": "ukr ukrainian",
        "no": "nor norwegian norsk", "da": "dan danish dansk", "fi": "fin finnish suomi", "hi": "hin hindi",
    }.items()
    for name in names.split()
}  # fmt: skip


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def detect(text: str) -> str | None:
    """ISO 639-1 code of the language of a text; None where it is too short to tell."""
    sample = text[:SAMPLE]
    if sum(map(str.isalpha, sample)) < SHORTEST:
        return None
    return str(_identifier().classify(sample)[0])


def language_code(name: str | None) -> str | None:
    """ISO 639-1 code of a language as metadata names it: `en`, `en-GB`, `eng` or `English`; None if it is unknown."""
    first = (name or "").strip().lower().replace("_", "-").partition("-")[0]
    return first if len(first) == 2 and first.isascii() and first.isalpha() else _NAMES.get(first)
