"""Channels from their settings, each with its own language."""

import pytest
from pydantic import BaseModel, SecretStr

from connectors.registry import CHANNELS
from connectors.smtp.settings import SmtpSettings
from connectors.telegram.settings import TelegramSettings
from jobs.alerts.delivering import Alerts
from jobs.alerts.memory import MemoryIncidents
from jobs.alerts.setup import button_listeners, open_channel
from jobs.alerts.words import Style
from leads.clock import SystemClock

TELEGRAM = TelegramSettings(bot_token=SecretStr("1:a"), chat_id=-5, buttons=True, locale="ru", digest=True)
SMTP = SmtpSettings.model_validate({"host": "m", "from": "a@b.example", "to": "c@d.example"})


async def test_every_channel_that_config_takes_can_be_opened() -> None:
    made = {"telegram": TELEGRAM, "smtp": SMTP}
    assert set(made) == set(CHANNELS)
    for name, settings in made.items():
        state = open_channel(name, settings, Style("en"), SystemClock())
        assert state.channel.edits is (name == "telegram")
        await state.channel.close()


async def test_a_channel_speaks_its_own_language_and_the_hubs_otherwise() -> None:
    clock = SystemClock()
    chat = open_channel("chat", TELEGRAM, Style("en"), clock)
    mail = open_channel("mail", SMTP, Style("en"), clock)
    assert (chat.style.locale, chat.style.actions, chat.digest, chat.vendor) == ("ru", True, True, "Telegram")
    assert (mail.style.locale, mail.style.actions, mail.digest, mail.vendor) == ("en", False, False, "E-mail")
    alerts = Alerts(MemoryIncidents(clock), [chat, mail], clock)
    assert len(button_listeners(alerts, clock)) == 1
    await chat.channel.close()


def test_settings_of_something_else_are_refused() -> None:
    class Pigeon(BaseModel):
        loft: str = "roof"

    with pytest.raises(TypeError, match="Pigeon"):
        open_channel("x", Pigeon(), Style("en"), SystemClock())
