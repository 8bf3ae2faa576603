"""The commit layer alone, without Beam and models: a crash at every single step leaves exact tables."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from pipeline import snapshots
from tests.plain import plain_config, plain_run
from tests.tables import all_rows
from transforms.files import LocalStore


class Crash(BaseException):
    """The process is gone: nothing after this writes anything."""


class Saboteur:
    """Counts everything that changes the disk, and ends the process before or after one of these."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count, self.fatal, self.after, self.dead = 0, -1, False, False
        for owner, name in (
            (LocalStore, "create"),
            (LocalStore, "write"),
            (LocalStore, "move"),
            (LocalStore, "remove"),
            (DeltaTable, "create_write_transaction"),
        ):
            patch.setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **named: Any) -> Any:
            if self.dead:
                raise Crash
            self.count += 1
            if self.count == self.fatal and not self.after:
                self.die()
            result = method(*args, **named)
            if self.count == self.fatal:
                self.die()
            return result

        return watched

    def die(self) -> None:
        self.dead = True
        raise Crash

    def arm(self, fatal: int, after: bool) -> None:
        self.count, self.fatal, self.after, self.dead = 0, fatal, after, False


@pytest.fixture
def saboteur(monkeypatch: pytest.MonkeyPatch) -> Iterator[Saboteur]:
    monkeypatch.setattr(snapshots, "FOLD_AFTER", 2)
    monkeypatch.setattr("pipeline.staging.process_lives", lambda pid: False)
    monkeypatch.setattr("pipeline.lock.process_lives", lambda pid: False)
    yield Saboteur(monkeypatch)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Five small batches: copies within and across, near ones too, a revision, a bad line, two chunks of one file."""
    root = tmp_path / "in"
    root.mkdir()

    def story(number: int, **more: object) -> dict[str, object]:
        words = " ".join(f"word{number}x{i}" for i in range(30))
        return {"title": f"Story {number}", "text": words, "url": f"https://a.example/{number}", **more}

    def near(number: int) -> dict[str, object]:
        words = str(story(number)["text"]).split()
        words[3] = "changed"
        return {**story(number), "text": " ".join(words), "url": f"https://c.example/{number}"}

    copies = [story(number, url=f"https://b.example/{number}") for number in (1, 3, 301)] + [near(4), near(302)]
    files = {
        "1.jsonl": [story(number, date=f"2026-01-{number:02}") for number in range(1, 6)],
        "2.jsonl": [story(6), *copies, story(2, text="All of it is new, and it says other things now.")],
        "3.jsonl.gz": [story(number) for number in range(300, 300 + 300)],
        "4.jsonl": [story(1, date="2026-01-01"), story(7, text="")],
    }
    for name, rows in files.items():
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (root / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with (root / "4.jsonl").open("a") as file:
        file.write("{not json\n")
    return root


def run_to_end(saboteur: Saboteur, root: Path, output: Path, *crashes: tuple[int, bool]) -> int:
    """Run with the crashes one after the other, then to the end; how many steps the last run took."""
    config = plain_config(root, output, batch={"bytes": 1})
    for fatal, after in crashes:
        saboteur.arm(fatal, after)
        try:
            plain_run(config)
        except Crash:
            continue
        break
    saboteur.arm(-1, False)
    plain_run(config)
    return saboteur.count


@pytest.mark.timeout(3600)  # a minute of work, or two in the soak
def test_a_crash_at_every_step(
    saboteur: Saboteur, inputs: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Before each step, which leaves what a crash after the one before does; the soak makes sure that it is so."""
    steps = run_to_end(saboteur, inputs, tmp_path / "whole")
    expected = all_rows(tmp_path / "whole")
    assert len(expected["articles"]) == 5 + 2 + 300 + 1 and len(expected["duplicates"]) == 5
    assert sum("'method', 'jaccard'" in row for row in expected["duplicates"]) == 2
    assert all_rows(tmp_path / "whole", delta=True) == expected
    assert steps > 60
    crashes = [(fatal, False) for fatal in range(1, steps + 1)] + [(steps, True)]
    if request.config.getoption("--soak"):
        crashes += [(fatal, True) for fatal in range(1, steps)]
    for fatal, after in crashes:
        output = tmp_path / f"{fatal}{after}"
        run_to_end(saboteur, inputs, output, (fatal, after))
        assert all_rows(output) == expected, (fatal, after)
        assert all_rows(output, delta=True) == expected, (fatal, after)


def test_two_crashes_in_a_row(saboteur: Saboteur, inputs: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    steps = run_to_end(saboteur, inputs, tmp_path / "whole")
    expected = all_rows(tmp_path / "whole")
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(1000 if request.config.getoption("--soak") else 20):
        crashes = ((chance.randint(1, steps), chance.random() < 0.5), (chance.randint(1, 15), chance.random() < 0.5))
        output = tmp_path / f"twice{number}"
        run_to_end(saboteur, inputs, output, *crashes)
        assert all_rows(output) == expected, (seed, crashes)
        assert all_rows(output, delta=True) == expected, (seed, crashes)
