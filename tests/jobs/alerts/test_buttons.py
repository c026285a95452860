"""Buttons under an alert, pressed in the sandbox."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connectors.sandbox.base import Fault, FaultLayer
from connectors.sandbox.telegram import Chat, TelegramSandbox
from connectors.telegram.settings import TelegramSettings
from jobs.alerts.buttons import PAUSE_S, REFUSED_PAUSE_S, ButtonListener, pressed
from jobs.alerts.delivering import Alerts
from jobs.alerts.memory import MemoryIncidents
from jobs.alerts.setup import button_listeners, open_channel
from jobs.alerts.words import Style
from leads.clock import SystemClock
from leads.incidents import Incident, Observation
from tests.support.vendor_server import serve

CHAT = -100123


class Moody(MemoryIncidents):
    broken = False

    async def list_dirty(self, channels: Collection[str]) -> list[Incident]:
        if self.broken:
            raise OSError("no database")
        return await super().list_dirty(channels)


@dataclass
class Desk:
    vendor: TelegramSandbox
    layer: FaultLayer
    store: Moody
    alerts: Alerts
    listener: ButtonListener

    @property
    def incident(self) -> Incident:
        (one,) = self.store.incidents.values()
        return one

    def press(self, text: str, *, chat: int = CHAT) -> str:
        message = self.vendor.chat_messages(CHAT)[0]
        data = next(button["callback_data"] for row in message.keyboard for button in row if button["text"] == text)
        callback_id = self.vendor.press(CHAT, message.message_id, data)
        self.vendor.updates[message.bot][-1]["callback_query"]["message"]["chat"]["id"] = chat
        return callback_id


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = SystemClock()
    vendor = TelegramSandbox(clock, chats=[Chat(CHAT, "supergroup")])
    layer = FaultLayer(vendor, clock)
    async with serve(layer) as url:
        settings = TelegramSettings(bot_token=SecretStr("1:s"), chat_id=CHAT, api_url=url, buttons=True)
        store = Moody(clock)
        alerts = Alerts(store, [open_channel("ops", settings, Style("ru"), clock)], clock)
        (listener,) = button_listeners(alerts, clock)
        await store.observe(Observation("connection_down", "sales", "http_503", 3))
        await alerts.look("ops")
        yield Desk(vendor, layer, store, alerts, listener)
        await alerts.channels["ops"].channel.close()


async def test_an_incident_is_muted_for_an_hour(desk: Desk) -> None:
    callback_id = desk.press("Заглушить на 1 ч")
    assert await desk.listener.listen() == PAUSE_S
    until = desk.incident.muted_until
    assert until is not None
    assert timedelta(minutes=59) < until - SystemClock().now() <= timedelta(hours=1)
    assert desk.vendor.answered == [(callback_id, "Молчу час, потом скажу, как обстоят дела")]
    assert desk.alerts.channels["ops"].awake.is_set()


async def test_an_incident_is_taken_by_who_pressed(desk: Desk) -> None:
    desk.press("Взять на себя")
    await desk.listener.listen()
    assert desk.incident.acked_by == "Анна"


async def test_a_button_of_what_is_over_only_says_so(desk: Desk) -> None:
    callback_id = desk.press("Взять на себя")
    await desk.store.resolve(desk.incident.key)
    await desk.listener.listen()
    assert desk.vendor.answered == [(callback_id, "Это уже позади")]
    assert desk.incident.acked_by == ""


async def test_a_button_pressed_in_another_chat_does_nothing(desk: Desk) -> None:
    desk.press("Заглушить на 1 ч", chat=-5)
    await desk.listener.listen()
    assert desk.incident.muted_until is None
    assert desk.vendor.answered == []
    await desk.listener.listen()
    assert desk.vendor.updates["1:s"] == [], "it is confirmed all the same"


async def test_a_press_that_the_store_could_not_keep_comes_again(desk: Desk) -> None:
    desk.press("Взять на себя")
    desk.store.broken = True
    assert await desk.listener.listen() > PAUSE_S
    desk.store.broken = False
    await desk.listener.listen()
    assert desk.incident.acked_by == "Анна"


async def test_a_bot_with_a_webhook_is_asked_seldom(desk: Desk) -> None:
    desk.vendor.webhooks["1:s"] = "https://elsewhere.example/"
    assert await desk.listener.listen() == REFUSED_PAUSE_S


async def test_an_outage_is_waited_out_with_longer_pauses(desk: Desk) -> None:
    desk.layer.faults.append(Fault("502", match="getUpdates", times=3))
    assert [await desk.listener.listen() for _ in range(4)] == [2.0, 4.0, 8.0, PAUSE_S]


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1},
        {"update_id": 1, "callback_query": None},
        {"update_id": 1, "message": {"text": "hi"}},
    ],
)
def test_other_updates_are_no_buttons(update: dict[str, object]) -> None:
    assert pressed(update) is None


def test_a_button_under_a_message_that_telegram_forgot_is_still_read() -> None:
    button = pressed({"update_id": 1, "callback_query": {"id": "7", "data": "ack:x", "message": None, "from": {}}})
    assert button is not None
    assert (button.callback_id, button.action, button.token, button.who) == ("7", "ack", "x", "?")
