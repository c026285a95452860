"""A missed call that nobody called back is told to people once, and until somebody did."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from store.call_tables import t_missed_call
from store.tables import t_call, t_follow_up
from tests.jobs.test_path_events import ALL
from tests.support.hub_on_virtual_time import CONNECTIONS, DAY, UNHURRIED, VirtualHub, config, hub, virtual

CLIENT = "+79161234567"
OFFICE = (
    "  - {from: ['*'], to: [amo], assign: {strategy: fixed, users: ['1010101'], "
    "hours: {days: mon-fri, from: '09:00', to: '18:00'}}}"
)


def sources(**more: Any) -> str:
    settings = {"type": "asterisk", "title": "Офис", "lines": {"+74951112233": {"title": "Билборд"}}, **more}
    return f"pbx: {json.dumps(settings, ensure_ascii=False)}"


async def call(h: VirtualHub, call_id: str, direction: str = "in", **more: str) -> None:
    """A call that has just ended, as the dial plan's hangup handler tells it; answered with `billsec`."""
    ends = {"caller": CLIENT, "did": "+74951112233"} if direction == "in" else {"caller": "101", "called": CLIENT}
    talked = "billsec" in more
    event = {"uniqueid": call_id, "event": "hangup", "direction": direction, "duration": more.get("billsec", "20")}
    outcome = {"dialstatus": "ANSWER", "extension": "101"} if talked else {"dialstatus": "NOANSWER"}
    answer = await h.request("POST", "/in/pbx", data={**event, **ends, **outcome, **more})
    assert answer.status_code == 200, answer.text


def waiting(h: VirtualHub) -> list[str]:
    """Missed calls that nobody has called back."""
    calls = {row.id: row.key for row in h.rows(t_call)}
    return [calls[row.id] for row in h.rows(t_missed_call) if row.closed_at is None]


def headline(h: VirtualHub) -> str:
    (told,) = h.told()
    return told.split("\n")[0]


@virtual
async def test_a_missed_call_is_told_after_half_an_hour_and_its_end_in_the_same_message() -> None:
    async with hub(config(ALL, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        waited = await h.until(h.told, 3600.0)
        assert 1780.0 < waited < 2200.0
        (told,) = h.told()
        lead = h.leads()[0]
        told = re.sub("ждёт 3[0-9] мин", "ждёт 30 мин", told)
        assert told.split("\n") == [
            "🟡 Никто не перезвонил: пропущенный в 10:59",
            "«Офис», линия «Билборд», ждёт 30 мин.",
            "Номер кончается на 4567.",
            f"Перезвоните: leadhub leads show {lead.id}",
        ]
        assert CLIENT not in told
        await call(h, "o1", "out")
        assert waiting(h) == []
        await h.until(lambda: headline(h).startswith("🟢"), 1500.0)
        (told,) = h.told()
        assert told.split("\n")[0] == "🟢 Пропущенный звонок больше не ждёт: «Офис»"
        assert re.search("Клиенту позвонили через 3[0-9] мин", told)


@virtual
async def test_who_calls_several_times_is_one_message_and_closed_when_he_gets_through() -> None:
    async with hub(config(ALL, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.wait(600.0)
        await call(h, "m2")
        await h.until(h.told, 3600.0)
        assert headline(h).startswith("🟡 Никто не перезвонил: 2 пропущенных от одного человека")
        await h.wait(900.0)
        assert len(h.incidents("not_called_back")) == 1
        await call(h, "a1", billsec="61")
        await h.until(lambda: headline(h).startswith("🟢"), 1500.0)
        assert "Клиент дозвонился сам" in h.told()[0]
        assert h.open_incidents() == set()


@virtual
async def test_called_back_in_time_nobody_hears_of_it() -> None:
    async with hub(config(ALL, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.wait(1700.0)
        await call(h, "o1", "out")
        await h.wait(1800.0)
        assert h.told() == []
        await call(h, "m2")
        assert waiting(h) == ["m2"]


@virtual
async def test_an_outgoing_call_of_another_source_counts_whenever_its_event_comes() -> None:
    async with hub(config(ALL, sources=f"{sources()}, other: {{type: asterisk}}"), pace=UNHURRIED) as h:
        await call(h, "m1")
        late = {"uniqueid": "x", "event": "hangup", "direction": "out", "caller": "101", "called": CLIENT}
        await h.wait(1200.0)
        began = (h.clock.now() - timedelta(minutes=15)).isoformat()
        await h.request("POST", "/in/other", data={**late, "start": began, "duration": "5", "dialstatus": "NOANSWER"})
        assert waiting(h) == []
        await h.wait(1200.0)
        assert h.told() == []


@virtual
async def test_only_working_time_counts() -> None:
    evening = datetime(2026, 11, 27, 14, 50, tzinfo=UTC)  # Friday, 17:50 in Moscow
    async with hub(config(OFFICE, sources=sources()), at=evening, pace=UNHURRIED) as h:
        await call(h, "m1")
        h.jump(62 * 3600.0)
        await h.wait(600.0)
        assert h.told() == []  # Monday, 8:00
        await h.wait(2 * 3600.0)
        assert headline(h).startswith("🟡 Никто не перезвонил: пропущенный 27.11 в 17:")


@virtual
async def test_off_means_off_and_another_time_is_another_time() -> None:
    async with hub(config(ALL, sources=sources(callback_alert_after="off")), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.wait(2700.0)
        assert h.told() == []
        await h.restart(config(ALL, sources=sources(callback_alert_after="2h")))
        await h.wait(3000.0)
        assert h.told() == []
        await h.until(h.told, 2400.0)


@virtual
async def test_it_is_told_once_over_restarts_and_the_whole_number_only_where_that_is_allowed() -> None:
    async with hub(config(ALL, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.until(h.told, 3600.0)
        await h.kill()
        await h.start()
        await h.wait(1800.0)
        assert len(h.told()) == len(h.incidents("not_called_back")) == 1
    personal = CONNECTIONS + "  show_personal: true\n"
    async with hub(config(ALL, sources=sources(), connections=personal), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.until(h.told, 3600.0)
        assert CLIENT in h.told()[0]


@virtual
async def test_after_two_weeks_it_is_let_go() -> None:
    async with hub(config(ALL, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        h.jump(13 * DAY)
        await h.wait(700.0)
        assert h.open_incidents() == {"not_called_back"}
        h.jump(DAY)
        await h.wait(700.0)
        assert h.open_incidents() == set()
        assert "звонка так и не было" in h.told()[0]


# --- the task in the CRM ---------------------------------------------------------------------------------------------

THREE = "  - {from: ['*'], to: [amo, b24, hs]}"


def done_tasks(h: VirtualHub) -> dict[str, list[bool]]:
    """Connection -> of each task to call back whether it is done."""
    return {
        "amo": [bool(one["is_completed"]) for one in h.amocrm.tasks.values()],
        "b24": [one["COMPLETED"] == "Y" for one in h.bitrix24.activities.values() if "Перезвонить" in str(one)],
        "hs": [one["properties"]["hs_task_status"] == "COMPLETED" for one in h.hubspot.tasks.values()],
    }


def each(*done: bool) -> dict[str, list[bool]]:
    return {name: list(done) for name in ("amo", "b24", "hs")}


@virtual
async def test_the_task_is_done_once_somebody_has_talked_to_the_client() -> None:
    async with hub(config(THREE, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.quiet()
        assert done_tasks(h) == each(False)
        await h.wait(300.0)
        await call(h, "o1", "out")  # nobody took it: still to be done
        await h.wait(300.0)
        assert done_tasks(h) == each(False)
        await call(h, "o2", "out", billsec="65")
        await h.until(lambda: done_tasks(h) == each(True), 120.0)
        (task,) = h.amocrm.tasks.values()
        assert task["result"]["text"].endswith("Исходящий звонок: разговор 1:05, 101")
        await call(h, "m2")
        await h.quiet()
        assert done_tasks(h) == each(True, False)
        await call(h, "a1", billsec="5")  # he gets through himself
        await h.until(lambda: done_tasks(h) == each(True, True), 120.0)


@virtual
async def test_a_task_that_people_closed_or_deleted_is_let_be() -> None:
    async with hub(config(THREE, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.quiet()
        (task,) = h.amocrm.tasks.values()
        task |= {"is_completed": True, "result": {"text": "поговорили"}}
        h.bitrix24.activities.clear()
        h.hubspot.tasks.clear()
        await h.wait(300.0)
        await call(h, "o1", "out", billsec="65")
        await h.until(lambda: not h.rows(t_follow_up), 120.0)
        assert task["result"] == {"text": "поговорили"}
        assert h.open_incidents() == set()


@virtual
async def test_the_task_of_a_lead_that_waits_for_its_crm_is_done_when_it_is_there() -> None:
    async with hub(config(THREE, sources=sources()), pace=UNHURRIED) as h:
        for vendor in ("amocrm", "bitrix24", "hubspot"):
            h.fault(vendor, "503")
        await call(h, "m1")
        await h.wait(300.0)
        await call(h, "o1", "out", billsec="65")
        await h.wait(60.0)
        assert done_tasks(h) == each()
        h.calm()
        await h.until(lambda: done_tasks(h) == each(True), 3600.0)


@virtual
async def test_a_lost_answer_and_a_crash_change_nothing() -> None:
    async with hub(config(THREE, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.wait(300.0)
        h.fault("amocrm", "reset_after", match="PATCH /api/v4/tasks", times=1)
        await call(h, "o1", "out", billsec="65")
        await h.wait(5.0)
        await h.restart()
        await h.until(lambda: done_tasks(h) == each(True) and not h.rows(t_follow_up), 3600.0)


@virtual
async def test_who_calls_twice_is_one_task_until_it_is_done_and_both_calls_stand_on_the_deal() -> None:
    async with hub(config(THREE, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.quiet()
        await h.wait(120.0)
        await call(h, "m2")
        await h.quiet()
        assert done_tasks(h) == each(False)
        assert len(h.amocrm.deals) == 1
        assert len([note for note in h.amocrm.notes.values() if note["note_type"] == "call_in"]) == 2
        assert len(h.hubspot.calls) == 2
        assert len([one for one in h.bitrix24.activities.values() if "Входящий" in str(one)]) == 2
        await h.wait(120.0)
        await call(h, "o1", "out", billsec="65")
        await h.until(lambda: done_tasks(h) == each(True) and not h.rows(t_follow_up), 300.0)
        await call(h, "m3")
        await h.quiet()
        assert done_tasks(h) == each(True, False)


@virtual
async def test_a_missed_call_after_people_did_the_task_or_deleted_it_is_a_task_of_its_own() -> None:
    async with hub(config(THREE, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.quiet()
        (task,) = h.amocrm.tasks.values()
        task["is_completed"] = True
        h.bitrix24.activities.clear()
        h.hubspot.tasks.clear()
        await call(h, "m2")
        await h.quiet()
        assert done_tasks(h) == {"amo": [True, False], "b24": [False], "hs": [False]}


@virtual
async def test_a_task_that_nobody_did_for_a_day_does_not_do_for_the_next_call() -> None:
    async with hub(config(ALL, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.quiet()
        for call_id in ("m2", "m3"):
            h.jump(13 * 3600.0)
            await call(h, call_id)
            await h.quiet()
        assert done_tasks(h)["amo"] == [False, False]
        await h.wait(120.0)
        await call(h, "o1", "out", billsec="65")
        await h.until(lambda: done_tasks(h)["amo"] == [True, True], 300.0)


@virtual
async def test_the_task_stays_while_a_later_missed_call_waits_though_the_talk_before_it_is_told_last() -> None:
    async with hub(config(THREE, sources=sources()), pace=UNHURRIED) as h:
        await call(h, "m1")
        await h.wait(300.0)
        talked = h.clock.now().isoformat()
        await h.wait(300.0)
        await call(h, "m2")
        await h.quiet()
        assert done_tasks(h) == each(False)
        await call(h, "o1", "out", billsec="65", start=talked)
        await h.until(lambda: not h.rows(t_follow_up), 300.0)
        assert done_tasks(h) == each(False)
        assert waiting(h) == ["m2"]
        await h.wait(120.0)
        await call(h, "o2", "out", billsec="65")
        await h.until(lambda: done_tasks(h) == each(True), 300.0)
