"""Opens the alert channels of the configuration."""

from collections.abc import Callable, Mapping

import httpx

from connectors.notify import Channel
from connectors.telegram.channel import TelegramChannel
from connectors.telegram.settings import TelegramSettings
from jobs.alert_words import Style
from jobs.alerts import ChannelState
from jobs.config import Settings
from leads.clock import Clock

Transport = Callable[[str], httpx.AsyncBaseTransport | None]


def open_channels(settings: Settings, clock: Clock, transport: Transport) -> list[ChannelState]:
    """One per configured channel. `transport` gives, by vendor, what to use instead of the network, or None."""
    states = []
    for name, configured in settings.alerts.channels.items():
        own = configured.settings
        channel: Channel
        if isinstance(own, TelegramSettings):
            channel = TelegramChannel.open(own, clock, transport=transport("telegram"))
            state = ChannelState(name, channel, _style(settings, own.locale, actions=own.buttons), digest=own.digest)
        else:
            raise TypeError(f"no such channel: {configured.type}")
        states.append(state)
    return states


def _style(settings: Settings, locale: str | None, *, actions: bool = False) -> Style:
    return Style(
        locale=locale or settings.alerts.locale or settings.hub.locale,
        zone=settings.hub.zone,
        public_url=str(settings.hub.public_url or ""),
        personal=settings.alerts.show_personal,
        actions=actions,
    )


def by_name(states: list[ChannelState], names: tuple[str, ...]) -> Mapping[str, tuple[Channel, Style]]:
    return {state.name: (state.channel, state.style) for state in states if state.name in names}
