"""Letters of an e-mail box: a new sender, or a form that sends letters."""

from connectors.doors import Door, Inbound, Parsed, Unreadable
from connectors.imap.settings import ImapSettings
from connectors.links import Link, LinkOpening

__all__ = ["SOURCE", "ImapSettings"]


def parse(settings: ImapSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises Unreadable: nobody sends letters to an address of the hub."""
    raise Unreadable("letters are read from the box; nothing is to be sent here")


def link(opening: LinkOpening) -> Link | None:
    from connectors.imap.link import ImapLink

    return ImapLink.open(opening)


SOURCE = Door(
    name="imap",
    title="E-mail box",
    settings=ImapSettings,
    group="form",
    parse=parse,
    methods=(),
    link=link,
)
