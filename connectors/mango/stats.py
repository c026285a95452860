"""The basic statistics of Mango Office, a line for each leg -> what the webhook would have told of each call."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.events import ParsedCall
from connectors.mango.parse import ZONE_AHEAD, record_added, summary
from connectors.trees import Tree

FIELDS: Final = (
    *("records", "start", "finish", "answer", "from_extension", "from_number", "to_extension", "to_number"),
    *("disconnect_reason", "line_number", "location", "create", "entry_id"),
)
"""Columns, in the order in which they are asked for. There is no line with names."""
_CLOCKS_DIFFER: Final = timedelta(minutes=10)

Row = dict[str, str]


def rows_of(text: str) -> list[Row]:
    """Lines with an entry_id. Nothing is quoted; a short line lacks its last columns."""
    lines = csv.reader(text.lstrip("\ufeff").splitlines(), delimiter=";", quoting=csv.QUOTE_NONE)
    rows = [dict(zip(FIELDS, (value.strip() for value in line), strict=False)) for line in lines]
    return [row for row in rows if row.get("entry_id") and _seconds(row, "finish")]


def runs_ahead(rows: Sequence[Row], now: datetime) -> bool:
    """Whether times are counted in Moscow's zone: something is told of that lies in the future."""
    return any(datetime.fromtimestamp(_seconds(row, "finish"), UTC) > now + _CLOCKS_DIFFER for row in rows)


def calls_of(rows: Sequence[Row], region: str, *, ahead: bool) -> list[tuple[ParsedCall, ...]]:
    """For each call its summary and its recordings, oldest call first."""
    by_entry: dict[str, list[Row]] = {}
    for row in rows:
        by_entry.setdefault(row["entry_id"], []).append(row)
    calls = [_call(legs, region, ahead=ahead) for legs in by_entry.values()]
    return sorted(calls, key=lambda told: told[0].started_at or told[0].ended_at or datetime.min.replace(tzinfo=UTC))


def _call(legs: list[Row], region: str, *, ahead: bool) -> tuple[ParsedCall, ...]:
    legs = sorted(legs, key=lambda row: _seconds(row, "start"))
    first, last = legs[0], max(legs, key=lambda row: _seconds(row, "finish"))
    incoming = not any(row.get("from_extension") for row in legs)
    rang = [row for row in legs if row.get("location", "") in ("abonent", "") and not (incoming and _is_menu(row))]
    talked = [row for row in rang if _seconds(row, "answer")]
    leg = min(talked, key=lambda row: _seconds(row, "answer")) if talked else (rang or legs)[0]
    finish = _seconds(last, "finish")
    entry: Tree = {
        "entry_id": first["entry_id"],
        "call_direction": 1 if incoming else 2 if not leg.get("to_extension") else 0,
        "from": {"extension": leg.get("from_extension"), "number": leg.get("from_number") or first.get("from_number")},
        "to": {"extension": leg.get("to_extension"), "number": leg.get("to_number")},
        "line_number": next((row["line_number"] for row in legs if row.get("line_number")), ""),
        "create_time": min(_seconds(row, "create") or _seconds(row, "start") for row in legs),
        "forward_time": _seconds(leg, "start"),
        "talk_time": _seconds(leg, "answer") if talked else 0,
        "end_time": finish,
        "disconnect_reason": last.get("disconnect_reason"),
    }
    came_at = datetime.fromtimestamp(finish, UTC) - (ZONE_AHEAD if ahead else timedelta(0))
    recordings = dict.fromkeys(name for row in legs for name in _recordings(row))
    return (
        summary(entry, region, came_at),
        *(
            record_added({"entry_id": first["entry_id"], "recording_id": name, "timestamp": finish}, region, came_at)
            for name in recordings
        ),
    )


def _is_menu(row: Row) -> bool:
    """A line of an incoming call that names no colleague: a menu or queue picked up."""
    return not (row.get("to_extension") or row.get("to_number"))


def _recordings(row: Row) -> list[str]:
    """`[id,id]`"""
    return [name for name in (part.strip() for part in row.get("records", "").strip("[]").split(",")) if name]


def _seconds(row: Row, name: str) -> int:
    text = row.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 11 else 0
