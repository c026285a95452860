"""Opens the alert channels of the configuration."""

from collections.abc import Mapping

from connectors.notify import Channel
from jobs.alerts.channel import ChannelState
from jobs.alerts.setup import open_channel
from jobs.alerts.words import Style
from jobs.config.loading import Settings
from jobs.opening import Transport
from leads.clock import Clock


def open_channels(settings: Settings, clock: Clock, transport: Transport) -> list[ChannelState]:
    """One per configured channel. `transport` gives, by vendor, what to use instead of the network, or None."""
    alerts, hub = settings.alerts, settings.hub
    style = Style(
        locale=alerts.locale or hub.locale,
        zone=hub.zone,
        public_url=str(hub.public_url or ""),
        personal=alerts.show_personal,
    )
    return [
        open_channel(name, one.settings, style, clock, transport=transport(one.type))
        for name, one in alerts.channels.items()
    ]


def by_name(states: list[ChannelState], names: tuple[str, ...]) -> Mapping[str, tuple[Channel, Style]]:
    return {state.name: (state.channel, state.style) for state in states if state.name in names}
