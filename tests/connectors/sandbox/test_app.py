"""Several sandbox vendors behind one address: prefixes, faults, the state, the page, restarts."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.sandbox.app import KINDS, Kept, SandboxApp, default_vendors
from connectors.sandbox.base import SandboxRequest, SandboxResponse, Table
from connectors.sandbox.telegram import TelegramSandbox
from leads.clock import SystemClock
from tests.support.vendor_server import serve

SEND = "/telegram/bot1:sandbox/sendMessage"


class Shop:
    """A vendor that remembers paths and keeps nothing over a restart."""

    name = "shop"

    def __init__(self) -> None:
        self.paths: list[str] = []

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        self.paths.append(request.path)
        return SandboxResponse(200, {"path": request.path, "method": request.method})

    def fault_answer(self, kind: str) -> SandboxResponse:
        return SandboxResponse(int(kind), {"error": kind})

    def tables(self) -> list[Table]:
        return [Table("Paths", ("path",), [(path,) for path in reversed(self.paths)])]


def make_app(state_file: Path | None = None) -> SandboxApp:
    clock = SystemClock()
    return SandboxApp([Shop(), TelegramSandbox(clock)], clock, state_file=state_file)


@pytest.fixture
async def sandbox() -> AsyncIterator[httpx.AsyncClient]:
    async with serve(make_app()) as url, httpx.AsyncClient(base_url=url, timeout=5) as client:
        yield client


def vendor(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in state["vendors"] if one["name"] == name)


async def test_each_vendor_sees_its_own_paths_without_the_prefix(sandbox: httpx.AsyncClient) -> None:
    assert (await sandbox.get("/shop/api/v4/leads")).json() == {"path": "/api/v4/leads", "method": "GET"}
    assert (await sandbox.post(SEND, json={"chat_id": 5, "text": "раз"})).json()["ok"] is True
    assert (await sandbox.get("/nobody/api")).status_code == 404


async def test_a_prefix_in_front_of_the_whole_is_taken_off_too() -> None:
    async with serve(make_app(), path="/sandbox") as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/shop/api")).json()["path"] == "/api"
        assert (await client.get(f"{url}/_sandbox/state")).json()["vendors"][0]["name"] == "shop"


async def test_the_state_shows_what_arrived_and_hides_tokens(sandbox: httpx.AsyncClient) -> None:
    await sandbox.post(SEND, json={"chat_id": 5, "text": "раз"})
    await sandbox.get("/shop/rest/1/secretkey/crm.lead.add.json")
    state = (await sandbox.get("/_sandbox/state")).json()
    (messages,) = vendor(state, "telegram")["tables"]
    assert (messages["title"], messages["total"], messages["rows"][0][3]) == ("Messages", 1, "раз")
    assert vendor(state, "telegram")["recent"] == ["POST /bot…/sendMessage"]
    assert vendor(state, "shop")["recent"] == ["GET /rest/1/…/crm.lead.add.json"]


async def test_the_state_of_a_long_table_has_the_newest_rows_and_the_whole_count(sandbox: httpx.AsyncClient) -> None:
    for number in range(60):
        await sandbox.get(f"/shop/{number}")
    (table,) = vendor((await sandbox.get("/_sandbox/state")).json(), "shop")["tables"]
    assert (table["total"], len(table["rows"]), table["rows"][0]) == (60, 50, ["/59"])


async def test_a_fault_hits_its_vendor_as_often_as_told(sandbox: httpx.AsyncClient) -> None:
    answer = await sandbox.post("/_sandbox/faults", json={"vendor": "shop", "kind": "503", "match": "GET", "times": 1})
    assert answer.status_code == 201
    assert (await sandbox.post("/shop/x")).status_code == 200
    assert (await sandbox.post(SEND, json={"chat_id": 5, "text": "раз"})).status_code == 200
    assert [(await sandbox.get("/shop/x")).status_code for _ in range(2)] == [503, 200]
    (fault,) = vendor((await sandbox.get("/_sandbox/state")).json(), "shop")["faults"]
    assert (fault["times"], fault["hits"]) == (0, 1)


async def test_faults_everywhere_are_taken_back_one_vendor_or_all_at_once(sandbox: httpx.AsyncClient) -> None:
    await sandbox.post("/_sandbox/faults", json={"vendor": "*", "kind": "500"})
    assert (await sandbox.get("/shop/x")).status_code == 500
    assert (await sandbox.get("/telegram/bot1:a/getMe")).status_code == 500
    await sandbox.delete("/_sandbox/faults", params={"vendor": "shop"})
    assert (await sandbox.get("/shop/x")).status_code == 200
    assert (await sandbox.get("/telegram/bot1:a/getMe")).status_code == 500
    await sandbox.delete("/_sandbox/faults")
    assert (await sandbox.get("/telegram/bot1:a/getMe")).status_code == 200


async def test_a_cut_connection_is_cut_for_real_after_the_work(sandbox: httpx.AsyncClient) -> None:
    await sandbox.post("/_sandbox/faults", json={"vendor": "telegram", "kind": "reset_after", "times": 1})
    with pytest.raises(httpx.TransportError):
        await sandbox.post(SEND, json={"chat_id": 5, "text": "раз"})
    (messages,) = vendor((await sandbox.get("/_sandbox/state")).json(), "telegram")["tables"]
    assert messages["total"] == 1


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"vendor": "shop", "kind": "frogs"}, "kind: expected one of 500"),
        ({"vendor": "crm9", "kind": "500"}, "vendor: expected * or one of shop, telegram"),
        ({"kind": "500", "share": 2}, "share: expected a number from 0 to 1"),
        ({"kind": "500", "times": "two"}, "times"),
        ({"kind": "slow", "delay_s": True}, "delay_s"),
        ([1], "expected a JSON object"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_what_is_allowed(
    sandbox: httpx.AsyncClient, fault: Any, named: str
) -> None:
    answer = await sandbox.post("/_sandbox/faults", json=fault)
    assert answer.status_code == 400
    assert any(problem.startswith(named) for problem in answer.json()["problems"])
    assert all(not one["faults"] for one in (await sandbox.get("/_sandbox/state")).json()["vendors"])


async def test_a_body_that_is_no_json_is_refused(sandbox: httpx.AsyncClient) -> None:
    assert (await sandbox.post("/_sandbox/faults", content=b"{")).status_code == 400


async def test_the_page_names_every_fault_in_both_languages(sandbox: httpx.AsyncClient) -> None:
    page = (await sandbox.get("/")).text
    for kind in KINDS:
        assert page.count(f'"{kind}":') + page.count(f" {kind}:") == 2, kind
    assert 'lang="en"' in page


async def test_what_arrived_is_there_again_after_a_restart(tmp_path: Path) -> None:
    state_file = tmp_path / "var" / "sandbox.json"
    first = make_app(state_file)
    await first.start()
    async with serve(first) as url, httpx.AsyncClient() as client:
        await client.post(url + SEND, json={"chat_id": 5, "text": "раз"})
    await first.stop()
    vendors = {name: layer.vendor for name, layer in make_app(state_file).layers.items()}
    telegram = vendors["telegram"]
    assert isinstance(telegram, TelegramSandbox)
    assert [message.text for message in telegram.messages] == ["раз"]
    assert set(json.loads(state_file.read_text())) == {"telegram"}, "a vendor without a snapshot is left out"


@pytest.mark.parametrize("content", ["", "{", '{"telegram": {}}', '{"telegram": 5}', "[]"])
def test_a_state_file_that_cannot_be_read_is_put_aside(tmp_path: Path, content: str) -> None:
    state_file = tmp_path / "sandbox.json"
    state_file.write_text(content)
    make_app(state_file)
    assert (tmp_path / "sandbox.unreadable").read_text() == content
    assert not state_file.exists()


async def test_the_lifespan_starts_and_ends_the_saving(tmp_path: Path) -> None:
    app = make_app(tmp_path / "sandbox.json")
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (tmp_path / "sandbox.json").exists()


async def test_the_shipped_vendors_stand_behind_one_address_and_survive_a_restart(tmp_path: Path) -> None:
    clock, state_file = SystemClock(), tmp_path / "sandbox.json"
    app = SandboxApp(default_vendors(clock), clock, state_file=state_file)
    assert list(app.layers) == ["amocrm", "bitrix24", "hubspot", "telegram"]
    assert all(isinstance(layer.vendor, Kept) for layer in app.layers.values())
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=5) as client:
        bearer = {"authorization": "Bearer sandbox"}
        lead = [{"name": "Окна"}]
        assert (await client.post("/amocrm/api/v4/leads", json=lead, headers=bearer)).status_code == 200
        deal = {"fields": {"TITLE": "Двери"}}
        assert (await client.post("/bitrix24/rest/1/sandbox/crm.deal.add.json", json=deal)).status_code == 200
        person = {"properties": {"firstname": "Анна", "email": "anna@example.ru"}}
        made = await client.post("/hubspot/crm/v3/objects/contacts", json=person, headers=bearer)
        assert made.status_code == 201
        assert (await client.post(SEND, json={"chat_id": -5, "text": "раз"})).status_code == 200
        before = (await client.get("/_sandbox/state")).json()
    app.save()
    again = SandboxApp(default_vendors(clock), clock, state_file=state_file)
    for name, told in (("amocrm", "Окна"), ("bitrix24", "Двери"), ("hubspot", "Анна"), ("telegram", "раз")):
        tables = vendor(again.state(), name)["tables"]
        assert tables == vendor(before, name)["tables"]
        assert any(told in cell for table in tables for row in table["rows"] for cell in row)
