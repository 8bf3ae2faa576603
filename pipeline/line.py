"""The line, on one screen: from ticks to committed tables.

    ticks ─ plan ─ read ─ recognise copies ─ find names ─ find topics ─ write ─ commit

What flows is a chunk: up to 256 articles that travel together, with the pieces of input they came from. One straight
line, one PCollection: every article carries its own outcome, so there is nothing to join and nothing to wait for.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.transforms.userstate import BagStateSpec

from pipeline.config import Config
from pipeline.portable import check_worker
from pipeline.steps import Batch, Steps
from pipeline.stream import StreamSteps
from schemas.coder import pack, unpack
from schemas.records import Chunk


def line(ticks: "beam.PCollection[Batch]", steps: Steps) -> "beam.PCollection[int]":
    """From what each tick planned to the numbers of the log entries that committed it."""
    return (
        ticks
        | "plan" >> beam.FlatMap(steps.plan).with_output_types(Chunk)
        | "share out to read" >> SharedOut()
        | "read" >> beam.Map(steps.read).with_output_types(Chunk)
        | "recognise copies" >> Together(steps.recognise_copies).with_output_types(Chunk)
        | "share out to name" >> SharedOut()
        | "find names" >> beam.Map(steps.find_names).with_output_types(Chunk)
        | "find topics" >> beam.Map(steps.find_topics).with_output_types(Chunk)
        | "add own columns" >> beam.Map(steps.add_columns).with_output_types(Chunk)
        | "write" >> Together(steps.write, steps.shares).with_output_types(Chunk)
        | "commit" >> Together(steps.commit)
    )


def stream(ticks: "beam.PCollection[Any]", steps: StreamSteps) -> "beam.PCollection[int]":
    """The same line without an end: from ticks to the numbers of log entries. What flows is packed all the way."""
    return (
        ticks
        | "in one place" >> beam.Map(lambda _: (0, b"")).with_output_types(tuple[int, bytes])
        | "plan" >> beam.ParDo(OneAtATime(steps.plan)).with_output_types(bytes)
        | "share out to read" >> beam.Reshuffle()
        | "read" >> beam.Map(steps.read).with_output_types(bytes)
        | "recognise copies" >> beam.Map(steps.recognise_copies).with_output_types(bytes)
        | "share out to name" >> beam.Reshuffle()
        | "find names" >> beam.Map(steps.find_names).with_output_types(bytes)
        | "find topics" >> beam.Map(steps.find_topics).with_output_types(bytes)
        | "add own columns" >> beam.Map(steps.add_columns).with_output_types(bytes)
        | "again in one place" >> beam.Map(lambda packed: (0, packed)).with_output_types(tuple[int, bytes])
        | "write and commit" >> beam.ParDo(OneAtATime(steps.commit))
    )


def asked(pipeline: "beam.Pipeline", config: Config, expected: Sequence[str]) -> "beam.PCollection[None]":
    """A job that fails, and says why, where a worker lacks something."""
    return pipeline | "ask" >> beam.Impulse() | "a worker" >> beam.ParDo(Asked(config, expected))


class Asked(beam.DoFn):  # type: ignore[misc]
    """A class and no lambda, so that another Python can load it, and say that it is another."""

    def __init__(self, config: Config, expected: Sequence[str]) -> None:
        self.config, self.expected = config, expected

    def process(self, _: bytes) -> None:
        check_worker(self.config, self.expected)


class OneAtATime(beam.DoFn):  # type: ignore[misc]
    """Calls a function with one element after the other: a state, though unused, keeps a key in one place."""

    PLACE = BagStateSpec("place", VarIntCoder())

    def __init__(self, function: Callable[[bytes], Iterable[Any]]) -> None:
        self.function = function

    def process(self, keyed: tuple[int, bytes], place: Any = beam.DoFn.StateParam(PLACE)) -> Iterable[Any]:  # noqa: B008
        return self.function(keyed[1])


class SharedOut(beam.PTransform):  # type: ignore[misc]
    """Deals the chunks out to all workers."""

    def expand(self, chunks: "beam.PCollection[Chunk]") -> "beam.PCollection[Chunk]":
        return (
            chunks
            | "pack" >> beam.Map(pack).with_output_types(bytes)
            | "deal" >> beam.Reshuffle()
            | "unpack" >> beam.Map(unpack).with_output_types(Chunk)
        )


class Together(beam.PTransform):  # type: ignore[misc]
    """Calls a function with all chunks of the batch, in one place; or with each share of them, each in its own."""

    def __init__(
        self,
        function: Callable[[Iterable[Chunk]], Iterable[Any]],
        shares: Callable[[Chunk], Iterable[tuple[int, Chunk]]] = lambda chunk: [(0, chunk)],
    ) -> None:
        super().__init__()
        self.function, self.shares = function, shares

    def expand(self, chunks: "beam.PCollection[Chunk]") -> "beam.PCollection[Any]":
        return (
            chunks
            | "share" >> beam.FlatMap(self.shares).with_output_types(tuple[int, Chunk])
            | "pack" >> beam.MapTuple(lambda share, part: (share, pack(part))).with_output_types(tuple[int, bytes])
            | "gather" >> beam.GroupByKey()
            | "unpack" >> beam.FlatMap(lambda keyed: self.function(map(unpack, keyed[1])))
        )
