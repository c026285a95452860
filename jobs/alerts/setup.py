"""One alert channel, and who listens to its buttons, from what the configuration says of it."""

from dataclasses import replace

import httpx
from pydantic import BaseModel

from connectors.notify import Channel
from connectors.smtp.channel import SmtpChannel
from connectors.smtp.settings import SmtpSettings
from connectors.telegram.channel import TelegramChannel
from connectors.telegram.settings import TelegramSettings
from jobs.alerts.buttons import ButtonListener
from jobs.alerts.channel import ChannelState
from jobs.alerts.delivering import Alerts
from jobs.alerts.words import Style
from leads.clock import Clock


def open_channel(
    name: str,
    settings: BaseModel,
    style: Style,
    clock: Clock,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    user_agent: str = "leadhub",
) -> ChannelState:
    """The channel as `settings` say; `style` is the hub's, which the channel's own language overrides."""
    own = replace(style, locale=getattr(settings, "locale", None) or style.locale)
    digest = bool(getattr(settings, "digest", False))
    channel: Channel
    match settings:
        case TelegramSettings():
            channel = TelegramChannel.open(settings, clock, transport=transport, user_agent=user_agent)
            own = replace(own, actions=settings.buttons)
            return ChannelState(name, channel, own, vendor="Telegram", digest=digest)
        case SmtpSettings():
            channel = SmtpChannel(settings, clock)
            return ChannelState(name, channel, own, vendor="E-mail", digest=digest)
    raise TypeError(f"{type(settings).__name__} is no alert channel")


def button_listeners(alerts: Alerts, clock: Clock) -> list[ButtonListener]:
    """One for each channel that has `buttons: true`."""
    stores = [alerts.local, alerts.store]
    return [
        ButtonListener(one.channel.client, str(one.channel.settings.chat_id), stores, one.style, clock, alerts.wake)
        for one in alerts.channels.values()
        if isinstance(one.channel, TelegramChannel) and one.channel.settings.buttons
    ]
