"""What the log remembers of feeds: of each the newest state. Derived: the newest snapshot and the tail."""

from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from pipeline.log import History, read_history, snapshot_name
from pipeline.sorted_files import KEY_FIELDS, key_pair, parquet_bytes, sorted_by_key
from schemas.feeds import FeedState
from schemas.records import Piece
from transforms.files import Store


class Change(NamedTuple):
    """What a poll makes of a feed's state."""

    before: FeedState
    after: FeedState
    ids: tuple[str, ...] = ()
    """For each record that it brought: its id among the state's `entries`; empty if it needs none there."""

    def upto(self, piece: Piece) -> FeedState:
        """The state when the records up to the end of a piece are in: only with the last is the poll done."""
        if piece.last:
            return self.after
        return replace(self.before, entries=(*self.before.entries, *filter(None, self.ids[: piece.end])))


SCHEMA = pa.schema([*KEY_FIELDS, pa.field("state", pa.string())])


def feed_states(store: Store, history: History) -> dict[str, FeedState]:
    """The newest state of every feed that was ever polled or added, by its address."""
    states: dict[str, FeedState] = {}
    if history.manifest.number:
        with store.open(snapshot_name(history.manifest.number, "feeds")) as source:
            for text in pq.read_table(source, columns=["state"])["state"].to_pylist():
                state = msgspec.json.decode(text, type=FeedState)
                states[state.url] = state
    for entry in history.tail:
        states |= {state.url: state for state in entry.feeds}
    return states


def states_in(store: Store) -> dict[str, FeedState]:
    """The same, from the log as it stands."""
    return feed_states(store, read_history(store))


def folded_states(store: Store, history: History) -> bytes:
    """The states as a file of a snapshot, sorted by the hash of the address."""
    rows = []
    for url, state in feed_states(store, history).items():
        key, check = key_pair(url)
        rows.append({"key": key, "check": check, "state": msgspec.json.encode(state).decode()})
    return parquet_bytes(sorted_by_key(pa.Table.from_pylist(rows, SCHEMA)))
