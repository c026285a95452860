"""Events are durable before they are answered, and made into leads afterwards, on both databases."""

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select

from connectors.doors import Inbound
from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import Hub
from jobs.reports import day_status
from store.inbox import backlog
from store.tables import t_lead
from tests.jobs.test_call_intake import CONFIG
from tests.support.databases import QuickDatabase
from tests.support.manual_clock import ManualClock


def test_what_a_dead_process_accepted_is_made_a_lead_by_the_next_one(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(database=database_url), encoding="utf-8")
    first, second = _hub(tmp_path, database_url), _hub(tmp_path, database_url)
    body = b"event=hangup&linkedid=7.1&uniqueid=7.1&direction=in&caller=79161234567&did=74951112233&billsec=0"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = Inbound("POST", "", [], headers, body, "203.0.113.7", first.clock.now())
    source = first.intake.source("pbx")
    assert source is not None
    for _ in range(2):
        assert asyncio.run(first.intake.receive(source, request)).status == 200
    assert asyncio.run(second.db.read(backlog)).count == 2
    today, zone = first.clock.now().date(), ZoneInfo("UTC")
    told = asyncio.run(second.db.read(lambda conn: day_status(conn, today, zone, [], first.clock.now())))
    assert (told.events.count, told.fine) == (2, False)
    asyncio.run(second.intake.inbox.drain())
    asyncio.run(first.intake.inbox.drain())
    assert asyncio.run(second.db.read(backlog)).count == 0
    told = asyncio.run(second.db.read(lambda conn: day_status(conn, today, zone, [], first.clock.now())))
    assert told.to_json()["events_waiting"] == 0
    uids = asyncio.run(second.db.read(lambda conn: conn.execute(select(t_lead.c.lead_uid)).scalars().all()))
    assert uids == ["call:7.1"]
    for hub in (first, second):
        asyncio.run(hub.stop())


def _hub(folder: Path, url: str) -> Hub:
    hub = build_hub(load(folder / "config.yaml", {}), clock=ManualClock(), db=QuickDatabase(url), inline_spool=True)
    hub.spool.open()
    return hub
