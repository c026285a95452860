"""What *Today* says: the number, the reasons, the right day."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import update

from cli.status import reasons
from cli.words import Words as TerminalWords
from leads.incidents import Observation
from store import incidents
from store.tables import t_delivery
from tests.support.databases import new_sqlite
from tests.support.quiet_hub import QuietHub, quiet_hub
from web.today import look
from web.today_parts import Today
from web.words import Words

DAY_S = 86_400


@pytest_asyncio.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[QuietHub]:
    async with quiet_hub(tmp_path, new_sqlite(tmp_path)) as running:
        yield running


async def today(quiet: QuietHub, days_ago: int = 0) -> Today:
    zone = quiet.hub.settings.hub.zone
    words = Words("ru", zone, quiet.clock.now())
    now_day = quiet.clock.now().astimezone(zone).date()
    return await look(quiet.hub, now_day.fromordinal(now_day.toordinal() - days_ago), words)


async def set_delivery(quiet: QuietHub, lead_id: str, **values: object) -> None:
    await quiet.write(lambda c: c.execute(update(t_delivery).where(t_delivery.c.lead_id == lead_id).values(**values)))


async def test_what_was_taken_in_a_moment_ago_alarms_nobody(quiet: QuietHub) -> None:
    await quiet.send(name="Иван", phone="8 916 123-45-67")
    shown = await today(quiet)
    assert (shown.number, shown.tone) == (1, "calm")
    assert [(group.kind, group.quiet) for group in shown.groups] == [("pending", True)]
    quiet.clock.forward(61)
    assert (await today(quiet)).tone == "bad"


async def test_what_is_stuck_since_yesterday_is_stuck_today(quiet: QuietHub) -> None:
    old = await quiet.send(name="Вчерашний", phone="8 916 123-45-67")
    await quiet.fail(old)
    quiet.clock.forward(DAY_S)
    await quiet.send(name="Сегодняшний", phone="8 916 123-45-68")
    shown = await today(quiet)
    assert (shown.number, shown.status.accepted, shown.tone) == (2, 1, "bad")
    assert "из них 1 за прошлые дни" in shown.parts
    async with quiet.visitor() as monitoring:
        assert "\nleadhub_not_arrived 2.0\n" in (await monitoring.get("/metrics")).text
    past = await today(quiet, days_ago=1)
    assert (past.number, past.is_today) == (1, False)
    assert [row.name for group in past.groups for row in group.rows] == ["Вчерашний"]


async def test_leads_are_put_together_by_reason(quiet: QuietHub) -> None:
    refused = "create deal: HTTP 400: Bad Request"
    for number in range(60):
        await quiet.fail(await quiet.send(name=f"Лид {number}", phone=f"8 916 123-45-{number:02}"), refused)
    await quiet.fail(await quiet.send(name="Поле", phone="8 916 123-46-00"), "gave up: HTTP 503")
    shown = await today(quiet)
    assert [(group.kind, group.count, len(group.rows)) for group in shown.groups] == [
        ("failed", 60, 50),
        ("failed", 1, 1),
    ]
    assert shown.groups[0].why.text == "CRM не приняла данные"
    assert shown.groups[0].why.detail == refused
    async with quiet.visitor() as browser:
        page = (await browser.get("/")).text
    assert "Показать все 60 в списке" in page
    assert "Повторить все непринятые" in page


async def test_a_connection_that_is_down_says_so_once_for_all_its_leads(quiet: QuietHub) -> None:
    first = await quiet.send(name="Иван", phone="8 916 123-45-67")
    await quiet.send(name="Иван", phone="8 916 123-45-67", comment="ещё раз")
    await set_delivery(quiet, first, last_error="find contacts: ReadTimeout", error_kind="retryable", attempts=3)
    seen = Observation("token_refused", "sales", "token", 2, quiet.clock.now(), {"vendor": "amoCRM", "oauth": True})
    await quiet.write(lambda conn: incidents.observe(conn, seen, quiet.clock.now(), "incident-1"))
    shown = await today(quiet)
    (group,) = shown.groups
    assert (group.count, group.why.text) == (2, "токен не принят")
    assert group.todo == "Нужен новый вход: <code>leadhub auth sales</code>"
    assert [row.next_try for row in group.rows] == ["", "после более раннего лида того же человека"]
    (alarm,) = shown.alarms
    assert "Токен amoCRM «sales» отозван" in alarm.head
    assert not re.search("[🔴🟡🟢]", alarm.head)
    assert alarm.lines == []  # the group says it


@pytest.mark.parametrize(
    ("oauth", "cause", "todo"),
    [
        (True, "token", "<code>leadhub auth sales</code>"),
        (False, "token", "впишите его в .env, перезапустите leadhub и проверьте: <code>leadhub check --live</code>"),
        (False, "rights", "<code>leadhub check --live</code>"),
    ],
)
async def test_a_refused_token_says_what_to_do_while_no_lead_waits(
    quiet: QuietHub, oauth: bool, cause: str, todo: str
) -> None:
    seen = Observation("token_refused", "sales", cause, 0, quiet.clock.now(), {"vendor": "amoCRM", "oauth": oauth})
    await quiet.write(lambda conn: incidents.observe(conn, seen, quiet.clock.now(), "incident-1"))
    shown = await today(quiet)
    assert todo in shown.alarms[0].lines[-1]
    (line,) = reasons(TerminalWords.of(quiet.hub.settings), shown.status, {})
    assert re.sub("</?code>", "", todo) in line.plain


async def test_suspected_spam_and_working_hours_are_told_apart(quiet: QuietHub) -> None:
    await quiet.send(name="Spam", email="x@spam.example", leadhub_hp="x")
    later = await quiet.send(name="Ночной", phone="8 916 123-45-67")
    await set_delivery(quiet, later, error_kind="hold", last_error="Ждёт до 25.11 09:00: нерабочее время")
    shown = await today(quiet)
    assert [group.kind for group in shown.groups] == ["held", "later"]
    assert shown.parts == ["1 отложен до рабочего времени", "1 ждёт вашего решения"]
    assert shown.groups[1].why.text == "Ждёт до 25.11 09:00: нерабочее время"


async def test_a_crm_that_nobody_works_on_is_told(quiet: QuietHub) -> None:
    await quiet.send(name="Иван", phone="8 916 123-45-67")
    quiet.clock.forward(120)
    shown = await today(quiet)
    assert {line.state for line in shown.connections} == {"stopped"}
    assert "worker" in shown.groups[0].todo
