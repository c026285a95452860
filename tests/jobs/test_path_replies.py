"""Answers to clients: each once, by the messenger they wrote from, and said so when nobody can tell."""

from datetime import timedelta

from jobs.talks.sending import NOT_REQUESTED
from store import events
from store.conversation_tables import t_conversation, t_outgoing
from store.events import Arrival
from store.outgoing import UNDELIVERED
from store.tables import t_audit_entry
from tests.support.chatting import ANNA, Chat, Program, sent_by_us, talk_notes
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor

ALL = "  - {from: ['*'], to: [amo]}"
BOT = "type: telegram, secret_token: s3cret, bot_token: '1:sandbox', api_url: 'http://tg.test'"
TELEGRAM = f"tg: {{{BOT}}}"
SEND = "/sendMessage"


def read_by_anna(h: VirtualHub) -> list[str]:
    return [message.text for message in h.telegram.chat_messages(ANNA["id"])]


@virtual
async def test_an_answer_goes_to_the_messenger_the_client_wrote_from_and_into_the_note() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Сколько стоят окна?")
        program = Program(h)
        answer = await program.reply("От 10 000 за окно")
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        await h.until(lambda: sent_by_us(h) == ["sent"], 10.0)
        assert read_by_anna(h) == ["От 10 000 за окно"]
        assert await program.messages() == [
            ("client", "Сколько стоят окна?", "received"),
            ("us", "От 10 000 за окно", "sent"),
        ]
        await h.until(lambda: talk_notes(h), 300.0)
        assert "→ Мы: От 10 000 за окно" in talk_notes(h)[0]
        (entry,) = h.rows(t_audit_entry)
        assert (entry.actor, entry.action, entry.subject) == ("api:crm", "conversation.reply", h.leads()[0].id)
        listed = await program.ask("/conversations")
        assert [one["lead_id"] for one in listed["conversations"]] == [h.leads()[0].id]


@virtual
async def test_the_same_idempotency_key_sends_once() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        program = Program(h)
        first = await program.reply("Добрый день", **{"Idempotency-Key": "k1"})
        second = await program.reply("Добрый день", **{"Idempotency-Key": "k1"})
        assert first.json()["id"] == second.json()["id"]
        await h.wait(10.0)
        assert read_by_anna(h) == ["Добрый день"]


@virtual
async def test_a_lost_answer_is_never_repeated_by_itself_and_a_person_decides() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        program = Program(h)
        h.fault("telegram", "reset_after", SEND, times=1)
        made = (await program.reply("Добрый день")).json()["id"]
        await h.until(lambda: sent_by_us(h) == ["unknown"], 60.0)
        await h.wait(900.0)
        assert read_by_anna(h) == ["Добрый день"]
        assert (await program.messages())[-1] == ("us", "Добрый день", "unknown")
        assert "reply_failed" in h.open_incidents()
        assert (await program.ask("/status"))["replies"] == {"done": 0, "pending": 0, "failed": 1}
        assert (await program.post(f"/messages/{made}/retry")).status_code == 200
        await h.until(lambda: sent_by_us(h) == ["sent"], 10.0)
        assert read_by_anna(h) == ["Добрый день", "Добрый день"]
        assert (await program.post(f"/messages/{made}/retry")).status_code == 409
        await h.until(lambda: "reply_failed" not in h.open_incidents(), 30.0)


@virtual
async def test_what_surely_was_not_sent_is_sent_later_in_order() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        program = Program(h)
        h.fault("telegram", "down", SEND)
        for text in ("раз", "два", "три"):
            await program.reply(text)
            await h.wait(1.0)
        await h.wait(30.0)
        assert read_by_anna(h) == []
        h.calm("telegram")
        await h.until(lambda: sent_by_us(h) == ["sent"] * 3, 120.0)
        assert read_by_anna(h) == ["раз", "два", "три"]


@virtual
async def test_a_hub_killed_while_it_sends_does_not_send_again() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        program = Program(h)
        h.fault("telegram", "slow", SEND, delay_s=5.0)
        await program.reply("Добрый день")
        await h.until(lambda: sent_by_us(h) == ["sending"], 10.0)
        await h.kill()
        h.calm("telegram")
        await h.start("two")
        await h.until(lambda: sent_by_us(h) == ["unknown"], 120.0)
        await h.wait(60.0)
        assert len(read_by_anna(h)) <= 1


@virtual
async def test_a_clean_stop_waits_for_the_answer() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        h.fault("telegram", "slow", SEND, delay_s=2.0)
        await Program(h).reply("Добрый день")
        await h.until(lambda: sent_by_us(h) == ["sending"], 10.0)
        await h.stop()
        assert sent_by_us(h) == ["sent"]
        await h.start()


@virtual
async def test_a_person_who_blocked_the_bot_is_told_of() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        h.telegram.say("1:sandbox", ANNA["id"], "x")
        h.telegram.chats[ANNA["id"]].state = "blocked"
        await Program(h).reply("Добрый день")
        await h.until(lambda: sent_by_us(h) == ["failed"], 10.0)
        assert "blocked" in h.rows(t_outgoing)[0].last_error


@virtual
async def test_a_chat_that_we_have_no_right_to_holds_up_no_other_one() -> None:
    def answers(asked: Asked) -> Answer:
        return Answer(403, {"message": "no rights to lead 1"}) if "/1/" in asked.path else Answer(200, {"messageId": 7})

    def prepare(h: VirtualHub) -> None:
        h.world.others["umnico"] = FakeVendor(answers)

    async with hub(config(ALL, sources="um: {type: umnico, api_token: t}"), prepare=prepare) as h:
        for lead in (1, 2):
            message = {"messageId": lead, "message": {"text": "Привет"}, "incoming": True, "source": {"realId": lead}}
            body = {"type": "message.incoming", "leadId": lead, "message": {**message, "sender": {"customerId": lead}}}
            assert (await h.request("POST", "/in/um", json=body)).status_code == 200
        await h.until(lambda: len(h.rows(t_conversation)) == 2, 10.0)
        program = Program(h)
        for row in sorted(h.rows(t_conversation), key=lambda one: one.chat_id):
            await program.post(f"/conversations/{row.id}/messages", {"text": "Добрый день"})
        await h.until(lambda: sorted(sent_by_us(h)) == ["ready", "sent"], 30.0)
        (refused,) = (row for row in h.rows(t_outgoing) if row.state == "ready")
        assert "no rights to lead 1" in refused.last_error


@virtual
async def test_what_cannot_be_sent_is_refused_before_it_is_stored() -> None:
    sources = f"{TELEGRAM}, mute: {{type: telegram, secret_token: s3cret}}"
    async with hub(config(ALL, sources=sources)) as h:
        await Chat(h, "mute").say("Привет")
        program = Program(h)
        refused = await program.reply("Добрый день")
        assert (refused.status_code, "no access" in refused.json()["error"]) == (409, True)
        assert (await program.post("/conversations/none/messages", {"text": "x"})).status_code == 404
        assert (await program.reply(" ")).status_code == 422
        assert h.rows(t_outgoing) == []


@virtual
async def test_too_long_a_text_is_refused() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        refused = await Program(h).reply("я" * 4097)
        assert (refused.status_code, "4096" in refused.json()["error"]) == (409, True)


WHATSAPP = (
    "wa: {type: whatsapp, url_token: t, access_token: secret-1, phone_number_id: '106540352242922', "
    "api_url: 'http://wa.test'}"
)


def from_whatsapp(number: str, text: str, at: int, key: str = "wamid.1") -> dict[str, object]:
    message = {"from": number, "id": key, "timestamp": str(at), "type": "text", "text": {"body": text}}
    value = {"contacts": [{"profile": {"name": "Анна"}, "wa_id": number}], "messages": [message]}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"value": value}]}]}


@virtual
async def test_whatsapp_s_window_of_24_hours_is_kept() -> None:
    async with hub(config(ALL, sources=WHATSAPP)) as h:
        at = h.clock.now() - timedelta(hours=25)
        await h.request("POST", "/in/wa/t", json=from_whatsapp("79161234567", "Привет", int(at.timestamp())))
        program = Program(h)
        refused = await program.reply("Добрый день")
        assert refused.status_code == 409
        assert "more than 24 h ago" in refused.json()["error"]
        fresh = from_whatsapp("79161234567", "Ау", int(h.clock.now().timestamp()), "wamid.2")
        await h.request("POST", "/in/wa/t", json=fresh)
        assert (await program.reply("Добрый день")).status_code == 202


def status_of(key: str) -> dict[str, object]:
    failed = {"id": key, "status": "failed", "errors": [{"code": 131026, "title": "Message undeliverable"}]}
    return {"entry": [{"changes": [{"value": {"statuses": [failed]}}]}]}


@virtual
async def test_an_answer_that_was_taken_and_failed_afterwards_is_shown_and_alerted_until_a_person_decides() -> None:
    async with hub(config(ALL, sources=TELEGRAM + ", " + WHATSAPP)) as h:
        await Chat(h).say("Привет")
        program = Program(h)
        await program.reply("Добрый день")
        await h.until(lambda: sent_by_us(h) == ["sent"], 10.0)
        (row,) = h.rows(t_outgoing)
        h.write(lambda conn: conn.execute(t_outgoing.update().values(source="wa", vendor_id="wamid.9")))
        assert (await h.request("POST", "/in/wa/t", json=status_of("wamid.other"))).status_code == 200
        assert sent_by_us(h) == ["sent"]
        for _ in range(2):
            assert (await h.request("POST", "/in/wa/t", json=status_of("wamid.9"))).status_code == 200
        assert sent_by_us(h) == ["failed"]
        (row,) = h.rows(t_outgoing)
        assert row.last_error == "WhatsApp cannot deliver to this person (code 131026)"
        await h.until(lambda: "reply_failed" in h.open_incidents(), 60.0)
        assert (await program.ask("/status"))["replies"] == {"done": 0, "pending": 0, "failed": 1}
        assert (await program.post(f"/messages/{row.id}/discard")).status_code == 204
        await h.until(lambda: "reply_failed" not in h.open_incidents(), 60.0)


@virtual
async def test_a_failure_told_before_the_answer_of_the_vendor_was_stored_is_not_lost() -> None:
    async with hub(config(ALL, sources=TELEGRAM)) as h:
        await Chat(h).say("Привет")
        for number in range(10):
            told = Arrival("tg", UNDELIVERED, str(number), "failed", h.clock.now(), {"why": "gone"}, NOT_REQUESTED)
            h.write(lambda conn, told=told: events.append(conn, [told], h.clock))
        program = Program(h)
        await program.reply("Добрый день")
        await h.until(lambda: sent_by_us(h) == ["failed"], 10.0)
        assert (await program.messages())[-1] == ("us", "Добрый день", "failed")
        assert [one[1] for one in await program.messages()] == ["Привет", "Добрый день"]


# --- answers by itself ----------------------------------------------------------------------------------------

AUTO = (
    f"tg: {{{BOT}, auto_reply: {{text: 'Здравствуйте, {{{{ lead.name }}}}!', out_of_hours: 'Ответим утром', "
    "hours: {days: mon-fri, from: '09:00', to: '18:00', timezone: Europe/Moscow}}}"
)


@virtual
async def test_each_conversation_is_answered_once_by_itself() -> None:
    async with hub(config(ALL, sources=AUTO)) as h:
        chat = Chat(h)
        await chat.say("Привет")
        await chat.say("Есть кто?")
        await h.until(lambda: sent_by_us(h) == ["sent"], 30.0)
        await h.wait(30.0)
        assert read_by_anna(h) == ["Здравствуйте, Анна!"]
        await h.until(lambda: talk_notes(h), 300.0)
        assert "→ Мы: Здравствуйте, Анна!" in talk_notes(h)[0]


@virtual
async def test_out_of_hours_the_answer_is_another() -> None:
    async with hub(config(ALL, sources=AUTO)) as h:
        h.jump(10 * 3600.0)
        await Chat(h).say("Привет")
        await h.until(lambda: read_by_anna(h) == ["Ответим утром"], 30.0)


@virtual
async def test_a_message_that_comes_late_is_not_answered_by_itself() -> None:
    async with hub(config(ALL, sources=AUTO)) as h:
        old = int((h.clock.now() - timedelta(hours=2)).timestamp())
        await Chat(h).say("Привет", date=old)
        await h.wait(60.0)
        assert h.rows(t_outgoing) == []
