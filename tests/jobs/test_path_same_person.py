"""In several messengers one person is one as soon as a phone ties him; known persons are never tied silently."""

import json
from typing import Any

import pytest

from leads.attribution import touch_from_json
from store.conversation_tables import t_conversation
from store.tables import t_audit_entry, t_identity, t_lead, t_touch
from tests.jobs.test_path_replies import from_whatsapp
from tests.support.chatting import ANNA, Chat, talk_notes
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

SOURCES = (
    "tg: {type: telegram, secret_token: s3cret}, wa: {type: whatsapp, url_token: t}, "
    "site: {type: webform, rate_limit: off}, vb: {type: viber, url_token: t, "
    "links: {footer: {utm_source: site, utm_campaign: autumn}}}"
)
ALL = "  - {from: ['*'], to: [amo]}"
PHONE = "79161234567"
CARD = {"phone_number": PHONE, "first_name": "Анна", "user_id": ANNA["id"]}


async def whatsapp(h: VirtualHub, text: str, key: str) -> None:
    body = from_whatsapp(PHONE, text, int(h.clock.now().timestamp()), key)
    assert (await h.request("POST", "/in/wa/t", json=body)).status_code == 200


def notes_of_ties(h: VirtualHub) -> list[str]:
    return [note for note in h.notes("amo") if "Оказалось, что это один человек: в Telegram" in note]


@virtual
async def test_telegram_whatsapp_and_the_form_are_one_person_once_the_phone_is_shared() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        chat = Chat(h)
        await chat.say("Здравствуйте")
        await h.quiet()
        await chat.say(contact=CARD)
        await h.quiet()
        await whatsapp(h, "И тут напишу", "wamid.1")
        await h.post("site", {"phone": f"+{PHONE}", "comment": "Перезвоните"})
        await h.quiet()
        assert len(h.persons()) == 1
        assert {lead.source for lead in h.leads()} == {"tg", "wa", "site"}
        assert (len(h.amocrm.contacts), len(h.amocrm.deals)) == (1, 1)
        assert not any("identity_conflict" in lead.flags for lead in h.leads())
        await whatsapp(h, "Ещё вопрос", "wamid.2")
        await h.until(lambda: any("WhatsApp" in note for note in talk_notes(h)), 300.0)
        assert len(h.amocrm.deals) == 1


@pytest.mark.parametrize(
    ("locale", "first_line", "again"),
    [
        ("ru", "Клиент прислал свои контакты: «tg», 24.11.2026 11:0", "Повторное обращение (2-е за 30 дней)"),
        ("en", "The client shared contact data: “tg”, 24 Nov 2026 11:0", "Repeat enquiry (no. 2 in 30 days)"),
    ],
)
@virtual
async def test_a_shared_contact_is_told_as_one_and_counts_as_no_enquiry(
    locale: str, first_line: str, again: str
) -> None:
    async with hub(config(ALL, sources=SOURCES).replace("locale: ru", f"locale: {locale}")) as h:
        chat = Chat(h)
        await chat.say("Здравствуйте")
        await h.quiet()
        await chat.say(contact=CARD)
        await h.quiet()
        await h.post("site", {"phone": f"+{PHONE}", "comment": "Перезвоните"})
        await h.quiet()
        assert [lead.flags for lead in h.leads()] == [(), ("contact_shared",), ()]
        (shared,) = [note for note in h.notes("amo") if note.startswith(first_line)]
        assert "+7 916 123-45-67" in shared
        assert "Обратите внимание" not in shared
        assert "Please note" not in shared
        assert again not in shared
        (repeat,) = [note for note in h.notes("amo") if note.startswith(again)]
        assert "Перезвоните" in repeat


@virtual
async def test_a_number_known_from_whatsapp_finds_the_person_who_shares_it_first_thing_in_telegram() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        await whatsapp(h, "Добрый день", "wamid.1")
        await h.quiet()
        await Chat(h).say(contact=CARD)
        await h.quiet()
        assert len(h.persons()) == 1
        assert (len(h.amocrm.contacts), len(h.amocrm.deals)) == (1, 1)


@virtual
async def test_who_was_known_by_a_messenger_alone_becomes_the_person_whose_phone_he_shares() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        chat = Chat(h)
        await chat.say("Здравствуйте")
        await whatsapp(h, "Добрый день", "wamid.1")
        await h.quiet()
        assert len(h.persons()) == 2
        await chat.say(contact=CARD)
        await chat.say(contact=CARD)  # once more
        await h.quiet()
        telegram, known = h.persons()
        assert (telegram.merged_into, known.merged_into) == (known.id, "")
        assert {row.person_id for table in (t_identity, t_lead, t_touch, t_conversation) for row in h.rows(table)} == {
            known.id
        }
        assert not any("identity_conflict" in lead.flags for lead in h.leads())
        tied = [row for row in h.rows(t_audit_entry) if row.action == "person.tied"]
        assert {row.subject for row in tied} == {telegram.id, h.leads()[0].id, h.leads()[-1].id}
        await h.until(lambda: len(notes_of_ties(h)) == 2, 60.0)
        notes = notes_of_ties(h)
        first, second = h.amocrm.deals
        assert f"/leads/detail/{first}" in notes[0] + notes[1]
        assert f"/leads/detail/{second}" in notes[0] + notes[1]
        assert all("это два контакта" in note for note in notes)
        await chat.say("И ещё одно")
        await h.until(lambda: any("И ещё одно" in note for note in talk_notes(h)), 300.0)
        await h.post("site", {"phone": f"+{PHONE}", "comment": "Перезвоните"})
        await h.quiet()
        assert (len(h.amocrm.contacts), len(h.amocrm.deals), len(notes_of_ties(h))) == (2, 2, 2)


@virtual
async def test_contact_data_on_both_sides_is_flagged_and_nobody_is_merged() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        chat = Chat(h)
        await chat.say(contact={**CARD, "phone_number": "79031112233"})
        await whatsapp(h, "Добрый день", "wamid.1")
        await h.quiet()
        assert len(h.persons()) == 2
        await chat.say(contact=CARD)
        await h.quiet()
        assert [row.merged_into for row in h.persons()] == ["", ""]
        conflicts = [lead for lead in h.leads() if "identity_conflict" in lead.flags]
        assert len(conflicts) == 1
        assert len(conflicts[0].data["other_persons"]) == 1


@virtual
async def test_a_phone_of_somebody_else_ties_nobody() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        await whatsapp(h, "Добрый день", "wamid.1")
        chat = Chat(h)
        await chat.say("Здравствуйте")
        await chat.say(contact={**CARD, "user_id": 42})
        await chat.say("мой телефон +7 916 123-45-67")
        await h.quiet()
        assert len(h.persons()) == 2


# --- what a link told before anything was written -------------------------------------------------------------


async def viber(h: VirtualHub, event: str, **more: Any) -> None:
    stamp = int(h.clock.now().timestamp() * 1000)
    who = {"id": "v1", "name": "Анна"}
    body = {"event": event, "timestamp": stamp, "message_token": stamp + len(event), **more}
    body |= {"user": who} if event == "conversation_started" else {"sender": who}
    assert (await h.request("POST", "/in/vb/t", content=json.dumps(body))).status_code == 200


@virtual
async def test_the_link_that_opened_a_chat_is_the_touch_of_the_first_message() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        await viber(h, "conversation_started", context="footer")
        await h.wait(3600.0)
        assert h.leads() == []
        await viber(h, "message", message={"type": "text", "text": "Добрый день"})
        await h.quiet()
        (lead,) = h.leads()
        touch = touch_from_json(lead.data["touch"])
        assert touch.utm == {"utm_source": "site", "utm_campaign": "autumn"}
        assert touch.at == lead.received_at.replace(microsecond=0)
        (person,) = h.persons()
        first = touch_from_json(person.first_touch)
        assert (first.utm, (touch.at - first.at).total_seconds()) == (touch.utm, 3600.0)


@virtual
async def test_a_link_that_a_known_person_opens_is_one_more_touch_of_his() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        await viber(h, "message", message={"type": "text", "text": "Добрый день"})
        await h.wait(60.0)
        await viber(h, "conversation_started", context="footer")
        await h.quiet()
        assert len(h.leads()) == 1
        channels = [touch_from_json(row.data).utm for row in h.rows(t_touch)]
        assert channels == [{}, {"utm_source": "site", "utm_campaign": "autumn"}]
