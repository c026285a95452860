"""The alert loop against a Telegram on a real port: faults, limits, restarts, a broken database."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.errors import PermanentError, UnknownOutcomeError
from connectors.notify import MessageRef, Notice
from connectors.sandbox.base import Fault, FaultLayer, SandboxResponse
from connectors.sandbox.telegram import Chat, Message, TelegramSandbox
from connectors.telegram.channel import TelegramChannel
from connectors.telegram.settings import TelegramSettings
from jobs.alerts.channel import WEARY_AFTER, WEARY_S, ChannelState, backoff_s
from jobs.alerts.delivering import Alerts
from jobs.alerts.memory import MemoryIncidents
from jobs.alerts.words import Style
from leads.clock import SystemClock
from leads.incidents import REOPEN_S, Incident, Observation, Policy, Sent
from tests.support.vendor_server import serve

CHAT = -100123
TOKEN = "1:sandbox"
DOWN = Observation("connection_down", "sales", "http_503", 12, data={"vendor": "amoCRM", "title": "Продажи"})


class ShiftedClock(SystemClock):
    """Real time, and a hand that moves it on."""

    def __init__(self) -> None:
        self.shift_s = 0.0
        self.wall_s = 0.0

    def pass_by(self, seconds: float) -> None:
        self.shift_s += seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.shift_s + self.wall_s)

    def monotonic(self) -> float:
        return super().monotonic() + self.shift_s


class Desk:
    """A hub's alert loop for one chat, and the vendor on the other side."""

    def __init__(self, url: str, vendor: TelegramSandbox, layer: FaultLayer, clock: ShiftedClock) -> None:
        self.url = url
        self.vendor = vendor
        self.layer = layer
        self.clock = clock
        self.store = MemoryIncidents(clock)
        self.opened: list[TelegramChannel] = []
        self.alerts = self.start()

    def start(self, store: Any = None, **channel: Any) -> Alerts:
        """As after a restart: nothing in memory but what the store has."""
        settings = TelegramSettings(bot_token=SecretStr(TOKEN), chat_id=CHAT, api_url=channel.pop("url", self.url))
        self.opened.append(TelegramChannel.open(settings, self.clock))
        one = ChannelState("ops", self.opened[-1], Style("ru"), **channel)
        self.alerts = Alerts(store or self.store, [one], self.clock)
        return self.alerts

    async def look(self, after_s: float = 0.0) -> float:
        self.clock.pass_by(after_s)
        return await self.alerts.look("ops")

    def fail(self, kind: str, **more: Any) -> None:
        self.layer.faults.append(Fault(kind=kind, **more))  # type: ignore[arg-type]

    def mend(self) -> None:
        self.layer.faults.clear()

    @property
    def messages(self) -> list[Message]:
        return self.vendor.chat_messages(CHAT)

    @property
    def state(self) -> ChannelState:
        return self.alerts.channels["ops"]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = ShiftedClock()
    vendor = TelegramSandbox(clock, tokens=[TOKEN], chats=[Chat(CHAT, "supergroup")])
    layer = FaultLayer(vendor, SystemClock())
    async with serve(layer) as url:
        desk = Desk(url, vendor, layer, clock)
        yield desk
        for channel in desk.opened:
            await channel.close()


def heads(desk: Desk) -> list[str]:
    return [message.text.split("\n")[0] for message in desk.messages]


RED, GREEN = "🔴 amoCRM «Продажи» не принимает лиды", "🟢 amoCRM «Продажи» снова принимает"


async def test_one_message_edited_as_it_develops_and_a_fresh_one_at_the_end(desk: Desk) -> None:
    await desk.store.observe(DOWN)
    await desk.look()
    await desk.look(5)
    await desk.store.observe(Observation("connection_down", "sales", "timeout", 40, data=DOWN.data))
    await desk.look(60)
    assert heads(desk) == [RED]
    assert "не отвечает вовремя" in desk.messages[0].text
    assert len(desk.messages[0].history) == 1
    await desk.store.resolve(DOWN.key, {"delivered": 40})
    await desk.look(2)
    await desk.look(60)
    assert heads(desk) == [RED, GREEN]
    assert desk.messages[1].reply_to == desk.messages[0].message_id
    assert "Дошли все 40 лидов" in desk.messages[1].text


async def test_a_restart_repeats_nothing_and_goes_on_where_it_was(desk: Desk) -> None:
    await desk.store.observe(DOWN)
    await desk.look()
    desk.start()
    await desk.look(1)
    assert heads(desk) == [RED]
    await desk.store.observe(Observation("connection_down", "sales", "http_502", 41, data=DOWN.data))
    desk.start()
    await desk.look(60)
    assert [len(message.history) for message in desk.messages] == [1]
    await desk.store.resolve(DOWN.key)
    desk.start()
    await desk.look(2)
    assert heads(desk) == [RED, GREEN]
    assert desk.messages[1].reply_to == desk.messages[0].message_id
    desk.start()
    await desk.look(60)
    assert len(desk.messages) == 2


async def test_after_an_outage_of_telegram_only_the_present_is_told(desk: Desk) -> None:
    desk.fail("502")
    await desk.store.observe(DOWN)
    for _ in range(5):
        await desk.look(100)
    await desk.store.resolve(DOWN.key, {"delivered": 57})
    await desk.store.observe(Observation("lead_late", "b24", "network", 2))
    await desk.look(100)
    assert desk.messages == []
    desk.mend()
    await desk.look(100)
    assert sorted(heads(desk)) == sorted([GREEN, "🔴 2 лида ещё не дошли: «b24»"])


async def test_a_message_waits_exactly_as_long_as_429_says(desk: Desk) -> None:
    desk.vendor.fault_answer = lambda kind: SandboxResponse(  # type: ignore[method-assign]
        429, {"ok": False, "error_code": 429, "description": "Too Many", "parameters": {"retry_after": 30}}
    )
    desk.fail("429", times=1)
    await desk.store.observe(DOWN)
    assert 29 < await desk.look() <= 31
    before = len(desk.layer.requests)
    assert await desk.look(20) > 5
    assert len(desk.layer.requests) == before, "nothing is asked before the time is over"
    await desk.look(12)
    assert heads(desk) == [RED]
    assert desk.state.health == "ok"


@pytest.mark.parametrize("kind", ["500", "502", "503", "reset", "hang", "html200", "down"])
async def test_a_failed_send_is_repeated_until_it_arrives(desk: Desk, kind: str) -> None:
    desk.fail(kind, times=1, delay_s=0.1)
    await desk.store.observe(DOWN)
    assert await desk.look() <= 2
    assert desk.messages == []
    assert desk.state.health == "failing"
    await desk.look(2)
    assert heads(desk) == [RED]
    assert desk.state.health == "ok"


@pytest.mark.parametrize("kind", ["reset_after", "500_after", "truncated"])
async def test_after_a_lost_answer_a_double_is_preferred_to_silence(desk: Desk, kind: str) -> None:
    desk.fail(kind, match="sendMessage", times=1)
    await desk.store.observe(DOWN)
    await desk.look()
    await desk.look(2)
    assert heads(desk) == [RED, RED]
    await desk.store.resolve(DOWN.key)
    await desk.look(60)
    assert desk.messages[2].reply_to == desk.messages[1].message_id, "the one whose number is known"


async def test_an_endpoint_that_loses_every_answer_cannot_flood_the_chat(desk: Desk) -> None:
    desk.fail("reset_after", match="sendMessage")
    await desk.store.observe(DOWN)
    for _ in range(120):
        await desk.look(30)
    assert WEARY_AFTER < len(desk.messages) < WEARY_AFTER + 3600 / WEARY_S + 3


async def test_while_telegram_is_down_it_is_asked_with_a_harmless_read(desk: Desk) -> None:
    desk.fail("502")
    await desk.store.observe(DOWN)
    for _ in range(4):
        await desk.look(100)
    methods = [path.rsplit("/", 1)[1] for _, _, path in desk.layer.requests]
    assert methods == ["sendMessage", "getMe", "getMe", "getMe"]


async def test_a_lost_edit_is_repeated_and_shows_once(desk: Desk) -> None:
    await desk.store.observe(DOWN)
    await desk.look()
    desk.fail("reset_after", match="editMessageText", times=1)
    await desk.store.observe(Observation("connection_down", "sales", "timeout", 40, data=DOWN.data))
    await desk.look(60)
    await desk.look(60)
    assert len(desk.messages) == 1
    assert "не отвечает вовремя" in desk.messages[0].text


async def test_a_message_that_somebody_deleted_is_told_anew_while_it_is_true(desk: Desk) -> None:
    await desk.store.observe(DOWN)
    await desk.look()
    desk.vendor.messages.clear()
    await desk.store.observe(Observation("connection_down", "sales", "timeout", 40, data=DOWN.data))
    await desk.look(60)
    await desk.look(1)
    assert heads(desk) == [RED]


async def test_a_storm_is_a_few_messages_and_a_list(desk: Desk) -> None:
    for number in range(40):
        await desk.store.observe(Observation("connection_down", f"crm{number}", "timeout", 1))
    await desk.look()
    assert heads(desk) == ["🔴 Сразу 40 событий"]
    for number in range(40):
        await desk.store.resolve(Observation("connection_down", f"crm{number}").key)
    await desk.look(3)
    assert heads(desk)[1:] == ["🟢 Сразу 40 событий"]
    assert desk.messages[1].text.count("🟢") == 1 + 10
    await desk.look(120)
    assert len(desk.messages) == 2


async def test_a_revoked_token_is_told_on_the_other_channel(desk: Desk) -> None:
    other = RecordingChannel()
    states = [desk.state, ChannelState("mail", other, Style("en"), vendor="E-mail")]
    desk.alerts = Alerts(desk.store, states, desk.clock)
    desk.vendor.tokens = set()
    await desk.store.observe(DOWN)
    await desk.look()
    await desk.alerts.look("mail")
    assert [notice.html.split("\n")[0] for notice in other.sent] == [
        '<b>🔴 amoCRM "Продажи" does not accept leads</b>',
        '<b>🔴 The alert channel "ops" does not work</b>',
    ]
    desk.vendor.tokens = {TOKEN}
    desk.clock.pass_by(600)
    await desk.look()
    await desk.alerts.look("mail")
    assert heads(desk) == [RED], "the channel's own trouble is not told on itself"
    assert "works again" in other.sent[-1].html


async def down(store: MemoryIncidents) -> list[str]:
    """The channels that are told to be down."""
    return [one.connection for one in await store.list_dirty([]) if one.resolved_at is None]


MINOR = Observation("spam_held", "site", count=1)
"""Its end is not told when its beginning was not."""


async def test_a_channel_that_a_process_before_us_lost_is_found_to_work_without_anything_to_say(desk: Desk) -> None:
    desk.fail("502")
    await desk.store.observe(MINOR)
    await desk.look()
    await desk.look(301)
    assert await down(desk.store) == ["site", "ops"]
    await desk.store.resolve(MINOR.key)
    desk.start()
    await desk.look(1)
    await desk.look(60)
    assert await down(desk.store) == ["ops"], "it is still down, as the read that goes first shows"
    desk.mend()
    await desk.look(60)
    assert await down(desk.store) == []
    assert desk.messages == []


async def test_a_channel_that_answers_again_works_even_if_what_was_to_be_said_is_over(desk: Desk) -> None:
    desk.fail("502")
    await desk.store.observe(MINOR)
    await desk.look()
    await desk.look(301)
    await desk.store.resolve(MINOR.key)
    desk.mend()
    await desk.look(60)
    assert await down(desk.store) == []
    assert desk.messages == []


async def test_a_token_that_is_taken_again_is_seen_without_anything_to_say(desk: Desk) -> None:
    desk.vendor.tokens = set()
    await desk.store.observe(MINOR)
    await desk.look()
    await desk.store.resolve(MINOR.key)
    await desk.look(60)
    assert await down(desk.store) == ["ops"]
    desk.vendor.tokens = {TOKEN}
    await desk.look(60)
    assert await down(desk.store) == []


async def test_a_chat_that_takes_no_messages_though_it_can_be_read_stays_told_until_one_arrives(desk: Desk) -> None:
    desk.vendor.chats[CHAT].state = "blocked"
    await desk.store.observe(MINOR)
    await desk.look()
    await desk.store.resolve(MINOR.key)
    for _ in range(3):
        await desk.look(100)
    assert await down(desk.store) == ["ops"]
    desk.vendor.chats[CHAT].state = "ok"
    await desk.store.observe(Observation("connection_down", "other", "timeout", 1))
    await desk.look(100)
    assert await down(desk.store) == ["other"]


async def test_a_channel_that_left_the_configuration_is_not_told_of_any_more(desk: Desk) -> None:
    await desk.store.observe(Observation("channel_down", "old", "token", data={"vendor": "Telegram"}))
    desk.clock.pass_by(3600)
    await desk.look()
    assert await down(desk.store) == []
    await desk.look(60)
    assert heads(desk) == ["🟢 Канал оповещений «old» убран из config.yaml"]


async def test_a_group_that_moves_keeps_its_alerts(desk: Desk) -> None:
    await desk.store.observe(DOWN)
    await desk.look()
    desk.vendor.chats[CHAT].moved_to = -100999
    desk.vendor.chats[-100999] = Chat(-100999, "supergroup")
    await desk.store.resolve(DOWN.key)
    await desk.look(30)
    (moved,) = desk.vendor.chat_messages(-100999)
    assert moved.text.startswith(GREEN)
    (incident,) = desk.store.incidents.values()
    assert incident.sent["ops"].chat_id == "-100999"


async def test_the_loop_wakes_at_once_and_outlives_what_goes_wrong(desk: Desk) -> None:
    class Moody(MemoryIncidents):
        broken = True

        async def list_dirty(self, channels: Collection[str]) -> list[Incident]:
            if self.broken:
                raise RuntimeError("database is locked")
            return await super().list_dirty(channels)

    store = Moody(desk.clock)
    desk.start(store)
    task = asyncio.create_task(desk.alerts.run())
    await store.observe(DOWN)
    await asyncio.sleep(0.1)
    assert desk.messages == []
    store.broken = False
    desk.alerts.wake()
    async with asyncio.timeout(60):
        while not desk.messages:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class RecordingChannel:
    """A channel without edits that keeps what it is given, or fails as told."""

    edits = False

    def __init__(self, *failures: Exception) -> None:
        self.sent: list[Notice] = []
        self.failures = list(failures)

    async def ping(self) -> None:
        return

    async def send(self, notice: Notice, reply_to: MessageRef | None = None) -> MessageRef:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(notice)
        return MessageRef("x", str(len(self.sent)))

    async def edit(self, ref: MessageRef, notice: Notice) -> None:
        raise AssertionError("this channel cannot edit")

    async def close(self) -> None:
        return


class DeadStore(MemoryIncidents):
    """A database that cannot be read, or only cannot be written."""

    reads = True

    async def list_dirty(self, channels: Collection[str]) -> list[Incident]:
        if not self.reads:
            raise OSError("no database")
        return await super().list_dirty(channels)

    async def mark_sent(self, incident_id: str, channel: str, sent: Sent) -> None:
        if not self.reads or self.dead:
            raise OSError("no database")
        await super().mark_sent(incident_id, channel, sent)

    dead = False


def bench(store: Any, channel: RecordingChannel, **more: Any) -> tuple[Alerts, ShiftedClock]:
    clock = store._clock
    return Alerts(store, [ChannelState("ops", channel, Style("en"), **more)], clock), clock


async def test_a_database_that_keeps_nothing_repeats_no_message() -> None:
    store, channel = DeadStore(ShiftedClock()), RecordingChannel()
    alerts, clock = bench(store, channel)
    await store.observe(DOWN)
    store.dead = True
    for _ in range(5):
        clock.pass_by(10)
        await alerts.look("ops")
    assert len(channel.sent) == 1
    store.dead = False
    await alerts.look("ops")
    (incident,) = store.incidents.values()
    assert incident.sent["ops"].state == "open", "what was said is kept as soon as that is possible"


async def test_trouble_with_the_database_itself_is_told_without_it() -> None:
    store, channel = DeadStore(ShiftedClock()), RecordingChannel()
    alerts, clock = bench(store, channel)
    store.reads = False
    for _ in range(8):
        clock.pass_by(20)
        await alerts.look("ops")
    assert [notice.headline for notice in channel.sent] == ["<b>🔴 Trouble with the database</b>"]
    store.reads = True
    clock.pass_by(20)
    await alerts.look("ops")
    await alerts.look("ops")
    assert channel.sent[-1].headline == "<b>🟢 Database and disk are in order</b>"


async def test_a_text_that_is_refused_is_replaced_by_its_headline() -> None:
    store, channel = MemoryIncidents(ShiftedClock()), RecordingChannel(PermanentError("message is too long"))
    alerts, _ = bench(store, channel)
    await store.observe(DOWN)
    await alerts.look("ops")
    assert [notice.html for notice in channel.sent] == ['🔴 amoCRM "Продажи" does not accept leads']


async def test_a_message_that_is_refused_in_any_form_does_not_stop_the_others() -> None:
    channel = RecordingChannel(PermanentError("no"), PermanentError("no"))
    store = MemoryIncidents(ShiftedClock())
    alerts, clock = bench(store, channel)
    await store.observe(DOWN)
    await store.observe(Observation("lead_late", "b24", count=2))
    await alerts.look("ops")
    await alerts.look("ops")
    assert [notice.headline for notice in channel.sent] == ['<b>🔴 2 leads have not arrived yet: "b24"</b>']
    clock.pass_by(WEARY_S + 1)
    await alerts.look("ops")
    assert len(channel.sent) == 2


async def test_one_message_of_unknown_outcome_lets_the_others_go_first() -> None:
    channel = RecordingChannel(UnknownOutcomeError("ReadTimeout"))
    store = MemoryIncidents(ShiftedClock())
    alerts, clock = bench(store, channel)
    await store.observe(DOWN)
    clock.pass_by(1)
    await store.observe(Observation("lead_late", "b24", count=2))
    await alerts.look("ops")
    assert channel.sent == []
    clock.pass_by(5)
    await alerts.look("ops")
    assert ["lead" in notice.headline for notice in channel.sent] == [True, True]
    assert "b24" in channel.sent[0].headline


async def test_data_that_nobody_foresaw_still_makes_an_alert() -> None:
    store, channel = MemoryIncidents(ShiftedClock()), RecordingChannel()
    alerts, _ = bench(store, channel)
    await store.observe(Observation("hub_restarted", "sales", data={"down_from": "yesterday"}))
    await alerts.look("ops")
    assert [notice.html for notice in channel.sent] == ["🔴 hub_restarted sales"]


async def test_the_digest_goes_to_the_channels_that_asked_for_it_once() -> None:
    clock = ShiftedClock()
    store, owner, ops = MemoryIncidents(clock), RecordingChannel(), RecordingChannel()
    states = [ChannelState("owner", owner, Style("en"), digest=True), ChannelState("ops", ops, Style("en"))]
    alerts = Alerts(store, states, clock)
    digest = Observation("owner_digest", "2026-11-24", data={"html": {"en": "Yesterday\nnothing"}})
    for _ in range(3):
        await store.observe(digest)
        await alerts.look("owner")
        await alerts.look("ops")
    assert [notice.html for notice in owner.sent] == ["<b>Yesterday</b>\nnothing"]
    assert ops.sent == []
    assert await store.list_dirty(["owner", "ops"]) == []


async def test_a_test_alert_reaches_the_channel_that_it_names() -> None:
    clock = ShiftedClock()
    store, one, other = MemoryIncidents(clock), RecordingChannel(), RecordingChannel()
    alerts = Alerts(store, [ChannelState("a", one, Style("en")), ChannelState("b", other, Style("en"))], clock)
    await store.observe(Observation("alert_test", "b", "run-1"))
    await store.observe(Observation("alert_test", "b", "run-2"))
    for name in ("a", "b"):
        await alerts.look(name)
    assert (len(one.sent), len(other.sent)) == (0, 2)


async def test_trouble_that_comes_back_is_the_same_incident_and_its_end_is_held_back() -> None:
    store, channel = MemoryIncidents(ShiftedClock()), RecordingChannel()
    alerts, clock = bench(store, channel)
    for _ in range(30):
        await store.observe(DOWN)
        await alerts.look("ops")
        clock.pass_by(40)
        await store.resolve(DOWN.key)
        await alerts.look("ops")
        clock.pass_by(10)
        await alerts.look("ops")
    assert len(store.incidents) == 1
    assert len(channel.sent) <= 4
    clock.pass_by(700)
    await alerts.look("ops")
    assert channel.sent[-1].headline.startswith("<b>🟢")


async def test_the_store_in_memory_forgets_only_what_is_over() -> None:
    store = MemoryIncidents(ShiftedClock())
    for number in range(150):
        await store.observe(Observation("connection_down", f"open{number}"))
        await store.observe(Observation("connection_down", f"over{number}"))
        await store.resolve(Observation("connection_down", f"over{number}").key)
    kept = [incident.connection for incident in store.incidents.values()]
    assert sum(name.startswith("open") for name in kept) == 150
    assert len(kept) == 200


def test_backoff_grows_to_a_minute_and_longer_only_when_weary() -> None:
    assert [backoff_s(n, 0.999) for n in (1, 2, 3)] == pytest.approx([2, 4, 8], rel=0.01)
    assert backoff_s(50, 0.0) == 30.0
    assert backoff_s(500, 0.5, weary=True) == WEARY_S


def test_policies_hold_back_no_end_longer_than_an_incident_may_come_back() -> None:
    assert Policy().hold_most_s <= REOPEN_S
