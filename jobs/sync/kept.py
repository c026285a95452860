"""A pair on its way through a pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from connectors.records import Record
from jobs.sync.deciding import Decision, RecordNow
from jobs.sync.linking import Raw
from jobs.sync.run import Run
from leads.merge import Side
from store.sync_pairs import Pair


@dataclass(slots=True)
class End:
    """One record of a pair, with what is stored of it."""

    row: Row[Any]
    values: Mapping[str, Any] | None = None
    record: Record | None = None
    links: Raw = field(default_factory=dict)
    pairs: Mapping[str, Mapping[str, Pair]] = field(default_factory=dict)


@dataclass(slots=True)
class Kept:
    """One pair on its way through."""

    pair: Pair
    left: End
    right: End
    decision: Decision = field(default_factory=Decision)
    status: str = ""
    stopped: str = ""
    """The field that went to and fro too often."""
    stopped_by: str = ""
    """The sync that wrote it there each time, if one of ours did."""

    def end(self, side: Side) -> End:
        return self.left if side == "left" else self.right


def record_now(run: Run, one: Kept, side: Side) -> RecordNow:
    end = one.end(side)
    row, record = end.row, end.record
    at, by = row.edited_at, row.modified_by
    if record is not None and record.modified_at is not None and record.modified_at != row.modified_at:
        at, by = record.modified_at, record.modified_by
    names = {to: {pair.id: id for id, pair in pairs.items()} for to, pairs in end.pairs.items()}
    return RecordNow(row.record_id, end.values or {}, run.clocks.ours(side, at), by, names)
