"""What a vendor's own list tells and no request did: taken in once, flagged, counted, told of."""

import hmac
import json
from typing import Any

from jobs.sources.reconciling import cursor_of
from store import cursors
from store.recovered import count_recovered
from tests.jobs.test_path_errands import ALL, LEAD, META, SAMPLE
from tests.jobs.test_path_events import replay
from tests.simulate.virtual import START
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor

TOKEN = META.replace('"type": "meta"', '"type": "meta", "page_token": "t", "forms": ["555"]%s')
EVERY_15_MIN = TOKEN % ""


class Graph(FakeVendor):
    """`leads`: id -> minutes after the beginning at which it was made; the list tells of all that exist by now."""

    def __init__(self, **leads: float) -> None:
        self.leads = leads
        self.trouble: Any = None
        self.now_min = 0.0
        super().__init__(self._answer)

    def _answer(self, asked: Asked) -> Any:
        if not asked.path.endswith("/leads"):
            return {**LEAD, "id": asked.path.rpartition("/")[2]}
        if self.trouble is not None:
            return self.trouble
        made = {name: START.timestamp() + minute * 60 for name, minute in self.leads.items()}
        since = json.loads(asked.params["filtering"])[0]["value"]
        told = [
            {**LEAD, "id": name.removeprefix("l"), "created_time": int(at), "field_data": person(name)}
            for name, at in made.items()
            if at > since
        ]
        return {"data": told}


def person(name: str) -> list[dict[str, Any]]:
    number = int(name.removeprefix("l")) % 1000
    return [{"name": "phone_number", "values": [f"+79160000{number:03}"]}]


def with_graph(graph: Graph) -> Any:
    def prepare(h: VirtualHub) -> None:
        h.world.others["meta"] = graph

    return prepare


@virtual
async def test_a_lead_that_no_event_named_is_recovered_once_and_told_of() -> None:
    graph = Graph(l1=-60.0, l2=-1500.0)  # one of the last day, one older
    async with hub(config(ALL, sources=EVERY_15_MIN), prepare=with_graph(graph)) as h:
        await h.until(lambda: len(h.leads()) == 1, 120.0)
        await h.quiet()
        (lead,) = h.leads()
        assert lead.flags == ("recovered",)
        assert len(h.amocrm.deals) == 1
        (told,) = h.incidents("source_recovered")
        assert (told.count, told.data["what"]) == (1, "lead")
        await h.until(lambda: any("Восстановлено 1 обращение" in text for text in h.told()), 60.0)
        await h.wait(2000.0)  # two more readings find nothing new
        assert len(h.leads()) == 1
        assert len(h.incidents("source_recovered")) == 1
        assert h.read(lambda conn: count_recovered(conn, START, h.clock.now())) == {"meta": 1}


@virtual
async def test_what_came_by_itself_is_no_recovery() -> None:
    graph = Graph(l9876543210001=-10.0)
    async with hub(config(ALL, sources=EVERY_15_MIN), prepare=with_graph(graph)) as h:
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: len(h.leads()) == 1, 15.0)
        await h.wait(120.0)
        assert [lead.flags for lead in h.leads()] == [()]
        assert h.incidents("source_recovered") == []


@virtual
async def test_a_payment_that_never_arrived_is_counted_once_whatever_events_it_has() -> None:
    def event(number: int, kind: str, minute: float) -> dict[str, Any]:
        thing = {"id": f"pi_{number}", "amount": 9900, "currency": "usd", "metadata": {"phone": "+79160000001"}}
        at = int(START.timestamp() + minute * 60)
        return {
            "id": f"evt_{number}_{kind}",
            "type": f"payment_intent.{kind}",
            "created": at,
            "data": {"object": thing},
        }

    told = [event(number, kind, -9.0) for number in (1, 2) for kind in ("succeeded", "processing")]
    secret = "whsec_of_the_tests"
    sources = f"site: {{type: webform}}, pay: {{type: stripe, signing_secret: {secret}, secret_key: rk}}"

    def prepare(h: VirtualHub) -> None:
        h.world.others["stripe"] = FakeVendor(lambda asked: {"data": told, "has_more": False})

    async with hub(config(ALL, sources=sources), prepare=prepare) as h:
        await h.post("site", {"phone": "+79160000001"})
        body, t = json.dumps(told[0]).encode(), int(h.clock.now().timestamp())
        sign = hmac.new(secret.encode(), f"{t}.".encode() + body, "sha256").hexdigest()
        headers = {"Stripe-Signature": f"t={t},v1={sign}", "content-type": "application/json"}
        assert (await h.request("POST", "/in/pay", content=body, headers=headers)).status_code == 200
        await h.until(lambda: bool(h.incidents("source_recovered")), 120.0)
        await h.wait(1000.0)
        (found,) = h.incidents("source_recovered")
        assert (found.count, found.data["what"]) == (1, "payment")


@virtual
async def test_a_list_that_fails_stops_nothing_and_is_read_again_from_where_it_was() -> None:
    graph = Graph(l5=-30.0)
    graph.trouble = Answer(403, {"error": {"code": 200}})
    async with hub(config(ALL, sources=EVERY_15_MIN), prepare=with_graph(graph)) as h:
        await h.wait(120.0)
        kept = h.read(lambda conn: cursors.load(conn, cursor_of("meta")))
        assert kept is not None
        assert "code 200" in kept["error"]
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: len(h.leads()) == 1, 60.0)
        graph.trouble = None
        await h.until(lambda: len(h.leads()) == 2, 1800.0)
        kept = h.read(lambda conn: cursors.load(conn, cursor_of("meta")))
        assert kept is not None
        assert kept["error"] == ""


@virtual
async def test_it_can_be_switched_off() -> None:
    graph = Graph(l1=-60.0)
    sources = TOKEN % ', "reconcile": "off"'
    async with hub(config(ALL, sources=sources), prepare=with_graph(graph)) as h:
        await h.wait(1200.0)
        assert graph.asked == []


@virtual
async def test_after_a_stop_of_days_the_list_is_read_for_one_day() -> None:
    graph = Graph()
    async with hub(config(ALL, sources=EVERY_15_MIN), prepare=with_graph(graph)) as h:
        await h.until(lambda: bool(graph.asked), 60.0)
        await h.stop()
        h.jump(3 * 86_400.0)
        graph.asked.clear()
        await h.start()
        await h.until(lambda: bool(graph.asked), 60.0)
        since = json.loads(graph.last.params["filtering"])[0]["value"]
        assert 86_300 < h.clock.now().timestamp() - since < 86_600
