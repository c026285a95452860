"""The JSON API over HTTP, on both databases."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from sqlalchemy import select

from leads.incidents import Observation
from store import incidents
from store.tables import t_audit_entry, t_delivery
from store.user_tables import t_api_token
from tests.support.quiet_hub import QuietHub, quiet_hub


@pytest_asyncio.fixture
async def quiet(tmp_path: Path, database_url: str) -> AsyncIterator[QuietHub]:
    async with quiet_hub(tmp_path, database_url) as running:
        yield running


async def actions(quiet: QuietHub) -> list[tuple[str, str, str, str]]:
    query = select(t_audit_entry.c.actor, t_audit_entry.c.action, t_audit_entry.c.subject, t_audit_entry.c.why)
    return [tuple(row) for row in await quiet.read(lambda conn: conn.execute(query.order_by(t_audit_entry.c.at)).all())]


async def test_without_a_known_token_nothing_is_told(quiet: QuietHub) -> None:
    async with quiet.visitor() as program:
        for header in ("", "Bearer", "Bearer lh_wrong", "Basic YTpi", "Bearer \u00e9"):
            headers = {"Authorization": header.encode("latin-1")} if header else {}
            answer = await program.get("/api/v1/leads", headers=headers)
            assert answer.status_code == 401, header
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]
        assert "Authorization: Bearer" in (await program.get("/api/v1/leads")).json()["error"]
        assert (await program.get("/api/v1/nothing")).json()["error"] == "not found"


async def test_only_the_digest_of_a_token_is_kept_and_its_use_is_noted(quiet: QuietHub) -> None:
    token = await quiet.token()
    async with quiet.program(token) as program:
        assert (await program.get("/api/v1/status")).status_code == 200
    row = await quiet.read(lambda conn: conn.execute(select(t_api_token)).one())
    assert token not in str(row)
    assert len(row.digest) == 64
    assert row.last_used_at == quiet.clock.now()


async def test_the_openapi_description_is_open_and_names_every_route(quiet: QuietHub) -> None:
    async with quiet.visitor() as program:
        described = (await program.get("/api/openapi.json")).json()
    assert set(described["paths"]) == {
        "/api/v1/status",
        "/api/v1/sources",
        "/api/v1/sources/{name}/refused",
        "/api/v1/sources/{name}/rerun",
        "/api/v1/leads",
        "/api/v1/leads/{lead_id}",
        "/api/v1/leads/retry",
        "/api/v1/leads/{lead_id}/retry",
        "/api/v1/leads/{lead_id}/discard",
        "/api/v1/calls",
        "/api/v1/calls/{call_id}",
        "/api/v1/recordings/{call_id}",
        "/api/v1/errands",
        "/api/v1/errands/retry",
        "/api/v1/errands/{errand_id}/discard",
        "/api/v1/conversations",
        "/api/v1/conversations/{conversation_id}",
        "/api/v1/conversations/{conversation_id}/messages",
        "/api/v1/conversations/{conversation_id}/note",
        "/api/v1/messages/{message_id}/retry",
        "/api/v1/messages/{message_id}/discard",
        "/api/v1/syncs",
        "/api/v1/syncs/{name}",
        "/api/v1/syncs/{name}/issues",
        "/api/v1/syncs/{name}/run",
        "/api/v1/syncs/issues/{issue_id}",
        "/api/v1/incidents",
        "/api/v1/incidents/{incident_id}/ack",
        "/api/v1/incidents/{incident_id}/mute",
    }


async def test_status_counts_the_day(quiet: QuietHub) -> None:
    await quiet.fail(await quiet.send(name="Иван", phone="+7 916 123-45-67"))
    await quiet.send(name="Анна", phone="+7 916 123-45-68")
    async with quiet.program(await quiet.token()) as program:
        today = (await program.get("/api/v1/status")).json()
        other = (await program.get("/api/v1/status", params={"day": "2026-11-23"})).json()
    assert (today["day"], today["accepted"], today["pending"], today["failed"]) == ("2026-11-24", 2, 1, 1)
    assert today["connections"]["sales"] == {
        "delivered": 0,
        "pending": 1,
        "failed": 1,
        "discarded": 0,
        "state": "degraded",
    }
    assert (other["day"], other["accepted"]) == ("2026-11-23", 0)


SEARCHES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["spam", "landing", "anna", "ivan"]),
    ({"q": "8 (916) 123-45-67"}, ["ivan"]),
    ({"q": "+7 916 1234567"}, ["ivan"]),
    ({"q": "9161234567"}, ["ivan"]),
    ({"q": "45-67"}, ["ivan"]),
    ({"q": "иВАН"}, ["ivan"]),
    ({"q": "anna_k@example"}, ["anna"]),
    ({"q": "annaXk@example"}, []),
    ({"q": "%"}, []),
    ({"source": "landing"}, ["landing"]),
    ({"connection": "service"}, ["landing"]),
    ({"status": "failed"}, ["ivan"]),
    ({"status": "delivered"}, []),
    ({"flag": "spam_honeypot"}, ["spam"]),
    ({"flag": "spam"}, []),
    ({"day": "2026-11-24", "status": "pending"}, ["spam", "landing", "anna"]),
    ({"day": "2026-11-25"}, []),
    ({"q": "\x00"}, []),
]


async def test_leads_are_found_by_what_people_remember(quiet: QuietHub) -> None:
    ids = {
        "ivan": await quiet.send(name="Иван Петров", phone="8 916 123-45-67"),
        "anna": await quiet.send(name="Анна", email="Anna_K@example.ru"),
        "landing": await quiet.send("landing", name="Олег", phone="+7 903 555-12-12"),
        "spam": await quiet.send(name="Cheap", email="x@spam.example", leadhub_hp="filled"),
    }
    await quiet.fail(ids["ivan"])
    names = {lead_id: name for name, lead_id in ids.items()}
    async with quiet.program(await quiet.token()) as program:
        for asked, expected in SEARCHES:
            answer = (await program.get("/api/v1/leads", params=asked)).json()
            assert [names[one["id"]] for one in answer["leads"]] == expected, asked
            assert answer["next_before"] is None


async def test_pages_follow_each_other_without_a_gap(quiet: QuietHub) -> None:
    ids = [await quiet.send(name=f"Лид {number}", phone=f"+7 916 123-45-{number:02}") for number in range(5)]
    seen, before = [], ""
    async with quiet.program(await quiet.token()) as program:
        while True:
            answer = (await program.get("/api/v1/leads", params={"limit": 2, "before": before})).json()
            seen += [one["id"] for one in answer["leads"]]
            if answer["next_before"] is None:
                break
            before = answer["next_before"]
    assert seen == ids[::-1]


async def test_the_story_has_the_raw_request_and_the_timeline(quiet: QuietHub) -> None:
    lead_id = await quiet.send(name="Иван", phone="8 916 123-45-67", comment="Три окна", utm_source="Yandex")
    other = await quiet.send(name="Иван", phone="8 916 123-45-67", comment="Ещё дверь")
    async with quiet.program(await quiet.token()) as program:
        story = (await program.get(f"/api/v1/leads/{lead_id}")).json()
        missing = await program.get("/api/v1/leads/nobody")
    assert story["phones"] == ["+79161234567"]
    assert story["utm"] == {"utm_source": "yandex"}
    assert "%D0%A2%D1%80%D0%B8" in story["raw"]["body"]
    assert story["timeline"][0]["event"] == "received"
    assert [one["id"] for one in story["other_leads"]] == [other]
    assert missing.status_code == 404


async def test_retry_makes_due_and_says_who_asked(quiet: QuietHub) -> None:
    lead_id = await quiet.send(name="Иван", phone="8 916 123-45-67")
    await quiet.fail(lead_id)
    async with quiet.program(await quiet.token("bi")) as program:
        answer = await program.post(f"/api/v1/leads/{lead_id}/retry")
        missing = await program.post("/api/v1/leads/nobody/retry")
    assert answer.json() == {"changed": [lead_id], "refused": {}}
    assert missing.status_code == 404
    state = await quiet.read(lambda conn: conn.execute(select(t_delivery.c.state)).scalar_one())
    assert state == "ready"
    assert await actions(quiet) == [("api:bi", "lead.retry", lead_id, "")]


async def test_many_are_retried_by_id_or_all_that_failed(quiet: QuietHub) -> None:
    ids = [await quiet.send(name=f"Лид {n}", phone=f"+7 916 123-45-{n:02}") for n in range(3)]
    for lead_id in ids[:2]:
        await quiet.fail(lead_id)
    async with quiet.program(await quiet.token()) as program:
        some = await program.post("/api/v1/leads/retry", json={"ids": [ids[0], "nobody"]})
        rest = await program.post("/api/v1/leads/retry", json={"all_failed": True})
    assert some.json() == {"changed": [ids[0]], "refused": {"nobody": "no such lead"}}
    assert rest.json() == {"changed": [ids[1]], "refused": {}}


async def test_discard_asks_for_a_reason_and_keeps_it(quiet: QuietHub) -> None:
    lead_id = await quiet.send(name="Иван", phone="8 916 123-45-67")
    async with quiet.program(await quiet.token()) as program:
        for body in ({}, {"why": ""}, {"why": "  \n"}, {"why": "x" * 501}, {"why": "спам", "more": 1}):
            assert (await program.post(f"/api/v1/leads/{lead_id}/discard", json=body)).status_code == 422, body
        done = await program.post(f"/api/v1/leads/{lead_id}/discard", json={"why": " спам "})
        again = await program.post(f"/api/v1/leads/{lead_id}/discard", json={"why": "спам"})
        lead = (await program.get(f"/api/v1/leads/{lead_id}")).json()
    assert done.json() == {"changed": [lead_id], "refused": {}}
    assert again.status_code == 409
    assert again.json()["error"] == "it is discarded already"
    assert (lead["status"], lead["status_why"]) == ("discarded", "спам")
    assert await actions(quiet) == [("api:bi", "lead.discard", lead_id, "спам")]


async def open_incident(quiet: QuietHub) -> str:
    seen = Observation("connection_down", "sales", "http_503", 3, quiet.clock.now(), {"vendor": "amoCRM"})
    opened = await quiet.write(lambda conn: incidents.observe(conn, seen, quiet.clock.now(), "incident-1"))
    return opened.id


async def test_incidents_are_told_in_words_taken_and_muted(quiet: QuietHub) -> None:
    incident_id = await open_incident(quiet)
    async with quiet.program(await quiet.token()) as program:
        (told,) = (await program.get("/api/v1/incidents")).json()["incidents"]
        taken = (await program.post(f"/api/v1/incidents/{incident_id}/ack")).json()
        muted = (await program.post(f"/api/v1/incidents/{incident_id}/mute", json={"minutes": 30})).json()
        hour = (await program.post(f"/api/v1/incidents/{incident_id}/mute")).json()
        missing = await program.post("/api/v1/incidents/nothing/ack")
        await quiet.write(lambda conn: incidents.resolve(conn, told_key(), quiet.clock.now()))
        late = await program.post(f"/api/v1/incidents/{incident_id}/ack")
        over = (await program.get("/api/v1/incidents", params={"over": True})).json()["incidents"]
        now = (await program.get("/api/v1/incidents")).json()["incidents"]
    assert "не принимает лиды" in told["text"]
    assert "<" not in told["text"]
    assert taken["acked_by"] == "bi"
    assert muted["muted_until"] == iso(quiet, minutes=30)
    assert hour["muted_until"] == iso(quiet, minutes=60)
    assert missing.status_code == 404
    assert late.status_code == 409
    assert ([one["id"] for one in over], now) == ([incident_id], [])
    assert [(actor, action) for actor, action, _, _ in await actions(quiet)] == [
        ("api:bi", "incident.ack"),
        ("api:bi", "incident.mute"),
        ("api:bi", "incident.mute"),
    ]


def told_key() -> str:
    return "connection_down:sales"


def iso(quiet: QuietHub, *, minutes: int) -> str:
    return (quiet.clock.now() + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


REQUESTS: list[tuple[str, str, bytes | None, int]] = [
    ("GET", "/api/v1/leads?limit=501", None, 422),
    ("GET", "/api/v1/leads?limit=x", None, 422),
    ("GET", "/api/v1/leads?status=lost", None, 422),
    ("GET", "/api/v1/leads?day=yesterday", None, 422),
    ("GET", "/api/v1/status?day=2026-02-30", None, 422),
    ("GET", "/api/v1/status?day=9999-12-31", None, 200),
    ("GET", "/api/v1/status?day=0001-01-01", None, 200),
    ("GET", "/api/v1/nothing", None, 404),
    ("PUT", "/api/v1/leads", b"{}", 405),
    ("POST", "/api/v1/leads/retry", b"{", 400),
    ("POST", "/api/v1/leads/retry", b"\xff\xfe", 400),
    ("POST", "/api/v1/leads/retry", b"[]", 422),
    ("POST", "/api/v1/leads/retry", b'{"ids": []}', 422),
    ("POST", "/api/v1/leads/retry", b'{"all_failed": false}', 422),
    ("POST", "/api/v1/leads/retry", b'{"ids": ["\\ud800"]}', 422),
    ("POST", "/api/v1/leads/x/discard", b'{"why": "\\ud800"}', 422),
    ("POST", "/api/v1/leads/x/discard", b'{"why": "\\u0000"}', 422),
    ("POST", "/api/v1/leads/x/discard", b'{"why": "' + b"x" * 300_000 + b'"}', 413),
    ("POST", "/api/v1/incidents/x/mute", b'{"minutes": -1}', 422),
    ("POST", "/api/v1/incidents/x/mute", b'{"minutes": 1e400}', 422),
    ("POST", "/api/v1/leads/%00/retry", b"", 404),
]


async def test_bad_requests_are_refused_with_a_reason(quiet: QuietHub) -> None:
    async with quiet.program(await quiet.token()) as program:
        for method, path, body, status in REQUESTS:
            headers = {"content-type": "application/json"} if body else {}
            answer = await program.request(method, path, content=body, headers=headers)
            assert answer.status_code == status, (method, path, body and body[:50], answer.text)
            assert status < 400 or answer.json()["error"]


async def test_answers_carry_the_headers_that_keep_other_sites_out(quiet: QuietHub) -> None:
    async with quiet.program(await quiet.token()) as program:
        answer = await program.get("/api/v1/status")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
