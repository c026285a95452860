"""Conversations on their way to the CRM: what is said after the first message becomes notes, each once."""

from store.conversation_tables import t_conversation_note, t_note_duty
from tests.support.chatting import Chat, talk_notes
from tests.support.hub_on_virtual_time import UNHURRIED, VirtualHub, config, hub, virtual

ALL = "  - {from: ['*'], to: [amo]}"
TELEGRAM = "tg: {type: telegram, secret_token: s3cret, quiet: 2m, quiet_most: 10m}"


def duties(h: VirtualHub) -> list[str]:
    return [row.state for row in h.rows(t_note_duty)]


@virtual
async def test_later_messages_become_one_note_after_a_silence() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        chat = Chat(h)
        await chat.say("Здравствуйте, сколько стоят окна?")
        await h.quiet()
        await chat.say("Три штуки")
        await h.wait(60.0)
        await chat.say("Дом кирпичный\nпятый этаж")
        await h.wait(100.0)
        assert talk_notes(h) == []
        await h.until(lambda: talk_notes(h), 60.0)
        (note,) = talk_notes(h)
        assert note.splitlines()[:4] == [
            "Переписка: Telegram, 24.11.2026",
            "11:00 Анна: Три штуки",
            "11:01 Анна: Дом кирпичный",
            "    пятый этаж",
        ]
        assert "сколько стоят" not in note
        assert (len(h.leads()), len(h.amocrm.deals)) == (1, 1)
        await h.wait(600.0)
        assert len(talk_notes(h)) == 1


@virtual
async def test_who_writes_by_sms_has_his_number_only_and_makes_one_lead() -> None:
    async with hub(config(ALL, sources="sms: {type: smsc, url_token: t}")) as h:
        for number in range(1, 4):
            sms = {"phone": "79161234567", "mes": f"сообщение {number}", "to": "79037672215", "sms_id": str(number)}
            assert (await h.request("POST", "/in/sms/t", data=sms)).status_code == 200
        await h.until(lambda: talk_notes(h), 300.0)
        assert (len(h.leads()), len(h.persons()), len(h.amocrm.deals)) == (1, 1, 1)
        assert "сообщение 3" in talk_notes(h)[0]


@virtual
async def test_a_sticker_is_called_one() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say(sticker={"file_id": "s1", "emoji": "👍"})
        await h.until(lambda: talk_notes(h), 300.0)
        assert "Анна: [стикер: 👍]" in talk_notes(h)[0]


@virtual
async def test_a_picture_of_telegram_is_a_link_of_ours_where_we_can_fetch_it() -> None:
    bot = "tg: {type: telegram, secret_token: s3cret, bot_token: '1:sandbox', api_url: 'http://tg.test'}"
    async with hub(config(ALL, sources=bot, hub="public_url: 'https://hub.test', ")) as h:
        await Chat(h).say(photo=[{"file_id": "AgAC-_1", "width": 90}])
        await h.until(lambda: talk_notes(h), 300.0)
        assert "[фото] https://hub.test/media/tg/AgAC-_1" in talk_notes(h)[0]
    async with hub(config(ALL, sources=TELEGRAM, hub="public_url: 'https://hub.test', ")) as h:
        await Chat(h).say(photo=[{"file_id": "AgAC-_1", "width": 90}])
        await h.until(lambda: talk_notes(h), 300.0)
        assert "https://" not in talk_notes(h)[0]


def close_deals(h: VirtualHub) -> None:
    for deal in h.amocrm.deals.values():
        deal["status_id"] = 142


@virtual
async def test_who_writes_again_when_his_deals_are_closed_makes_a_new_one_with_his_words_on_it() -> None:
    async with hub(config(ALL, sources=TELEGRAM), pace=UNHURRIED) as h:
        chat = Chat(h)
        await chat.say("Сколько стоят окна?")
        await h.quiet()
        close_deals(h)
        await h.wait(3_600.0)
        await chat.say("А двери?")
        await h.wait(30.0)
        await chat.say("Две штуки")
        await h.until(lambda: talk_notes(h), 900.0)
        assert (len(h.leads()), len(h.persons()), len(h.amocrm.contacts), len(h.amocrm.deals)) == (2, 1, 1, 2)
        _, second = sorted(h.amocrm.deals)
        assert "А двери?" in talk_notes(h)[0]
        assert [str(note["entity_id"]) for note in h.amocrm.notes.values() if "Две штуки" in str(note)] == [second]
        await chat.say("Жду")
        await h.until(lambda: len(talk_notes(h)) == 2, 900.0)
        assert (len(h.leads()), len(h.amocrm.deals)) == (2, 2)


@virtual
async def test_our_own_words_after_the_deal_was_closed_begin_nothing_anew() -> None:
    async with hub(config(ALL, sources="wz: {type: wazzup, url_token: t}")) as h:
        told = {"channelId": "c", "chatType": "whatsapp", "chatId": "79161234567", "type": "text"}
        client = {**told, "messageId": "m1", "status": "inbound", "text": "Привет"}
        assert (await h.request("POST", "/in/wz/t", json={"messages": [client]})).status_code == 200
        await h.quiet()
        close_deals(h)
        ours = {**told, "messageId": "m2", "isEcho": True, "status": "sent", "text": "Спасибо за заказ"}
        assert (await h.request("POST", "/in/wz/t", json={"messages": [ours]})).status_code == 200
        await h.until(lambda: talk_notes(h), 300.0)
        assert (len(h.leads()), len(h.amocrm.deals)) == (1, 1)


@virtual
async def test_a_talk_without_pauses_is_noted_all_the_same() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        chat = Chat(h)
        await chat.say("Добрый день")
        for number in range(12):
            await h.wait(60.0)
            await chat.say(f"строка {number}")
        assert len(talk_notes(h)) == 1
        await h.wait(200.0)
        first, second = talk_notes(h)
        told = [line.partition(": ")[2] for line in (first + "\n" + second).splitlines() if "строка" in line]
        assert told == [f"строка {number}" for number in range(12)]


@virtual
async def test_edits_deletions_media_and_repeats_are_told_once() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        chat = Chat(h)
        await chat.say("Привет")
        second = await chat.say("на вторник")
        await chat.say(photo=[{"file_id": "AgAC", "width": 90, "height": 90}], caption="фасад")
        await chat.edit(second, "на среду")
        await chat.edit(second, "на среду")
        await h.until(lambda: talk_notes(h), 300.0)
        (note,) = talk_notes(h)
        assert "Анна (изменено): на среду" in note
        assert "вторник" not in note
        assert "[фото]" in note
        await chat.edit(second, "на четверг")
        await h.until(lambda: len(talk_notes(h)) == 2, 300.0)
        assert "исправление сообщения 11:00): на четверг" in talk_notes(h)[1]


@virtual
async def test_the_first_message_with_a_picture_is_noted_because_the_lead_cannot_tell_of_it() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say(photo=[{"file_id": "AgAC", "width": 90, "height": 90}])
        await h.until(lambda: talk_notes(h), 300.0)
        assert "[фото]" in talk_notes(h)[0]


@virtual
async def test_a_bot_s_words_alone_make_no_note() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        chat = Chat(h)
        await chat.say("Привет")
        await chat.update("message", 50, "Меню", **{"from": {"id": 1, "is_bot": True, "first_name": "Бот"}})
        await h.wait(900.0)
        assert talk_notes(h) == []
        assert h.rows(t_conversation_note) == []


@virtual
async def test_notes_wait_for_the_lead_and_arrive_in_order_when_the_crm_is_back() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        h.fault("amocrm", "down")
        chat = Chat(h)
        await chat.say("Привет")
        for number in range(3):
            await chat.say(f"вопрос {number}")
            await h.wait(200.0)
        assert len(h.rows(t_note_duty)) == 3
        h.calm()
        await h.quiet()
        await h.until(lambda: len(talk_notes(h)) == 3, 60.0)
        assert [note.rpartition("вопрос ")[2][:1] for note in talk_notes(h)] == ["0", "1", "2"]
        assert duties(h) == ["written"] * 3


@virtual
async def test_a_note_whose_answer_was_lost_is_looked_up_and_not_written_twice() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        chat = Chat(h)
        await chat.say("Привет")
        await h.quiet()
        await chat.say("ещё вопрос")
        h.fault("amocrm", "reset_after", "/notes", times=1)
        await h.until(lambda: duties(h) == ["written"], 900.0)
        assert len(talk_notes(h)) == 1


@virtual
async def test_a_hub_killed_while_it_writes_a_note_neither_loses_nor_doubles_it() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        chat = Chat(h)
        await chat.say("Привет")
        await h.quiet()
        await chat.say("ещё вопрос")
        h.fault("amocrm", "slow", "/notes", delay_s=25.0)
        await h.until(lambda: any(row.sent_at for row in h.rows(t_note_duty)), 300.0)
        await h.kill()
        h.calm()
        await h.start("two")
        await h.until(lambda: duties(h) == ["written"], 900.0)
        await h.wait(60.0)
        assert len(talk_notes(h)) == 1


@virtual
async def test_a_note_goes_to_each_crm_that_has_the_lead() -> None:
    async with hub(config("  - {from: ['*'], to: [amo, b24, hs]}", sources=TELEGRAM)) as h:
        chat = Chat(h)
        await chat.say("Привет")
        await chat.say("ещё вопрос")
        await h.until(lambda: duties(h) == ["written"] * 3, 300.0)
        for connection in ("amo", "b24", "hs"):
            assert len([note for note in h.notes(connection) if "ещё вопрос" in note]) == 1


@virtual
async def test_a_bot_without_a_webhook_is_asked_for_its_messages() -> None:
    bot = "tg: {type: telegram, polling: true, bot_token: '5:sandbox', api_url: 'http://tg.test', quiet: 20s}"
    async with hub(config(ALL, sources=bot)) as h:
        h.telegram.say("5:sandbox", 5210001, "Сколько стоят окна?")
        await h.until(lambda: len(h.amocrm.deals) == 1, 120.0)
        h.telegram.say("5:sandbox", 5210001, "И двери")
        await h.until(lambda: talk_notes(h), 300.0)
        await h.stop()
        h.telegram.say("5:sandbox", 5210001, "Ещё тут?")
        await h.start()
        await h.until(lambda: len(talk_notes(h)) == 2, 600.0)
        assert len(h.leads()) == 1
