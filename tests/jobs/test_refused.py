"""Requests that were refused: kept sealed, shown without secrets, and run again once the secret is mended."""

import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from jobs.sources.rerun import Rerun, Reruns
from store.refused import tallies
from store.refused_tables import t_refused_request
from store.tables import t_audit_entry
from tests.jobs.test_path_events import of, replay
from tests.simulate.world import LIFE
from tests.support.hub_on_virtual_time import UNHURRIED, VirtualHub, config, hub, virtual

ALL = "  - {from: ['*'], to: [amo]}"
IVAN = {"name": "Иван Петров", "phone": "8 (916) 123-45-67", "comment": "Нужны 3 окна"}
WRONG, RIGHT = "the-old-secret-of-the-site", "the-new-secret-of-the-site"


def site(secret: str, type_: str = "webform", name: str = "key", **more: Any) -> str:
    return config(ALL, sources=f"site: {json.dumps({'type': type_, name: secret, **more})}")


async def rerun(h: VirtualHub, source: str = "site", **asked: Any) -> list[Rerun]:
    life = h.lives["one"]
    assert life.hub is not None
    token = LIFE.set(life)
    try:
        built = life.hub
        found = built.intake.source(source)
        assert found is not None
        again = Reruns(built.intake, built.db, built.sealer, built.clock)
        return await again.run(found, actor="cli:anna", **asked)
    finally:
        LIFE.reset(token)


async def sent(h: VirtualHub, key: str = RIGHT, **fields: Any) -> httpx.Response:
    return await h.request("POST", "/in/site", json={**IVAN, **fields}, headers={"x-leadhub-key": key})


@virtual
async def test_what_was_refused_becomes_leads_once_the_secret_is_mended() -> None:
    async with hub(site(WRONG), pace=UNHURRIED) as h:
        assert (await sent(h, lead_uid="1")).status_code == 401
        came_at = h.rows(t_refused_request)[0].at
        assert (await sent(h, name="Анна Белова", phone="8 926 765 40 21", lead_uid="2")).status_code == 401
        assert [one.outcome for one in await rerun(h)] == ["refused", "refused"]
        assert h.leads() == []
        await h.wait(1800.0)
        await h.restart(site(RIGHT))
        found = await rerun(h)
        assert [one.outcome for one in found] == ["accepted", "accepted"]
        first, second = sorted(h.leads(), key=lambda lead: lead.lead_uid)
        assert [one.lead_ids for one in found] == [(first.id,), (second.id,)]
        assert (first.name, first.received_at, first.flags) == ("Иван Петров", came_at, ("rerun",))
        await h.quiet()
        assert len(h.amocrm.deals) == 2
        assert await rerun(h) == []
        assert len(h.leads()) == 2


@virtual
async def test_running_again_is_written_down() -> None:
    async with hub(site(WRONG)) as h:
        await sent(h, lead_uid="1")
        await h.restart(site(RIGHT))
        await rerun(h)
        entries = [(row.actor, row.action, row.subject, row.data) for row in h.rows(t_audit_entry)]
        (lead,) = h.leads()
        assert ("cli:anna", "lead.rerun", lead.id, {}) in entries
        assert ("cli:anna", "source.rerun", "site", {"requests": 1, "accepted": 1}) in entries


@virtual
async def test_only_what_is_asked_for_is_run_again() -> None:
    async with hub(site(WRONG)) as h:
        for number in range(3):
            await sent(h, lead_uid=str(number), name=f"Иван {number}")
            await h.wait(60.0)
        rows = h.rows(t_refused_request)
        await h.restart(site(RIGHT))
        assert [one.id for one in await rerun(h, ids=[rows[1].id])] == [rows[1].id]
        assert [one.id for one in await rerun(h, since=rows[1].at)] == [rows[2].id]
        assert [one.id for one in await rerun(h)] == [rows[0].id]


@virtual
async def test_what_the_vendor_repeated_meanwhile_is_no_second_lead() -> None:
    """Neither with an id of the vendor's nor without, whether it was accepted later or refused several times."""
    async with hub(site(WRONG), pace=UNHURRIED) as h:
        await sent(h, lead_uid="1")
        for _ in range(3):
            await sent(h, name="Анна Белова", phone="8 926 765 40 21")
            await h.wait(1200.0)
        await sent(h, name="Олег Ким", phone="8 903 555 11 22")
        await h.restart(site(RIGHT))
        await h.wait(600.0)
        assert (await sent(h, lead_uid="1")).status_code == 202
        assert (await sent(h, name="Олег Ким", phone="8 903 555 11 22")).status_code == 202
        assert [one.outcome for one in await rerun(h)] == ["repeat", "accepted", "repeat", "repeat", "repeat"]
        assert sorted(lead.name for lead in h.leads()) == ["Анна Белова", "Иван Петров", "Олег Ким"]


@virtual
async def test_a_proof_that_is_good_for_minutes_is_checked_against_the_time_it_came() -> None:
    async with hub(site("whsec_old-one", "stripe", "signing_secret"), pace=UNHURRIED) as h:
        event = {
            "id": "evt_1",
            "type": "payment_intent.succeeded",
            "data": {"object": {"id": "pi_1", "object": "payment_intent", "amount": 100, "currency": "eur"}},
        }
        body = json.dumps(event).encode()
        stamp = int(h.clock.now().timestamp())
        digest = hmac.new(b"whsec_new-one", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={stamp},v1={digest}", "content-type": "application/json"}
        assert (await h.request("POST", "/in/site", content=body, headers=headers)).status_code == 401
        await h.wait(3600.0)
        await h.restart(site("whsec_new-one", "stripe", "signing_secret"))
        late = await h.request("POST", "/in/site", content=body, headers=headers)
        assert late.json() == {"error": "the signature is too old, or the clock of this machine is wrong"}
        assert [(one.outcome, one.events) for one in await rerun(h)] == [("accepted", 1), ("refused", 0)]


@virtual
async def test_calls_and_messages_are_run_again_as_well() -> None:
    wrong = of("telegram", "secret_token", "url_token").replace("fake-tg-secret_0001", "another")
    async with hub(config(ALL, sources=wrong)) as h:
        with pytest.raises(AssertionError, match="secret token"):
            await replay(h, "telegram", "msg-3-text-with-phone")
        await h.restart(config(ALL, sources=of("telegram", "secret_token", "url_token")))
        assert [(one.outcome, one.events) for one in await rerun(h, "telegram")] == [("accepted", 1)]
        (lead,) = h.leads()
        assert "rerun" in lead.flags
        await replay(h, "telegram", "msg-3-text-with-phone")
        assert len(h.leads()) == 1


@virtual
async def test_the_database_holds_neither_the_proof_nor_the_body_in_the_open() -> None:
    async with hub(site(WRONG)) as h:
        await h.request(
            "POST",
            f"/in/site?key={RIGHT}",
            json={**IVAN, "email": "ivan@example.ru", "api_key": "k-123456"},
            headers={"authorization": "Bearer abcdef"},
        )
        (row,) = h.rows(t_refused_request)
        kept = f"{row}".replace(repr(row.sealed), "")
        for secret in (RIGHT, "k-123456", "abcdef", "9161234567", "ivan@"):
            assert secret not in kept
            assert secret.encode() not in row.sealed
        assert row.look.startswith("key=*** {")
        assert "Иван Петров" in row.look


@virtual
async def test_a_request_that_is_too_large_to_be_kept_is_counted_and_shown() -> None:
    async with hub(site(WRONG)) as h:
        await sent(h, comment="x" * 300_000)
        (row,) = h.rows(t_refused_request)
        assert (row.sealed, row.size_bytes) == (None, 0)
        await h.restart(site(RIGHT))
        assert [(one.outcome, one.reason) for one in await rerun(h)] == [("lost", "it is not kept as a whole")]
        big = await h.request("POST", "/in/site", content=b"x" * 1_000_001)
        assert big.status_code == 413
        day = h.clock.now().date().isoformat()
        assert {(row.status, row.count) for row in h.read(lambda conn: tallies(conn, day))} == {(401, 1), (413, 1)}


@virtual
async def test_a_handshake_that_fails_is_seen_and_cannot_be_run_again() -> None:
    async with hub(config(ALL, sources=of("whatsapp", "app_secret", "verify_token"))) as h:
        question = {"hub.mode": "subscribe", "hub.verify_token": "guess", "hub.challenge": "1"}
        assert (await h.request("GET", "/in/whatsapp", params=question)).status_code == 403
        (row,) = h.rows(t_refused_request)
        assert (row.method, row.reason) == ("GET", "the verify token is wrong or not set")
        assert "guess" not in row.look
        assert [one.outcome for one in await rerun(h, "whatsapp")] == ["refused"]
