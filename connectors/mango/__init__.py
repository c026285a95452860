"""Mango Office, the virtual PBX."""

from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.mango.parse import parse
from connectors.mango.settings import MangoSettings
from connectors.mango.sign import verify

__all__ = ["SOURCE", "MangoSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With vpbx_api_key and vpbx_api_salt."""
    from connectors.mango.link import MangoLink

    return MangoLink.open(opening)


SOURCE = Door(
    name="mango",
    title="Mango Office",
    settings=MangoSettings,
    group="telephony",
    parse=parse,
    verify=verify,
    link=link,
)
