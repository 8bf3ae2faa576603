"""Made-up news without an end, in which new names keep coming, as in real news. Same seed, same news."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

FIRST, NOUNS, VERBS, KINDS, DAYS = (
    words.split()
    for words in (
        "Ada Amos Bruno Carla Dora Elif Ezra Femi Greta Hana Igor Ines Jonas Kofi Lena Mila Nadia Omar Petra Ruth",
        "agreement airport appeal army audit bank border bridge budget ceasefire clinic coalition company contract "
        "court debt deficit dispute drought election embassy envoy exports factory farmers ferry festival fine "
        "flood forecast fuel funding grain harbour harvest hospital inflation inquiry investors judge jury lawsuit "
        "loan lorry market merger minister mine oil parliament patients pension pipeline plant police port prices "
        "profit protest rail rates reactor refugees report river sanctions school senate shares shipyard storm "
        "strike summit tariffs teachers tender tourism trade treaty trial troops union vaccine verdict voters "
        "wages water wheat winter workers",
        "accused accepted approved backed banned blamed blocked bought cancelled challenged closed criticised cut "
        "defended delayed demanded denied discussed doubled dropped ended expected extended faced feared found "
        "halted inspected joined launched left lost met missed moved offered opened opposed planned postponed "
        "praised promised proposed raised reached rejected reopened repaired reported restored reviewed settled "
        "shared signed sold sought split stopped suspended tested trimmed urged visited warned welcomed widened "
        "won",
        "annual bitter brief broad central cheap coastal costly daily deep disputed early eastern empty fair "
        "fragile fresh frozen global heavy hidden joint large late local long main minor modest narrow northern "
        "old open partial poor public quiet rapid recent regional rising rural secret severe sharp slow small "
        "southern steady strict sudden tense urban vast weak western wide young",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    )
)
SECTIONS = ("Business", "Politics", "Sport", "Health", None, None)
SYLLABLES = [consonant + vowel for consonant in "bdfghjklmnprstvz" for vowel in "aeiou"]
REMEMBERED = 2_000
"""Stories of the last minutes, of which copies are made."""


def fresh_news(seed: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[dict[str, object]]:
    """Stories of some 200 words. One in ten copies an earlier one, one in twenty is another paper's shortened or edited
    form of one, one in fifty revises one."""
    chance, told = random.Random(seed), deque[dict[str, object]](maxlen=REMEMBERED)
    number = 0
    while True:
        row = _story(chance, number, clock())
        if told and number % 10 == 7:
            row = {**chance.choice(told), "url": f"https://copy.example/{number}", "source": "Copies"}
        elif told and number % 20 == 3:
            row = _edited(chance, chance.choice(told), number)
        elif told and number % 50 == 11:
            row["url"] = chance.choice(told)["url"]
        else:
            told.append(row)
        yield row
        number += 1


def _story(chance: random.Random, number: int, now: datetime) -> dict[str, object]:
    """A story about three people, two bodies and a place that no other story knows."""
    people = [f"{chance.choice(FIRST)} {_name(chance)}" for _ in range(3)]
    bodies = [f"{_name(chance)} {chance.choice(('Shipping', 'Bank', 'Rail', 'Foods', 'Energy'))}" for _ in range(2)]
    place = _name(chance)
    paragraphs = [" ".join(_sentence(chance, people, bodies, place) for _ in range(3)) for _ in range(4)]
    return {
        "url": f"https://paper{number % 40}.example/{number}",
        "title": _sentence(chance, people, bodies, place).rstrip("."),
        "text": f"{place.upper()} - " + "\n\n".join(paragraphs),
        "date": now.isoformat(timespec="seconds"),
        "section": chance.choice(SECTIONS),
        "source": f"Paper {number % 40}",
    }


def _sentence(chance: random.Random, people: list[str], bodies: list[str], place: str) -> str:
    pick, number = chance.choice, chance.randint(2, 9_999)
    who, body, day, did, did_too = pick(people), pick(bodies), pick(DAYS), pick(VERBS), pick(VERBS)
    one, other, what = (f"{pick(KINDS)} {pick(NOUNS)}" for _ in range(3))
    return pick(
        (
            f"{who} {did} the {one} and the {pick(NOUNS)} of {body} on {day}.",
            f"In {place}, {number:,} {what} {did} its {pick(NOUNS)}.",
            f"{body} {did} the {pick(NOUNS)} after a {one}, {who} said in {place}.",
            f"A {one} {did} {pick(NOUNS)} worth ${number} million, said {who}.",
            f'"We {did} every {one}," {who} told {body}, "and the {other} {did_too}."',
            f"Until {day} no {pick(NOUNS)} near {place} had {did} such {what}.",
        )
    )


def _edited(chance: random.Random, row: dict[str, object], number: int) -> dict[str, object]:
    parts = str(row["text"]).split("\n\n")
    kept = parts[:3] if chance.random() < 0.5 else [parts[0], *parts[2:], f"{_name(chance)} adds its view."]
    url, source = f"https://edited.example/{number}", f"Paper {chance.randrange(40, 60)}"
    return {**row, "text": "\n\n".join(kept), "url": url, "source": source}


def _name(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=4)).capitalize()
