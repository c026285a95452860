"""`leadhub source test` as the hub meets it: let in by its mark, kept apart from real leads, without secrets."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.proofs import secrets_of
from connectors.samples import NAME, PHONE
from jobs.reports import day_status, story_json
from jobs.sources.trial import HEADER, mark
from jobs.sources.try_source import Tried, address_of, try_source
from store import reading
from store.refused_tables import t_refused_request
from store.tables import t_call, t_event, t_lead
from store.users import create_token
from tests.simulate.world import LIFE
from tests.support.all_doors import BY_REQUEST, KEYS, MORE
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

KEY = "key-of-the-tests-0001"
ALL = "  - {from: ['*'], to: [amo]}"
PUBLIC = "public_url: 'https://hub.example.test'"
NO_LEAD = {"smsru", "call_insight", "meta", "moysklad"}
"""Reports of our own SMS, and what only names something that the vendor is then asked for."""


def source(name: str) -> str:
    """The door with every proof it knows, in flow YAML."""
    own = {key: value for key, value in KEYS.get(name, {}).items() if value != ""}
    given = {"type": name, "url_token": f"tok-{name}-1", **own, **MORE.get(name, {})}
    return f"s-{name}: {json.dumps(given, ensure_ascii=False)}"


EVERY_DOOR = config(ALL, hub=PUBLIC, sources=", ".join(source(name) for name in BY_REQUEST))


@asynccontextmanager
async def alive(h: VirtualHub) -> AsyncIterator[Any]:
    """The hub's application, as a transport; inside, its database may be used."""
    app = h.web()
    app.make_pages()
    token = LIFE.set(h.lives["one"])
    try:
        yield httpx.ASGITransport(app, client=("203.0.113.7", 50_000))  # type: ignore[arg-type]  # plain ASGI
    finally:
        LIFE.reset(token)


async def tried(h: VirtualHub, name: str, *, key: str = KEY, deliver: bool = False) -> Tried:
    async with alive(h) as transport:
        return await try_source(h.settings, name, [key], h.clock, deliver=deliver, transport=transport)


def accepted_today(h: VirtualHub) -> int:
    now, zone = h.clock.now(), h.settings.hub.zone
    status = h.read(lambda conn: day_status(conn, now.astimezone(zone).date(), zone, ["amo"], now))
    assert status.connections["amo"]["discarded"] == 0
    return status.accepted + status.discarded


@virtual
async def test_every_door_takes_its_sample_and_keeps_it_apart() -> None:
    async with hub(EVERY_DOOR) as h:
        for name in BY_REQUEST:
            found = await tried(h, f"s-{name}")
            assert found.fine, f"{name}: {found.ways}"
            assert [way.through for way in found.ways] == ["public"]
            assert bool(found.lead_ids) == (name not in NO_LEAD), name
            await h.wait(0.01)
        await h.wait(5.0)
        assert {(row.status, row.status_why) for row in h.leads()} == {("discarded", "test")}
        assert all(row.name == NAME and "test" in row.flags for row in h.leads())
        assert {row.phones for row in h.leads()} <= {(), (PHONE,)}
        assert {row.state for row in h.deliveries()} == {"discarded"}
        assert h.amocrm.deals == {}
        for table in (t_event, t_call, t_refused_request):
            assert h.rows(table) == []
        assert accepted_today(h) == 0
        assert h.open_incidents() == set()


@virtual
async def test_a_test_that_is_to_be_delivered_goes_to_the_crm_like_a_real_lead() -> None:
    async with hub(config(ALL, hub=PUBLIC, sources=source("tilda"))) as h:
        found = await tried(h, "s-tilda", deliver=True)
        await h.quiet()
        (lead,) = h.leads()
        assert found.lead_ids == (lead.id,)
        assert (lead.status, lead.flags) == ("delivered", ("test",))
        assert len(h.amocrm.deals) == 1
        assert accepted_today(h) == 1


@virtual
async def test_a_real_lead_beside_a_test_is_counted_and_no_repeat() -> None:
    async with hub(config(ALL, hub=PUBLIC, sources="site: {type: webform}")) as h:
        await tried(h, "site")
        lead_id = await h.post("site", {"name": NAME, "phone": PHONE})
        await h.quiet()
        assert h.lead(lead_id).status == "delivered"
        assert accepted_today(h) == 1
        assert (await h.retry(h.leads()[0].id)).refused == {h.leads()[0].id: "discarded"}


@virtual
async def test_without_a_public_address_the_hub_is_tried_where_it_listens() -> None:
    async with hub(config(ALL, hub="listen: '0.0.0.0:8081'", sources=source("mango"))) as h:
        found = await tried(h, "s-mango")
        assert [(way.through, way.url, way.problem) for way in found.ways] == [
            ("listen", "http://127.0.0.1:8081/in/s-mango", "")
        ]
        assert (found.fine, dict(found.made)) == (True, {"calls": 1})
        assert address_of(h.settings, "s-mango", token="***") == "http://127.0.0.1:8081/in/s-mango/***"


class Proxy(httpx.AsyncBaseTransport):
    """What stands before the hub at the public address: an answer of its own; the listen address leads to the hub."""

    def __init__(self, answer: httpx.Response | Exception, hub_: httpx.AsyncBaseTransport) -> None:
        self.answer = answer
        self.hub = hub_
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "hub.example.test":
            return await self.hub.handle_async_request(request)
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "problem", "detail"),
    [
        (httpx.ConnectError("name or service not known"), "unreachable", "name or service not known"),
        (httpx.Response(502, text="Bad Gateway"), "answered", "502"),
        (
            httpx.Response(301, headers={"location": "https://www.example.test/in/site"}),
            "redirected",
            "https://www.example.test/in/site",
        ),
        (httpx.Response(200, text="Welcome to nginx"), "not_ours", "200"),
        (httpx.Response(202, json={"lead_id": "1", "status": "accepted"}), "not_ours", "202"),
    ],
)
@virtual
async def test_when_the_public_address_fails_the_hub_itself_is_tried_and_both_are_told(
    answer: httpx.Response | Exception, problem: str, detail: str
) -> None:
    async with hub(config(ALL, hub=PUBLIC, sources="site: {type: webform}")) as h, alive(h) as transport:
        proxy = Proxy(answer, transport)
        found = await try_source(h.settings, "site", [KEY], h.clock, transport=proxy)
        public, listen = found.ways
        assert (public.through, public.problem, public.detail) == ("public", problem, detail)
        assert (listen.through, listen.problem) == ("listen", "")
        assert (found.arrived, found.fine, len(found.lead_ids)) == (True, False, 1)
        assert [request.method for request in proxy.asked] == ["GET"], "no sample is sent where nobody knows a test"


@virtual
async def test_a_hub_with_another_key_or_an_old_mark_refuses() -> None:
    async with hub(config(ALL, hub=PUBLIC, sources="site: {type: webform}")) as h:
        found = await tried(h, "site", key="another-key-of-0001")
        assert [(way.problem, "secret_key" in way.detail) for way in found.ways] == [("refused", True)]
        assert h.leads() == []


def marked_request(h: VirtualHub, *, at: datetime, deliver: bool = False) -> dict[str, Any]:
    from tests.support.requests import inbound

    request = replace(inbound(b'{"name": "A", "phone": "+79990000000"}'), received_at=at)
    return {
        "content": request.body,
        "headers": {HEADER: mark(KEY, "site", request, at, deliver=deliver), "content-type": "application/json"},
    }


@virtual
async def test_a_mark_is_good_for_one_request_at_one_source_for_a_few_minutes() -> None:
    sources = "site: {type: webform}, shop: {type: webform}"
    async with hub(config(ALL, hub=PUBLIC, sources=sources)) as h:
        now = h.clock.now()
        good = marked_request(h, at=now, deliver=True)
        first = await h.request("POST", "/in/site", **good)
        again = await h.request("POST", "/in/site", **good)
        assert first.status_code == 200
        assert first.json()["leads"] == again.json()["leads"]
        refused = [
            await h.request("POST", "/in/shop", **good),
            await h.request("POST", "/in/site", **{**good, "content": good["content"] + b" "}),
            await h.request("POST", "/in/site", **marked_request(h, at=now - timedelta(seconds=301))),
            await h.request("POST", "/in/site", headers={HEADER: "t=1;v=2"}, json={"name": "A"}),
            await h.request("POST", "/in/site", headers={HEADER: ""}, json={"name": "A"}),
        ]
        assert [answer.status_code for answer in refused] == [401] * 5
        assert len(h.rows(t_lead)) == 1
        changed = good["headers"][HEADER].replace("deliver=1", "deliver=0")
        other = await h.request("POST", "/in/site", **{**good, "headers": {**good["headers"], HEADER: changed}})
        assert other.status_code == 401


@virtual
async def test_a_database_that_is_away_is_told() -> None:
    async with hub(config(ALL, hub=PUBLIC, sources="site: {type: webform}")) as h:
        h.world.database_down = True
        found = await tried(h, "site")
        h.world.database_down = False
        assert found.ways[-1].problem == "refused"
        assert "database" in found.ways[-1].detail
        assert h.leads() == []


@virtual
async def test_no_secret_of_any_door_is_shown_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in a lead's story, the API, the console, the log, nor in what was refused."""
    caplog.set_level(logging.DEBUG)
    async with hub(EVERY_DOOR) as h:
        life = h.lives["one"].hub
        assert life is not None
        token = h.write(lambda conn: create_token(conn, "bi", h.clock.now()))
        for name in BY_REQUEST:
            source_ = f"s-{name}"
            secrets = secrets_of(h.settings.sources[source_].settings)
            found = await tried(h, source_)
            for lead_id in found.lead_ids:
                story = h.read(lambda conn, lead_id=lead_id: reading.story(conn, lead_id))  # type: ignore[misc]
                assert story is not None
                told = json.dumps(story_json(story, life.masks), ensure_ascii=False)
                api = await h.request("GET", f"/api/v1/leads/{lead_id}", headers={"authorization": f"Bearer {token}"})
                local = {"host": "127.0.0.1:8080"}
                page = await h.request("GET", f"/leads/{lead_id}", ip="127.0.0.1", headers=local)
                assert (api.status_code, page.status_code) == (200, 200)
                for secret in secrets:
                    assert secret not in told, f"{name}: story"
                    assert secret not in api.text, f"{name}: API"
                    assert secret not in page.text, f"{name}: console"
            await h.wait(0.01)
        ours = "\n".join(f"{one.getMessage()} {vars(one)}" for one in caplog.records if one.name != "httpx")
        assert "source tested" in ours
        for secret in {one for item in h.settings.sources.values() for one in secrets_of(item.settings)}:
            assert secret not in ours
