"""`watch` as one unbounded pipeline, on Prism and on Flink: exact, whoever is killed meanwhile."""

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pipeline import delta
from pipeline.config import Config
from pipeline.lock import LOCK, held, say
from pipeline.log import STAGING, index_name, newest_manifest, read_history
from pipeline.run import Summary
from pipeline.snapshots import fold
from pipeline.staging import process_lives
from pipeline.stream import StreamSteps
from pipeline.verify import verify_warehouse
from pipeline.warehouse import open_warehouse
from pipeline.watch import Flow, Order, Stream
from pipeline.watch import watch as watch_for_ever
from pipeline.watcher import STATE, State, Watcher, job_of
from schemas.errors import UsageError, WorldError
from schemas.tables import TABLES
from tests.command import kill, newsbeam
from tests.engines import flink, needs
from tests.near_stories import near_stories
from tests.parity import Told, check_like, told, write_inputs
from tests.plain import plain_config, plain_run
from tests.stories import stories
from tests.tables import all_rows
from tests.test_line import descendants_named
from tests.test_watch import check, drain, lines, records, wait_for, watch
from transforms.files import store_at

engines = pytest.mark.engines


def config_of(root: Path, **more: object) -> Config:
    (root / "in").mkdir(exist_ok=True)
    watch = {"interval": 0.001, "quiet": 0, "commit_every": 0, **more}
    return plain_config(root / "in", root / "out", watch=watch)


class Played:
    """The steps of the stream, called in any order that an engine might, with anything lost that it might lose."""

    def __init__(self, config: Config, job: str) -> None:
        self.config, self.steps = config, StreamSteps(config, job)
        self.watcher = Watcher(config, job)

    def ticked(self) -> list[bytes]:
        from pipeline.stream import pack

        time.sleep(0.002)
        return [pack(batch) for batch in self.watcher.tick()]

    def decided(self, packed: bytes) -> bytes:
        packed = self.steps.recognise_copies(self.steps.read(packed))
        return self.steps.add_columns(self.steps.find_topics(self.steps.find_names(packed)))


def test_any_interleaving_is_exact(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Chunks cross, come twice, are lost; the planner forgets; another writer takes numbers: every text is in once."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    for number in range(100 if request.config.getoption("--soak") else 1):
        chance, root = random.Random(seed + number), tmp_path / str(number)
        root.mkdir()
        config = config_of(root)
        rows = list(stories(chance.randrange(1000), 96))
        chance.shuffle(rows)
        open_warehouse(config.output)
        with held(store_at(config.output)) as mine:
            played, flying = Played(config, job_of(mine)), list[tuple[bool, bytes]]()
            todo = [rows[first : first + 8] for first in range(0, len(rows), 8)]
            while todo or flying or played.watcher._handed:
                match chance.randrange(8):
                    case 0 | 1 if todo:
                        (root / f"in/{len(todo)}.jsonl").write_text(lines(todo.pop()))
                        flying += [(False, packed) for packed in played.ticked()]
                    case 2 if flying:
                        flying.append(chance.choice(flying))
                    case 3 if flying and chance.random() < 0.3:
                        played, flying = Played(config, job_of(mine)), flying[1:]
                    case 4 | 5 if flying:
                        ready, packed = flying.pop(chance.randrange(len(flying)))
                        flying.append((True, packed if ready else played.decided(packed)))
                    case 6 | 7 if any(ready for ready, _ in flying):
                        one = chance.choice([one for one in flying if one[0]])
                        flying.remove(one)
                        list(played.steps.commit(one[1]))
                    case _:
                        flying += [(False, packed) for packed in played.ticked()]
        check(root, rows)


def test_a_job_ends_with_its_driver(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    open_warehouse(config.output)
    store = store_at(config.output)
    with held(store) as mine:
        played = Played(config, job_of(mine))
        (tmp_path / "in/a.jsonl").write_text(lines(list(stories(1, 5))))
        (packed,) = played.ticked()
        (tmp_path / "in/b.jsonl").write_text(lines(list(stories(2, 5))))
        say(store, mine, draining=1)
        assert played.ticked() == []
        assert len(list(played.steps.commit(played.decided(packed)))) == 1  # what was handed out still arrives
    with pytest.raises(WorldError, match="driver of this job has ended"):  # nobody holds the warehouse
        played.ticked()
    with held(store) as other:
        first = Played(config, job_of(other))
        assert len(first.ticked()) == 1
        store.write(LOCK, b"torn")
        assert first.ticked() == []
        say(store, other, job=2)
        with pytest.raises(WorldError, match="or started another"):
            first.ticked()
        assert len(Played(config, job_of(other)).ticked()) == 1


class Silent:
    """An engine whose jobs run and do nothing; when one after another was started, we are asked to end."""

    def __init__(self, begin: Callable[[State], object]) -> None:
        self.ended, self.jobs, self.begin = threading.Event(), 0, begin

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def stream(self, job: str) -> "Silent":
        self.begin(State(job, ticks=1))
        self.jobs += 1
        if self.jobs == 3:
            self.ended.set()
        return self

    def runs(self, seconds: float) -> bool:
        time.sleep(seconds)
        return not self.ended.is_set()


@pytest.mark.parametrize("begins", [False, True])
def test_a_job_that_does_nothing_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: bool) -> None:
    """It may begin and then fall silent, as it does when the clock was moved back: its ticks wait for the old time."""
    config, heard = config_of(tmp_path).model_copy(update={"worker_timeout": 0.05}), list[str]()
    open_warehouse(config.output)
    store = store_at(config.output)
    engine = Silent(lambda state: begins and store.write(STATE, msgspec.json.encode(state)))
    monkeypatch.setattr("pipeline.portable.PortableEngine", lambda *_: engine)
    monkeypatch.setattr("pipeline.watch._SILENCE", 0.1)
    with held(store) as mine:
        hear = lambda what, value: heard.append(f"{what} {value}")  # noqa: E731
        Stream(Order(config, (), Summary(), Flow(), hear, mine, engine.ended)).until_ended()
        assert mine["job"] == engine.jobs == 3
    assert len([line for line in heard if "trouble The engine's job gave no sign of life" in line]) == 2


def test_the_clock_is_moved_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning goes by the monotonic clock, so what comes then is read as ever, and no later than ever."""
    config, rows, clock = config_of(tmp_path), list(stories(9, 40)), time.time
    open_warehouse(config.output)
    with held(store_at(config.output)) as mine:
        played = Played(config, job_of(mine))
        for number in range(4):
            (tmp_path / f"in/{number}.jsonl").write_text(lines(rows[number * 10 : number * 10 + 10]))
            while not (ticked := played.ticked()):
                pass
            monkeypatch.setattr(time, "time", lambda hours=number + 1: clock() - hours * 3600)
            assert len(list(played.steps.commit(played.decided(*ticked)))) == 1
    check(tmp_path, rows)


def test_feeds_are_refused(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.watch.engine_for", lambda *_: None)  # no engine is needed for it
        config = config_of(tmp_path).model_copy(update={"runner": "PrismRunner", "input": ("https://x.example/feed",)})
        with pytest.raises(UsageError, match="polls no feeds on PrismRunner"):
            watch_for_ever(config, (), Summary(), Flow(), lambda what, value: None)


def test_what_is_on_its_way_is_bounded(tmp_path: Path) -> None:
    config = config_of(tmp_path).model_copy(update={"batch": Config().batch.model_copy(update={"bytes": 20_000})})
    open_warehouse(config.output)
    for number, row in enumerate(stories(3, 300)):
        (tmp_path / f"in/{number}.jsonl").write_text(lines([row]))
    with held(store_at(config.output)) as mine:
        played = Played(config, job_of(mine))
        for _ in range(10):
            played.ticked()
        assert 20_000 <= sum(one.bytes for one in played.watcher._handed) <= 60_000


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_near_copies_are_decided_again(tmp_path: Path, order: tuple[str, str]) -> None:
    """Two chunks were decided before either was committed: the tables are those of two runs, one after the other."""
    rows = list(near_stories(5, 8))
    parts = {"a": rows[::2], "b": rows[1::2]}
    config = config_of(tmp_path)
    open_warehouse(config.output)
    with held(store_at(config.output)) as mine:
        played = Played(config, job_of(mine))
        decided = {}
        for name, part in parts.items():
            (tmp_path / f"in/{name}.jsonl").write_text(lines(part))
            while not (ticked := played.ticked()):
                pass
            (decided[name],) = map(played.decided, ticked)
        for name in order:
            assert len(list(played.steps.commit(decided[name]))) == 1
    for name in order:
        plain_run(plain_config(tmp_path / "in", tmp_path / "plain", f"{name}.jsonl"))
    assert all_rows(tmp_path / "out") == all_rows(tmp_path / "plain")
    assert sum("'method', 'exact'" not in row for row in all_rows(tmp_path / "out")["duplicates"]) >= 2
    assert verify_warehouse(config.output).problems == []


def test_a_zombie_loses_the_number(tmp_path: Path) -> None:
    """A committer that slept through another's work on the same files adds nothing."""
    config = config_of(tmp_path)
    rows = list(stories(5, 40))
    (tmp_path / "in/a.jsonl").write_text(lines(rows))
    open_warehouse(config.output)
    with held(store_at(config.output)) as mine:
        played = Played(config, job_of(mine))
        (asleep,) = map(played.decided, played.ticked())
    plain_run(config)
    before = read_history(store_at(config.output)).position
    assert list(played.steps.commit(asleep)) == []
    assert read_history(store_at(config.output)).position == before
    assert verify_warehouse(config.output).problems == []
    assert store_at(config.output).names(STAGING) == []


def test_who_comes_late_to_publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone else published a batch, folded it and removed what it had folded, after we had seen it unpublished."""
    config = config_of(tmp_path)
    (tmp_path / "in/a.jsonl").write_text(lines(list(stories(7, 10))))
    plain_run(config)
    warehouse = open_warehouse(config.output)
    warehouse.store.remove(index_name(1))
    done, fresh = delta.done, iter([0])
    monkeypatch.setattr(delta, "done", lambda store, table: next(fresh, done(store, table)))
    assert warehouse.refresh().position == 1
    warehouse.store.remove("runs")
    delta.create(warehouse.store, TABLES["runs"])
    with pytest.raises(FileNotFoundError):
        warehouse.refresh()


def test_the_log_is_folded_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tmp_path)
    for name in "ab":
        (tmp_path / f"in/{name}.jsonl").write_text(lines(list(stories(ord(name), 10))))
        plain_run(config)
    warehouse = open_warehouse(config.output)
    stale = iter([newest_manifest(warehouse.store)])
    fold(warehouse.store, warehouse.history)
    (tmp_path / "in/c.jsonl").write_text(lines(list(stories(8, 10))))
    plain_run(config)
    monkeypatch.setattr("pipeline.log.newest_manifest", lambda store: next(stale, None) or newest_manifest(store))
    assert read_history(warehouse.store).position == 3


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """1,000 articles, or 5,000: samples in all formats, stories and newswire with exact and near copies."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder, 43, 5000 if request.config.getoption("--soak") else 1000)
    return folder


@pytest.fixture(scope="module")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What one run says of them, in one batch."""
    output = str(tmp_path_factory.mktemp("run") / "out")
    options = ("--set", f"root={inputs}", "--set", "models.en=null")
    newsbeam("run", "--input", str(inputs), "--output", output, *options)
    return told(output)


class Arrivals:
    """Files that come into a watched folder in random order, and some time after one another."""

    def __init__(self, inputs: Path, folder: Path) -> None:
        self._chance = random.Random(seed := random.randrange(1 << 32))
        print(f"seed {seed}")
        self._inputs, self._folder = inputs, folder
        self._todo = sorted(path.relative_to(inputs) for path in inputs.rglob("*") if path.is_file())
        self._chance.shuffle(self._todo)

    def come(self, parts: int) -> None:
        """One of so many equal parts of what has not come yet."""
        for _ in range(-(-len(self._todo) // parts)):
            name = self._todo.pop()
            (self._folder / name.parent).mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._inputs / name, draft := self._folder / name.parent / f".{name.name}")
            draft.rename(self._folder / name)
            time.sleep(self._chance.uniform(0, 0.4))

    def pause(self) -> None:
        time.sleep(self._chance.uniform(0, 4))


QUICK = ("--set", "watch.quiet=0.5", "--set", "watch.commit_every=1", "--set", "watch.interval=1")


@engines
def test_prism_killed_and_started_again(
    inputs: Path, expected: Told, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Driver, worker and Prism are killed at once, time and again, and at last Prism alone: the tables are those of a
    run."""
    prism = ("--runner", "PrismRunner", "--", f"--prism_location={needs('bin/prism')}")
    options = (*QUICK, "--set", f"root={tmp_path / 'in'}", *prism)
    arrivals = Arrivals(inputs, tmp_path / "in")
    rounds = 10 if request.config.getoption("--soak") else 2
    for number in range(rounds):
        process = watch(tmp_path, *options)
        arrivals.come(rounds + 2 - number)
        arrivals.pause()
        kill(process)
    process, before = watch(tmp_path, *options), records(tmp_path)
    arrivals.come(2)
    wait_for(process, lambda: records(tmp_path) > before, 300)
    os.kill(descendants_named(process.pid, "prism")[-1], signal.SIGKILL)
    arrivals.come(1)
    wait_for(process, lambda: records(tmp_path) == expected.read, 300)
    err = drain(process)
    assert "The engine went away." in err and "Trying again." in err, err
    check_like(tmp_path / "out", expected)


@engines
def test_flink_is_killed(inputs: Path, expected: Told, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The busy TaskManager, Python workers, Beam's job server, and the JobManager with all checkpoints are killed in
    one run, while news arrives: it goes on by itself, and the tables are those of a run. No job is left after it."""
    deaths = ["tasks", "python", "tasks", "python", "tasks", "server", "manager"]
    if not request.config.getoption("--soak"):
        deaths = deaths[:2]
    arrivals = Arrivals(inputs, tmp_path / "in")
    with flink(tmp_path / "flink") as (cluster, options):
        options = ["--set", f"root={tmp_path / 'in'}", "--runner", "PortableRunner", "--", *options]
        process = watch(tmp_path, *QUICK, "--set", "worker_timeout=120", *options)
        arrivals.come(len(deaths) + 1)
        wait_for(process, lambda: records(tmp_path) > 0, 900)
        for number, who in enumerate(deaths):
            left = cluster.kill(who)
            killed, before = time.monotonic(), records(tmp_path)
            arrivals.come(len(deaths) - number)
            wait_for(process, lambda before=before: records(tmp_path) > before, 900)  # type: ignore[misc]
            print(f"{who} killed: next rows after {time.monotonic() - killed:.0f} s")
            wait_for(process, lambda left=left: not any(map(process_lives, left)), 300)  # type: ignore[misc]
        wait_for(process, lambda: records(tmp_path) == expected.read, 900)
        drain(process)
        cluster.manager.wait_until(lambda: cluster.overview()["jobs-running"] == 0, 300)
    check_like(tmp_path / "out", expected)
