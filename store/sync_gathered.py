"""What settling many records changes, gathered record by record and stored in a few statements."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from store import sync_log, sync_pairs, sync_records
from store.sync_known import share
from store.sync_links import wake_links
from store.sync_records import Seen, Settled


@dataclass(slots=True)
class Gathered:
    """Of one sync. Lists are added to freely; `pair`, `dirty` and `wake` gather by themselves. `store` comes last."""

    sync: str
    settled: list[Settled] = field(default_factory=list)
    made: list[tuple[str, Seen, str]] = field(default_factory=list)
    """(side, the record that we made, its pair)"""
    keys: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(side, record id) -> its keys after a write of ours"""
    paired: list[tuple[str, str, str]] = field(default_factory=list)
    """(side, record id, its pair)"""
    writes: list[sync_log.Outcome] = field(default_factory=list)
    _pairs: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    _dirty: dict[tuple[str, bool], list[str]] = field(default_factory=lambda: defaultdict(list))
    _same: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    _wake: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def pair(self, pair_id: str, **values: Any) -> None:
        """As sync_pairs.change."""
        self._pairs[pair_id] |= values

    def dirty(self, side: str, ids: Collection[str], *, forget: bool = True) -> None:
        """As sync_records.mark_dirty; after all else, so that it stays dirty."""
        self._dirty[side, forget] += ids

    def wake(self, connection: str, object: str, id: str) -> None:
        """As sync_links.wake_links."""
        self._wake[connection, object].append(id)

    def same(self, object: str, one: tuple[str, str], other: tuple[str, str]) -> None:
        """(connection, record id) of two records that are the same thing; as sync_known.share, both ways."""
        self._same += [(object, *one, *other), (object, *other, *one)]

    def store(self, conn: Connection, now: datetime) -> None:
        sync_log.settle_writes(conn, self.writes)
        sync_pairs.change_many(conn, self._pairs)
        sync_records.put(conn, self.sync, self.made, now)
        sync_records.set_pairs(conn, self.sync, self.paired)
        sync_records.settle(conn, self.sync, self.settled)
        sync_records.new_keys(conn, self.sync, self.keys)
        for (side, forget), ids in self._dirty.items():
            sync_records.mark_dirty(conn, self.sync, side, ids, forget=forget)
        share(conn, self._same, now)
        for (connection, object), ids in self._wake.items():
            wake_links(conn, connection, object, ids)
