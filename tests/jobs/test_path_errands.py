"""What a request merely names: read from the vendor, once, whatever fails; and told of when it cannot be."""

import json
from typing import Any

import pytest

from store.errand_tables import t_errand
from store.errands import owed
from tests.jobs.test_path_events import KEYS, SAMPLES, of, replay
from tests.support.hub_on_virtual_time import UNHURRIED, VirtualHub, config, hub, virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor

ALL = "  - {from: ['*'], to: [amo]}"
LEAD: dict[str, Any] = json.loads((SAMPLES / "meta" / "graph-lead-response.json").read_text(encoding="utf-8"))
META = of("meta", "app_secret", "verify_token")
WITH_TOKEN = META.replace('"type": "meta"', '"type": "meta", "page_token": "token-of-the-tests"')
SAMPLE = "2-leadgen"


class Graph(FakeVendor):
    """Answers with `next_answers` one after the other, then with the lead."""

    def __init__(self, *next_answers: Any) -> None:
        self.next = list(next_answers)
        super().__init__(self._answer)

    def _answer(self, asked: Asked) -> Any:
        return self.next.pop(0) if self.next else LEAD


def with_graph(graph: FakeVendor) -> Any:
    def prepare(h: VirtualHub) -> None:
        h.world.others["meta"] = graph

    return prepare


def errands(h: VirtualHub) -> list[Any]:
    return h.rows(t_errand)


@virtual
async def test_a_named_lead_is_read_and_delivered_once() -> None:
    graph = Graph()
    async with hub(config(ALL, sources=WITH_TOKEN), prepare=with_graph(graph)) as h:
        for _ in range(3):
            await replay(h, "meta", SAMPLE)
        await h.until(lambda: len(h.leads()) == 1, 30.0)
        await h.quiet()
        (lead,) = h.leads()
        (errand,) = errands(h)
        assert lead.lead_uid == errand.key == "9876543210001"
        assert (errand.state, errand.lead_ids) == ("done", (lead.id,))
        assert len(h.amocrm.deals) == 1
        assert len(graph.asked) == 1


@virtual
async def test_a_vendor_that_is_down_is_asked_until_it_answers() -> None:
    graph = Graph(*(Answer(503, {"error": {"code": 2}}) for _ in range(12)))
    async with hub(config(ALL, sources=WITH_TOKEN), prepare=with_graph(graph)) as h:
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: "errand_late" in h.open_incidents(), 300.0)
        await h.until(lambda: len(h.leads()) == 1, 1200.0)
        await h.quiet()
        await h.until(lambda: "errand_late" not in h.open_incidents(), 60.0)
        assert len(h.amocrm.deals) == 1
        assert any("ещё не прочитано" in text for text in h.told())


@virtual
async def test_without_a_token_it_is_owed_and_the_reason_is_said() -> None:
    async with hub(config(ALL, sources=META)) as h:
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: "errand_late" in h.open_incidents(), 300.0)
        (errand,) = errands(h)
        assert errand.last_error == "no page_token in the settings of source meta"
        assert (errand.state, errand.attempts) == ("ready", 0)
        status = await h.request("GET", "/api/v1/status")
        assert status.status_code == 401  # the API wants a token; the console and CLI show the same
        assert h.read(owed)["meta"].waiting == 1
        await h.restart(config(ALL, sources=WITH_TOKEN))  # with no vendor behind it
        await h.wait(60.0)
        h.world.others["meta"] = Graph()
        await h.restart()
        await h.until(lambda: len(h.leads()) == 1, 120.0)
        await h.quiet()
        assert len(h.amocrm.deals) == 1


@virtual
async def test_what_the_vendor_says_does_not_exist_is_given_up_aloud_and_can_be_retried_and_discarded() -> None:
    gone = Answer(400, {"error": {"code": 100, "message": "Unsupported get request"}})
    graph = Graph(gone, gone)
    async with hub(config(ALL, sources=WITH_TOKEN), prepare=with_graph(graph)) as h:
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: "errand_failed" in h.open_incidents(), 60.0)
        assert errands(h)[0].state == "dead"
        from store import errands as store

        errand_id = errands(h)[0].id
        done = h.write(lambda conn: store.retry(conn, [errand_id], actor="test", clock=h.clock))
        assert done.changed == [errand_id]
        h.lives["one"].hub.try_now(done.connections)  # type: ignore[union-attr]  # it runs
        await h.until(lambda: len(graph.asked) == 2 and errands(h)[0].state == "dead", 60.0)
        done = h.write(lambda conn: store.discard(conn, [errand_id], why="проверка", actor="test", clock=h.clock))
        assert done.changed == [errand_id]
        await h.until(lambda: "errand_failed" not in h.open_incidents(), 60.0)
        assert h.write(lambda conn: store.retry(conn, [errand_id], actor="test", clock=h.clock)).refused


@virtual
async def test_a_refused_token_gives_nothing_up_however_long_it_lasts() -> None:
    refused = Answer(400, {"error": {"code": 190, "message": "expired"}})
    graph = Graph(*(refused for _ in range(30)))
    async with hub(config(ALL, sources=WITH_TOKEN), prepare=with_graph(graph), pace=UNHURRIED) as h:
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: len(h.leads()) == 1, 3600.0)
        assert any("токен" in text for text in h.told())


@pytest.mark.parametrize("point", ["fetched"])
@virtual
async def test_a_process_that_dies_with_the_answer_in_hand_asks_again(point: str) -> None:
    graph = Graph()
    async with hub(config(ALL, sources=WITH_TOKEN), prepare=with_graph(graph)) as h:
        died: list[str] = []

        async def die(name: str) -> None:
            if name == point and not died:
                died.append(name)
                await h.kill()

        worker = h.lives["one"].hub.workers["source:meta"]  # type: ignore[union-attr]  # it runs
        worker.parts[0].checkpoint = die  # type: ignore[attr-defined]  # the errands are its first part
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: bool(died), 30.0)
        assert h.leads() == []
        await h.start("two")
        await h.until(lambda: len(h.leads()) == 1, 120.0)
        await h.quiet()
        assert len(h.amocrm.deals) == 1
        assert len(graph.asked) == 2


@virtual
async def test_two_processes_read_one_errand_once() -> None:
    graph = Graph()
    async with hub(config(ALL, sources=WITH_TOKEN), prepare=with_graph(graph)) as h:
        await h.start("two")
        await replay(h, "meta", SAMPLE)
        await h.until(lambda: len(h.leads()) == 1, 60.0)
        await h.quiet()
        assert (len(graph.asked), len(h.amocrm.deals)) == (1, 1)


@virtual
async def test_errands_wait_in_the_spool_while_the_database_is_away() -> None:
    async with hub(config(ALL, sources=WITH_TOKEN), prepare=with_graph(Graph())) as h:
        h.world.database_down = True
        await replay(h, "meta", SAMPLE)
        h.world.database_down = False
        await h.until(lambda: len(h.leads()) == 1, 60.0)
        assert len(errands(h)) == 1


@virtual
async def test_the_samples_are_taken_in_with_their_keys_alone() -> None:
    assert set(KEYS["meta"]) == {"app_secret", "verify_token"}
    assert set(KEYS["moysklad"]) == {"url_token"}
    sources = f"{META}, {of('moysklad', 'url_token')}"
    async with hub(config(ALL, sources=sources)) as h:
        await replay(h, "meta", SAMPLE)
        await replay(h, "moysklad", "customerorder-update")
        await h.until(lambda: all(one.last_error for one in errands(h)), 60.0)
        assert {one.last_error for one in errands(h)} == {
            "no page_token in the settings of source meta",
            "no access_token in the settings of source moysklad",
        }
