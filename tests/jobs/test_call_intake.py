"""Events of a call, in any order and however often each comes, through the whole intake into the database."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from connectors.doors import Parsed
from connectors.events import ParsedCall
from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import Hub
from leads.callbacks import is_missed
from leads.calls import Call, CallEvent, call_of
from store.call_tables import t_call_recording, t_missed_call
from store.conversation_tables import t_conversation_note, t_note_duty
from store.db import InlineDatabase
from store.intake import RawRequest
from store.tables import t_call, t_lead
from tests.support.manual_clock import ManualClock

CONFIG = """
hub: {{database: "{database}", default_region: RU, secret_key: key-of-the-tests-0001}}
connections: {{amo: {{type: amocrm, base_url: "http://amo.test", access_token: sandbox}}}}
sources: {{pbx: {{type: asterisk, lines: {{"+74951112233": {{title: Board, utm_source: billboard}}}}}}}}
routes: [{{from: [pbx], to: [amo]}}]
"""
LINK = "https://rec.example.test/1.mp3"
RAW = RawRequest("POST", "/in/pbx", {}, b"")
NUMBERS = count(10_000)
QUIET = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Iterator[Hub]:
    (tmp_path / "config.yaml").write_text(CONFIG.format(database=database_url), encoding="utf-8")
    clock = ManualClock()
    made = build_hub(
        load(tmp_path / "config.yaml", {}), clock=clock, db=InlineDatabase(database_url), inline_spool=True
    )
    made.spool.open()
    yield made
    asyncio.run(made.stop())


def events_of(talked: bool, recorded: bool) -> list[dict[str, Any]]:
    """What a PBX tells of one call, in the order in which it happens; seconds after the beginning as `s`."""
    end = {"disposition": "answered", "talk_s": 51} if talked else {"disposition": "missed", "talk_s": 0}
    told: list[dict[str, Any]] = [
        {"event_id": "ring", "state": "ringing", "s": 0},
        {"event_id": "desk", "state": "ringing", "extension": "101", "s": 3},
        {"event_id": "hangup", "state": "ended", "s": 60},
        {"event_id": "end", "state": "ended", "s": 60, "extension": "101" if talked else "", **end},
    ]
    if talked:
        told.insert(2, {"event_id": "answer", "state": "talking", "extension": "101", "s": 9})
    if recorded:
        told.append({"event_id": "record", "recording_url": LINK, "s": 300})
    return told


@st.composite
def stories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """All events of a call at least once, in any order, some of them again."""
    whole = events_of(draw(st.booleans()), draw(st.booleans()))
    again = draw(st.lists(st.sampled_from(whole), max_size=4))
    story: list[dict[str, Any]] = draw(st.permutations([*whole, *again]))
    return story


@QUIET
@given(story=stories())
def test_one_call_is_one_lead_with_one_link_whatever_happens_on_the_way(hub: Hub, story: list[dict[str, Any]]) -> None:
    number = next(NUMBERS)
    call_id, client = f"c{number}", f"+791612{number:05}"
    began = hub.clock.now()
    parsed = [_parsed(call_id, client, one, began) for one in story]
    source = hub.intake.source("pbx")
    assert source is not None
    for one in parsed:
        asyncio.run(hub.db.write(lambda conn, one=one: hub.intake.take_in(conn, source, RAW, Parsed(calls=(one,)))))
        hub.clock.forward(1.0)  # type: ignore[attr-defined]  # a ManualClock
    asyncio.run(hub.db.read(lambda conn: _holds(conn, call_id, parsed)))


def _parsed(call_id: str, client: str, one: dict[str, Any], began: Any) -> ParsedCall:
    told = {name: value for name, value in one.items() if name != "s"}
    at = began + timedelta(seconds=one["s"])
    return ParsedCall(call_id, direction="in", client=client, line="+74951112233", at=at, started_at=began, **told)


def _holds(conn: Connection, call_id: str, parsed: list[ParsedCall]) -> None:
    row = conn.execute(select(t_call).where(t_call.c.key == call_id)).one()
    stored = Call.from_json(row.data)
    names = [name for name in CallEvent.__slots__ if hasattr(parsed[0], name)]
    assert stored == call_of(CallEvent(**{name: getattr(one, name) for name in names}) for one in parsed)
    (lead,) = conn.execute(select(t_lead).where(t_lead.c.lead_uid == f"call:{call_id}")).all()
    assert row.lead_id == lead.id
    assert (lead.data["utm"], lead.data["call"]["line_title"]) == ({"utm_source": "billboard"}, "Board")
    missed = conn.execute(select(t_missed_call).where(t_missed_call.c.id == row.id)).all()
    assert len(missed) == is_missed(stored)
    recorded = any(one.recording_url for one in parsed)
    in_lead = LINK in json.dumps(lead.data["call"])
    duties = conn.execute(select(t_note_duty).where(t_note_duty.c.lead_id == lead.id)).all()
    assert (in_lead + len(duties)) == recorded, "told with the call, or by itself afterwards, never both"
    for duty in duties:
        note = conn.execute(select(t_conversation_note).where(t_conversation_note.c.id == duty.note_id)).one()
        assert LINK in note.text
    assert len(conn.execute(select(t_call_recording).where(t_call_recording.c.id == row.id)).all()) == recorded
