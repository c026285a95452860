"""A VK community: messages and lead forms by the Callback API."""

from collections.abc import Sequence

from connectors.chats import check_address
from connectors.doors import Door, Inbound, Parsed, Receipt, Reply
from connectors.links import Link, LinkOpening
from connectors.vk.parse import parse
from connectors.vk.settings import VkSettings

__all__ = ["SOURCE", "VkSettings"]


def reply(settings: VkSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """`ok` and nothing else, or VK sends the event again and at last switches the server off."""
    return parsed.reply or Reply(200, b"ok", "text/plain")


def link(opening: LinkOpening) -> Link | None:
    """With access_token."""
    from connectors.vk.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="vk",
    title="VK",
    settings=VkSettings,
    group="messenger",
    parse=parse,
    verify=check_address,
    reply=reply,
    link=link,
)
