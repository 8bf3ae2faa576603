"""Made-up stories in any number, for tests that need many. Same seed, same stories."""

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PEOPLE = ("Ada Verrin", "Jonas Okafor", "Mila Brandt", "Tomás Ruiz", "Ines Halloran", "Peter Lindqvist")
BODIES = ("the Northern Water Board", "Calder Shipping", "the Harbour Council", "Ostrava Rail", "the Ministry of Ports")
PLACES = ("Norway", "Ghana", "Lisbon", "Osaka", "Peru", "Canada", "Leeds", "Nairobi")
DEEDS = (
    "opened a bridge",
    "cut its forecast",
    "won the tender",
    "closed two schools",
    "signed the accord",
    "lost an appeal",
)
SECTIONS = ("Business", "Politics", "Sport", "Health", None)


def story(chance: random.Random, number: int) -> dict[str, object]:
    """One story; its number makes it unlike all others."""
    who, what, where, did = (chance.choice(words) for words in (PEOPLE, BODIES, PLACES, DEEDS))
    paragraphs = [
        f"{where.upper()} - {who} said {what} {did} on a day that will be remembered for its number, {number}.",
        *(
            f"{chance.choice(PEOPLE)} of {chance.choice(BODIES)} told reporters in {chance.choice(PLACES)} that "
            f"{chance.randint(2, 900)} people had been asked and {chance.randint(2, 900)} had agreed."
            for _ in range(chance.randint(1, 6))
        ),
    ]
    return {
        "url": f"https://news.example/{number}",
        "title": f"{what[0].upper()}{what[1:]} {did}, {who} says in report {number}",
        "text": "\n\n".join(paragraphs),
        "date": f"2026-01-{number % 28 + 1:02}T{number % 24:02}:15:00Z",
        "section": chance.choice(SECTIONS),
        "source": f"Paper {number % 7}",
    }


def stories(seed: int, count: int) -> Iterator[dict[str, object]]:
    """Stories of which one in ten copies an earlier one under another address, and one in thirty revises one."""
    chance = random.Random(seed)
    told: list[dict[str, object]] = []
    for number in range(count):
        new = story(chance, number)
        if told and number % 10 == 7:
            new = {**chance.choice(told), "url": f"https://copy.example/{number}", "source": "Copies"}
        elif told and number % 30 == 13:
            new["url"] = chance.choice(told)["url"]
        told.append(new)
        yield new


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """A JSON Lines file; compressed if its name says so. Some lines are broken."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    for number in range(50, len(lines), 500):
        lines[number] = lines[number][:40]
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path
