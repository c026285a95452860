"""The statistics of a PBX of Zadarma -> what its webhook would have told of each call."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from connectors.events import ParsedCall
from connectors.numbers import line_or_client
from connectors.pbx import NEVER, whole_seconds
from connectors.trees import Tree, moment, text
from connectors.zadarma.parse import call_of, record_of
from connectors.zadarma.settings import ZadarmaSettings

EXTENSION_MIN: Final = 3  # digits; a shorter destination is a menu
Row = Mapping[str, str]
_COLUMNS: Final = ("call_id", "sip", "callstart", "clid", "destination", "disposition", "seconds", "pbx_call_id")


def row_of(tree: Tree) -> dict[str, str]:
    """One line. `is_recorded` comes as "true", true or 1."""
    row = {name: text(tree, name) for name in _COLUMNS}
    return {**row, "is_recorded": "1" if str(tree.get("is_recorded")).lower() in ("true", "1") else "0"}


def calls_of(rows: Sequence[Row], zone: tzinfo, settings: ZadarmaSettings, region: str) -> list[tuple[ParsedCall, ...]]:
    """For each call its end and its recordings, oldest first. A line of statistics is one leg."""
    by_call: dict[str, list[Row]] = {}
    for row in rows:
        if row["pbx_call_id"]:
            by_call.setdefault(row["pbx_call_id"], []).append(row)
    told = [_call(legs, zone, settings, region) for legs in by_call.values() if _began(legs, zone) != NEVER]
    return sorted(told, key=lambda calls: calls[0].started_at or NEVER)


def _call(legs: list[Row], zone: tzinfo, settings: ZadarmaSettings, region: str) -> tuple[ParsedCall, ...]:
    is_out = legs[0]["pbx_call_id"].startswith("out") or (
        not legs[0]["pbx_call_id"].startswith("in") and bool(line_or_client(legs[0]["clid"], region).extension)
    )
    colleagues = [row for row in legs if is_out or _extension(row, region)]
    talked = [row for row in colleagues if row["disposition"] == "answered"]
    leg = (talked or colleagues or legs)[0]
    extension = (line_or_client(leg["sip"], region).extension if is_out else _extension(leg, region)) or ""
    began = _began(legs, zone)
    seconds = whole_seconds(leg["seconds"]) or 0
    fields = {
        "pbx_call_id": leg["pbx_call_id"],
        "call_start": began.strftime("%Y-%m-%d %H:%M:%S"),
        "caller_id": leg["clid"],
        "called_did": "" if is_out else line_or_client(leg["sip"], region).outside,
        "destination": leg["destination"] if is_out else "",
        "internal": extension,
        "duration": leg["seconds"],
        "disposition": leg["disposition"],
        "is_recorded": leg["is_recorded"],
        "call_id_with_rec": leg["call_id"] if leg["is_recorded"] == "1" else "",
    }
    ended = began + timedelta(seconds=seconds)
    in_utc = settings.model_copy(update={"timezone": "UTC"})
    end = call_of("NOTIFY_OUT_END" if is_out else "NOTIFY_END", fields, in_utc, region, ended)
    recorded = (row["call_id"] for row in legs if row["is_recorded"] == "1" and row["call_id"])
    records = (
        record_of({"pbx_call_id": leg["pbx_call_id"], "call_id_with_rec": name}) for name in dict.fromkeys(recorded)
    )
    return (end, *records)


def _began(legs: Sequence[Row], zone: tzinfo) -> datetime:
    return min(moment(row["callstart"], NEVER, zone) for row in legs)


def _extension(row: Row, region: str) -> str:
    """Who was rung: a destination of three digits and more, else the SIP number."""
    numbers = (line_or_client(row[name], region).extension for name in ("destination", "sip"))
    return next((found for found in numbers if len(found) >= EXTENSION_MIN), "")
