"""`python -m tests.bench_feeds`: 1,000 feeds on 200 hosts of a local server, polled twice; about a minute."""

import tempfile
from pathlib import Path

from tests.test_many_feeds import WHOLE, play


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(play(WHOLE, Path(folder), seed=1))


if __name__ == "__main__":
    main()
