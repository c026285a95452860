"""The sandbox CRMs' webhooks: what they send is what our own reading understands, and it really is sent."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.amocrm import AmocrmSettings
from connectors.bitrix24 import Bitrix24Settings
from connectors.doors import Inbound
from connectors.hubspot import HubSpotSettings
from connectors.records import RecordHint
from connectors.registry import CONNECTORS
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.app import SandboxApp
from connectors.sandbox.base import SandboxRequest, SandboxResponse
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.bitrix24_events import APP_TOKEN
from connectors.sandbox.hubspot import HubSpotSandbox
from connectors.sandbox.posts import Post
from leads.clock import SystemClock
from tests.support.manual_clock import ManualClock
from tests.support.vendor_server import serve

HUB = "https://hub.example.com/hooks/crm"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def ask(box: Any, method: str, path: str, body: Any = None, token: str = "sandbox") -> SandboxResponse:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    query = parse_qsl(urlsplit(path).query)
    answer = box.handle(SandboxRequest(method, urlsplit(path).path, query, headers, json.dumps(body).encode()))
    assert isinstance(answer, SandboxResponse)
    return answer


def hints(name: str, settings: Any, post: Post, clock: ManualClock) -> tuple[RecordHint, ...]:
    tail = urlsplit(post.url).path.partition("/hooks/crm/")[2]
    read = CONNECTORS[name].hooks
    assert read is not None
    return read(settings, Inbound("POST", tail, [], post.headers, post.body, "", clock.now(), post.url))


def test_amocrm_tells_its_subscribers_and_nobody_else(clock: ManualClock) -> None:
    box = AmocrmSandbox(clock, rate=None)
    settings = AmocrmSettings.model_validate(
        {"base_url": "https://sandbox.amocrm.ru", "access_token": "t", "hook_token": "part-of-address"}
    )
    box.put("contacts", {"name": "До подписки"})
    assert not box.posts
    events = ["add_contact", "update_company", "delete_lead"]
    asked = {"destination": f"{HUB}/part-of-address", "settings": events}
    assert ask(box, "POST", "/api/v4/webhooks", asked).status == 200
    contact = box.put("contacts", {"name": "Иван"})
    company = box.put("companies", {"name": "ООО Ромашка"})
    box.edit("contacts", contact, {"name": "Пётр"})
    box.edit("companies", company, {"name": "ООО Лютик"})
    lead = box.put("leads", {"name": "Окна"})
    box.remove("leads", lead)
    told = [hint for post in box.posts for hint in hints("amocrm", settings, post, clock)]
    assert told == [
        RecordHint("contact", contact),
        RecordHint("company", company),
        RecordHint("deal", lead, deleted=True),
    ]


def test_amocrm_changes_a_subscription_that_is_there_and_takes_it_away(clock: ManualClock) -> None:
    box = AmocrmSandbox(clock, rate=None)
    for events in (["add_lead"], ["add_lead", "update_lead"]):
        assert ask(box, "POST", "/api/v4/webhooks", {"destination": HUB, "settings": events}).status == 200
    (row,) = ask(box, "GET", "/api/v4/webhooks").body["_embedded"]["webhooks"]
    assert row["settings"] == ["add_lead", "update_lead"]
    assert ask(box, "POST", "/api/v4/webhooks", {"destination": HUB, "settings": ["made_up"]}).status == 400
    assert ask(box, "DELETE", "/api/v4/webhooks", {"destination": HUB}).status == 204
    assert ask(box, "GET", "/api/v4/webhooks").status == 204
    box.admin = False
    assert ask(box, "GET", "/api/v4/webhooks").status == 403


def test_bitrix24_tells_the_handlers_of_an_application(clock: ManualClock) -> None:
    box = Bitrix24Sandbox(clock, rate=None)
    access, _ = box.authority.pair()
    settings = Bitrix24Settings.model_validate(
        {
            "base_url": "https://sandbox.bitrix24.ru",
            "oauth": {"client_id": "a", "client_secret": "b"},
            "application_token": APP_TOKEN,
        }
    )
    for event in ("ONCRMCONTACTADD", "ONCRMCONTACTDELETE"):
        bind = {"event": event, "handler": HUB, "auth": access}
        assert ask(box, "POST", "/rest/event.bind", bind).status == 200
        again = ask(box, "POST", "/rest/event.bind", bind)
        assert (again.status, "already binded" in again.body["error_description"]) == (400, True)
    assert ask(box, "POST", "/rest/1/sandbox/event.get").body["error"] == "WRONG_AUTH_TYPE"
    id = box.crm.save("contact", {"NAME": "Иван"})
    box.crm.change("contact", id, {"NAME": "Пётр"}, pipeline_too=True)
    box.crm.remove("contact", id)
    told = [hint for post in box.posts for hint in hints("bitrix24", settings, post, clock)]
    assert told == [RecordHint("contact", id), RecordHint("contact", id, deleted=True)]


def test_the_offline_queue_has_one_row_for_a_record_and_keeps_it(clock: ManualClock) -> None:
    box = Bitrix24Sandbox(clock, rate=None)
    access, _ = box.authority.pair()
    bind = {"event": "ONCRMDEALDELETE", "event_type": "offline", "auth": access}
    assert ask(box, "POST", "/rest/event.bind", bind).status == 200
    ids = [box.crm.save("deal", {"TITLE": f"Сделка {number}"}) for number in range(2)]
    for id in ids:
        box.crm.remove("deal", id)
    for _ in range(2):
        rows = ask(box, "POST", "/rest/event.offline.list", {"auth": access}).body["result"]
        assert [row["EVENT_DATA"]["FIELDS"]["ID"] for row in rows] == ids
    assert not box.posts


def test_hubspot_signs_what_it_tells(clock: ManualClock) -> None:
    box = HubSpotSandbox(clock, rate=None)
    box.webhooks.target = HUB
    settings = HubSpotSettings.model_validate({"access_token": "t", "client_secret": "sandbox-secret"})
    first = box.records.create("contacts", {"firstname": "Иван"}, [])
    second = box.records.create("contacts", {"firstname": "Пётр"}, [])
    box.records.update("contacts", first, {"lastname": "Орлов"})
    merged = box.records.merge("contacts", first["id"], second["id"])
    box.records.archive("contacts", merged["id"])
    told = [hint for post in box.posts for hint in hints("hubspot", settings, post, clock)]
    assert told == [
        RecordHint("contact", first["id"]),
        RecordHint("contact", second["id"]),
        RecordHint("contact", first["id"]),
        RecordHint("contact", merged["id"]),
        RecordHint("contact", first["id"], merged_into=merged["id"]),
        RecordHint("contact", second["id"], merged_into=merged["id"]),
        RecordHint("contact", merged["id"], deleted=True),
    ]


async def test_what_a_vendor_has_to_tell_is_sent_over_the_network() -> None:
    clock = SystemClock()
    amo, arrived, came = AmocrmSandbox(clock, rate=None), list[bytes](), asyncio.Event()
    app = SandboxApp([amo], clock)

    async def hub(scope: Any, receive: Any, send: Any) -> None:
        arrived.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        came.set()

    async with serve(hub, path="/hub") as hub_url:
        assert ask(amo, "POST", "/api/v4/webhooks", {"destination": hub_url, "settings": ["add_lead"]}).status == 200
        lead = amo.put("leads", {"name": "Окна"})
        app.layers["amocrm"].send_posts()
        await asyncio.wait_for(came.wait(), 60)
    assert f"leads%5Badd%5D%5B0%5D%5Bid%5D={lead}".encode() in arrived[0]
    assert not amo.posts
