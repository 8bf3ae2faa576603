"""How well keys join: the most frequent people, organisations and countries of all Reuters items, to be read through.

    python -m tests.bench_joining [--most N] [--articles N]

A line for each key: its mentions, and the different words that it joins with their counts. A
wrong merge shows as words of another entity on a line, a split as two lines of one entity. docs/names.md has the count.
"""

import transforms  # isort: skip  # noqa: F401  (before numpy, whose BLAS then has one thread)

import argparse
from collections import Counter, defaultdict

from msgspec.structs import replace

from tests.bench_names import items
from transforms.names import DEFAULT_MODELS, find_names

AT_ONCE = 256
SHOWN = {"people": ("PERSON",), "organisations": ("ORG",), "countries": ("GPE", "NORP")}


def main() -> None:
    """Print three lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=50)
    parser.add_argument("--articles", type=int, default=100_000)
    options = parser.parse_args()
    articles = [replace(one, outcome="unique", language="en") for one in items()[: options.articles]]
    of_key: dict[str, Counter[str]] = defaultdict(Counter)
    words: dict[str, Counter[str]] = defaultdict(Counter)
    countries: Counter[str] = Counter()
    for start in range(0, len(articles), AT_ONCE):
        for article in find_names(articles[start : start + AT_ONCE], DEFAULT_MODELS):
            countries.update(article.countries)
            for entity in article.entities:
                if "@" not in entity.key and (entity.label not in SHOWN["countries"] or entity.country):
                    of_key[entity.label][entity.key] += 1
                    words[entity.key][entity.text] += 1
    for title, labels in SHOWN.items():
        print(f"\n{title}")
        keys = Counter({key: count for label in labels for key, count in of_key[label].items()})
        for key, count in sorted(keys.items(), key=lambda row: (-row[1], row[0]))[: options.most]:
            print(f"{count:>7,}  {key}: {', '.join(f'{text} {of}' for text, of in words[key].most_common(14))}")
    print("\ncountries of stories:", ", ".join(f"{code} {count:,}" for code, count in countries.most_common(30)))


if __name__ == "__main__":
    main()
