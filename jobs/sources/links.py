"""Opens the vendor's side of each source that has one."""

from collections.abc import Mapping

from connectors.doors import DoorSettings
from connectors.links import Link, LinkOpening
from connectors.registry import SOURCES
from jobs.config.loading import Settings
from jobs.opening import Transport
from leads.clock import Clock


def open_links(settings: Settings, clock: Clock, region: str, transport: Transport) -> dict[str, Link]:
    """Source name -> link, of each source whose door has one.

    Opening asks nobody: what the settings lack is said (`NoAccessError`) by the call that needs it.
    """
    opened: dict[str, Link] = {}
    for name, source in settings.sources.items():
        door = SOURCES[source.type]
        if door.link is None or not isinstance(source.settings, DoorSettings):
            continue
        opening = LinkOpening(name, source.settings, clock, region, transport(source.type))
        if (link := door.link(opening)) is not None:
            opened[name] = link
    return opened


async def close_links(links: Mapping[str, Link]) -> None:
    for link in links.values():
        await link.close()
