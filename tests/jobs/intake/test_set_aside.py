"""A fault of ours while a request is taken in: it is kept, tried again, told of, and holds up nobody else."""

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.doors import Inbound, Parsed, RateLimit, Receipt, Reply
from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import Hub
from jobs.intake.source import Source
from jobs.reports import day_status
from store.db import StoreUnavailable
from store.inbox import backlog, discard, stuck
from store.intake import lead_from_row
from store.refused import refused_requests
from store.tables import t_event, t_lead
from tests.support.databases import QuickDatabase
from tests.support.manual_clock import ManualClock

CONFIG = """
hub: {{database: "{database}", default_region: RU, secret_key: key-of-the-tests-0001, spool_dir: "{spool}"}}
connections: {{amo: {{type: amocrm, base_url: "http://amo.test", access_token: sandbox}}}}
sources:
  site: {{type: webform}}
  pbx: {{type: asterisk}}
  kassa: {{type: yookassa}}
  vk: {{type: vk, confirmation: fake-vk-code}}
routes: [{{from: ["*"], to: [amo]}}]
"""
LATER = timedelta(minutes=11)
LONG = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))
"""It cannot be compressed to what an index of PostgreSQL takes."""


class Database(QuickDatabase):
    """Away when told so."""

    away = False

    async def _run(self, *args: Any, **named: Any) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        return await super()._run(*args, **named)


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Iterator[Hub]:
    text = CONFIG.format(database=database_url, spool=tmp_path / "spool")
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    made = build_hub(
        load(tmp_path / "config.yaml", {}), clock=ManualClock(), db=Database(database_url), inline_spool=True
    )
    made.spool.open()
    yield made
    asyncio.run(made.stop())


def test_what_a_door_fails_at_is_taken_in_once_the_door_is_mended(hub: Hub) -> None:
    reply = _receive(hub, _broken(hub, "site"), _form(hub))
    promised = json.loads(reply.body)
    assert (reply.status, promised["status"]) == (202, "accepted")
    assert [(one.source, one.tries, one.error) for one in _stuck(hub)] == [("site", 1, "KeyError")]
    today = hub.clock.now().date()
    told = asyncio.run(hub.db.read(lambda conn: day_status(conn, today, hub.settings.hub.zone, [], hub.clock.now())))
    assert (told.to_json()["events_waiting"], told.fine) == (1, False)
    _later(hub)
    assert _leads(hub) == [(promised["lead_id"], "+79161234567")]
    assert not _stuck(hub)


def test_what_the_database_does_not_take_is_kept_and_does_not_hold_up_others(hub: Hub) -> None:
    accept = hub.intake._accept

    def refuse_some(conn: Any, items: Any) -> Any:
        if any("+79160000000" in item.lead.phones for item in items):
            raise ValueError("this value is out of range")
        return accept(conn, items)

    hub.intake._accept = refuse_some
    bad, good = asyncio.run(_both(hub, _form(hub, "+79160000000"), _form(hub)))
    assert (bad.status, good.status) == (202, 202)
    assert [phone for _, phone in _leads(hub)] == ["+79161234567"]
    assert [one.error for one in _stuck(hub)] == ["ValueError"]
    hub.intake._accept = accept
    _later(hub)
    assert (json.loads(bad.body)["lead_id"], "+79160000000") in _leads(hub)


def test_a_sender_s_repeat_of_it_is_one_lead(hub: Hub) -> None:
    for _ in range(2):
        assert _receive(hub, _broken(hub, "site"), _form(hub)).status == 202
    _later(hub)
    assert len(_leads(hub)) == 1


def test_a_call_with_its_events_is_kept_too(hub: Hub) -> None:
    body = b"event=hangup&linkedid=7.1&uniqueid=7.1&direction=in&caller=79161234567&did=74951112233&billsec=0"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert _receive(hub, _broken(hub, "pbx"), _request(hub, body, headers)).status == 200
    _later(hub)
    assert [phone for _, phone in _leads(hub)] == ["+79161234567"]


def test_a_record_of_the_spool_that_nobody_can_read_lets_those_behind_it_go(hub: Hub) -> None:
    assert isinstance(hub.db, Database)
    hub.db.away = True
    first = _receive(hub, _broken(hub, "pbx"), _form(hub, "+79160000000"))
    second = _receive(hub, _source(hub, "site"), _form(hub))
    assert (first.status, second.status, hub.spool.waiting) == (200, 202, 2)
    hub.db.away = False
    sources = dict(hub.intake._sources)
    hub.intake._sources = {**sources, "pbx": _broken(hub, "pbx")}
    assert asyncio.run(hub.intake.drain()) == 2
    assert hub.spool.waiting == 0
    assert [phone for _, phone in _leads(hub)] == ["+79161234567"]
    assert [(one.source, one.error) for one in _stuck(hub)] == [("pbx", "KeyError")]


def test_what_cannot_be_proven_because_of_a_fault_is_not_let_in_and_can_be_run_again(hub: Hub) -> None:
    source = _source(hub, "site")

    def verify(_settings: Any, _inbound: Inbound) -> None:
        raise IndexError

    reply = _receive(hub, replace(source, door=replace(source.door, verify=verify)), _form(hub))
    assert reply.status == 500
    rows = asyncio.run(hub.db.read(refused_requests, source="site", limit=9))
    assert [(row.status, row.reason, bool(row.is_kept)) for row in rows] == [
        (500, "leadhub failed at its proof: IndexError", True)
    ]
    assert not _leads(hub)
    assert asyncio.run(hub.db.read(backlog)).count == 0


def test_its_answer_is_what_the_door_would_have_said(hub: Hub) -> None:
    source = _source(hub, "site")
    seen: list[Receipt] = []

    def answer(_settings: Any, _inbound: Inbound, _parsed: Parsed, receipts: Any) -> Reply:
        seen.extend(receipts)
        return Reply(200, b"ok")

    def refuse(conn: Any, items: Any) -> Any:
        raise ValueError

    accept, hub.intake._accept = hub.intake._accept, refuse
    assert _receive(hub, replace(source, door=replace(source.door, reply=answer)), _form(hub)).body == b"ok"
    hub.intake._accept = accept
    _later(hub)
    assert [lead_id for lead_id, _ in _leads(hub)] == [seen[0].lead_id]


def test_an_id_that_is_longer_than_an_index_takes_is_taken_in_all_the_same(hub: Hub) -> None:
    """The same for a repeat, which is recognised."""
    told = {"phone": "+79161234567", "external_id": LONG, "lead_uid": LONG}
    form = _request(hub, json.dumps(told).encode(), {"content-type": "application/json"})
    replies = [json.loads(_receive(hub, _source(hub, "site"), form).body) for _ in range(2)]
    assert [one["status"] for one in replies] == ["accepted", "duplicate"]
    assert _leads(hub) == [(replies[0]["lead_id"], "+79161234567")]
    payment = {"id": LONG, "status": "succeeded", "amount": {"value": "49.00", "currency": "RUB"}}
    body = json.dumps({"type": "notification", "event": "payment.succeeded", "object": payment}).encode()
    ids = f"event=hangup&linkedid={LONG}&uniqueid={LONG}"
    call = f"{ids}&direction=in&caller=79160000000&did=74951112233&billsec=0".encode()
    for _ in range(2):
        paid = replace(_request(hub, body, {"content-type": "application/json"}), remote_ip="77.75.156.11")
        assert _receive(hub, _source(hub, "kassa"), paid).status == 200
        called = _request(hub, call, {"content-type": "application/x-www-form-urlencoded"})
        assert _receive(hub, _source(hub, "pbx"), called).status == 200
        asyncio.run(hub.intake.inbox.drain())
    assert not _stuck(hub)
    assert hub.spool.waiting == 0
    events = asyncio.run(hub.db.read(lambda conn: conn.execute(select(t_event.c.kind).order_by(t_event.c.kind)).all()))
    assert [row.kind for row in events] == ["call", "payment"]
    assert "+79160000000" in [phone for _, phone in _leads(hub)]


def test_a_call_that_cannot_be_ended_holds_up_no_other_and_is_told_of_until_it_can(hub: Hub) -> None:
    accept = hub.intake._events._accept
    for number in (1, 2, 3):
        _ring(hub, number)
    _later(hub)
    hub.intake._events._accept = _refusing(accept, "+79160000001")
    asyncio.run(hub.intake.judge_calls())
    assert [phone for _, phone in _leads(hub)] == ["+79160000002", "+79160000003"]
    (stuck_call,) = _stuck(hub)
    assert (stuck_call.source, stuck_call.tries, stuck_call.error) == ("pbx", 1, "ValueError")
    today = stuck_call.received_at.date()
    told = asyncio.run(hub.db.read(lambda conn: day_status(conn, today, hub.settings.hub.zone, [], hub.clock.now())))
    assert (told.to_json()["events_waiting"], told.fine) == (1, False)
    for tries in (2, 3):
        _later(hub)
        asyncio.run(hub.intake.judge_calls())
        assert [one.tries for one in _stuck(hub)] == [tries]
    mended = build_hub(hub.settings, clock=hub.clock, db=hub.db, inline_spool=True)
    _later(hub, mended)
    assert {phone for _, phone in _leads(hub)} == {"+79160000001", "+79160000002", "+79160000003"}
    assert not _stuck(hub)


def test_a_call_that_could_not_be_ended_is_one_lead_though_its_last_event_comes_late(hub: Hub) -> None:
    accept = hub.intake._events._accept
    _ring(hub, 1)
    _later(hub)
    hub.intake._events._accept = _refusing(accept, "+79160000001")
    asyncio.run(hub.intake.judge_calls())
    _ring(hub, 1, "answer")
    asyncio.run(hub.intake.inbox.drain())
    assert isinstance(hub.clock, ManualClock)
    hub.clock.forward(3 * 3600.0)
    asyncio.run(hub.intake.judge_calls())
    assert len(_stuck(hub)) == 1, "the call, once"
    hub.intake._events._accept = accept
    _ring(hub, 1, "hangup")
    _later(hub)
    asyncio.run(hub.intake.judge_calls())
    assert [phone for _, phone in _leads(hub)] == ["+79160000001"]
    assert not _stuck(hub)


def test_a_person_may_let_go_of_a_call_that_cannot_be_ended(hub: Hub) -> None:
    _ring(hub, 1)
    _later(hub)
    hub.intake._events._accept = _refusing(hub.intake._events._accept, "+79160000001")
    asyncio.run(hub.intake.judge_calls())
    ids = [one.id for one in _stuck(hub)]
    done = asyncio.run(hub.db.write(lambda conn: discard(conn, ids, why="a test call", actor="anna", clock=hub.clock)))
    assert done.changed == ids
    _later(hub)
    asyncio.run(hub.intake.judge_calls())
    assert not _stuck(hub)


def test_a_vendor_is_answered_as_its_door_always_answers_though_the_door_failed(hub: Hub) -> None:
    """VK switches a server off that says anything but `ok`."""
    reply = _receive(hub, _broken(hub, "vk"), _request(hub, b"{}", {"content-type": "application/json"}))
    assert (reply.status, reply.body) == (200, b"ok")
    assert [one.source for one in _stuck(hub)] == ["vk"]


def test_what_came_over_the_rate_limit_is_held_though_it_was_set_aside(hub: Hub) -> None:
    source = _source(hub, "site")
    limited = replace(source, settings=source.settings.model_copy(update={"rate_limit": RateLimit(1, 60)}))
    accept = hub.intake._accept

    def refuse(conn: Any, items: Any) -> Any:
        raise ValueError

    _receive(hub, limited, _form(hub, "+79160000000"))
    hub.intake._accept = refuse
    assert _receive(hub, limited, _form(hub)).status == 202
    hub.intake._accept = accept
    _later(hub)
    rows = asyncio.run(hub.db.read(lambda conn: conn.execute(select(t_lead).order_by(t_lead.c.id)).all()))
    assert [row.flags for row in rows] == [(), ("spam_rate",)]


async def _both(hub: Hub, *requests: Inbound) -> list[Reply]:
    source = _source(hub, "site")
    return list(await asyncio.gather(*(hub.intake.receive(source, one) for one in requests)))


def _source(hub: Hub, name: str) -> Source:
    found = hub.intake.source(name)
    assert found is not None
    return found


def _broken(hub: Hub, name: str) -> Source:
    """The same with a fault in its door."""
    source = _source(hub, name)

    def parse(_settings: Any, _inbound: Inbound, _region: str) -> Parsed:
        raise KeyError("phone")

    return replace(source, door=replace(source.door, parse=parse))


def _form(hub: Hub, phone: str = "+79161234567") -> Inbound:
    return _request(hub, json.dumps({"phone": phone}).encode(), {"content-type": "application/json"})


def _request(hub: Hub, body: bytes, headers: dict[str, str]) -> Inbound:
    return Inbound("POST", "", [], headers, body, "203.0.113.7", hub.clock.now())


def _receive(hub: Hub, source: Source, inbound: Inbound) -> Reply:
    return asyncio.run(hub.intake.receive(source, inbound))


def _ring(hub: Hub, number: int, event: str = "ring") -> None:
    ids = f"linkedid=7.{number}&uniqueid=7.{number}"
    body = f"event={event}&{ids}&direction=in&caller=7916000000{number}&did=74951112233"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert _receive(hub, _source(hub, "pbx"), _request(hub, body.encode(), headers)).status == 200


def _refusing(accept: Any, phone: str) -> Any:
    def refuse(conn: Any, items: Any) -> Any:
        if any(phone in item.lead.phones for item in items):
            raise ValueError
        return accept(conn, items)

    return refuse


def _later(hub: Hub, mended: Hub | None = None) -> None:
    """`mended`: another process works on it then."""
    assert isinstance(hub.clock, ManualClock)
    hub.clock.forward(LATER.total_seconds())
    asyncio.run((mended or hub).intake.inbox.drain())


def _leads(hub: Hub) -> list[tuple[str, str]]:
    rows = asyncio.run(hub.db.read(lambda conn: conn.execute(select(t_lead).order_by(t_lead.c.id)).all()))
    return [(row.id, lead_from_row(row).phones[0]) for row in rows]


def _stuck(hub: Hub) -> list[Any]:
    return asyncio.run(hub.db.read(stuck))
