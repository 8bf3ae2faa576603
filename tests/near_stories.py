"""Made-up stories that papers copy, cut and edit, in any number. Same seed, same stories."""

import random
from collections.abc import Iterator

SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
FOOTER = "All rights are with the paper, which thanks its readers and asks them to write if they have found a mistake."


def words_of(chance: random.Random, count: int) -> list[str]:
    """Words of which any two texts share some, and no runs of them."""
    vocabulary = ["".join(chance.choices(SYLLABLES, k=3)) for _ in range(400)]
    return chance.choices(vocabulary, k=count)


def sentences(chance: random.Random, count: int) -> str:
    return " ".join(" ".join(words_of(chance, chance.randint(8, 20))).capitalize() + "." for _ in range(count))


def edited(text: str, chance: random.Random) -> str:
    """What another paper makes of a text: cut, reworded, with a footer, in another order, or as it is."""
    parts = text.split("\n\n")
    match chance.randrange(5):
        case 0:
            return "\n\n".join(parts[: max(len(parts) * 2 // 3, 1)])
        case 1:
            words = text.split(" ")
            for at in chance.sample(range(len(words)), len(words) // 12):
                words[at] = "".join(chance.choices(SYLLABLES, k=4))
            return " ".join(words)
        case 2:
            return f"{text}\n\n{FOOTER}"
        case 3:
            return "\n\n".join([*parts[1:], parts[0]])
    return text


def near_stories(seed: int, stories: int) -> Iterator[dict[str, str]]:
    """Stories over ten days, each told by one to five papers; rows as JSON Lines hold them."""
    chance = random.Random(seed)
    for number in range(stories):
        text = "\n\n".join(sentences(chance, 3) for _ in range(chance.randint(3, 6)))
        day, title = chance.randrange(10), " ".join(words_of(chance, 7)).capitalize()
        for paper in range(chance.choice((1, 1, 1, 2, 3, 5))):
            minute = 60 * chance.randrange(24) + paper
            yield {
                "url": f"https://paper{paper}.example/{number}",
                "title": title if paper == 0 or chance.random() < 0.5 else " ".join(words_of(chance, 6)).capitalize(),
                "text": text if paper == 0 else edited(text, chance),
                "date": f"2026-01-{10 + day + paper // 3:02}T{minute // 60:02}:{minute % 60:02}:{paper:02}Z",
                "source": f"Paper {paper}",
                "story": str(number),
            }
