"""MegaFon's virtual PBX, and others that speak its language (Gravitel)."""

from connectors.doors import Door, Inbound
from connectors.links import Link, LinkOpening
from connectors.megafon.parse import parse
from connectors.megafon.settings import MegafonSettings
from connectors.pbx import check_address, check_word, fields_or_none

__all__ = ["SOURCE", "MegafonSettings"]


def verify(settings: MegafonSettings, inbound: Inbound) -> None:
    """Token and address, then the key among the fields or in a header, where it is set. Raises Refused."""
    check_address(settings, inbound)
    if settings.crm_token is not None:
        given = fields_or_none(inbound).get("crm_token", "") or inbound.headers.get("x-api-key", "")
        check_word(settings.crm_token, given, "crm_token")


def link(opening: LinkOpening) -> Link | None:
    """With token and api_url."""
    from connectors.megafon.link import MegafonLink

    return MegafonLink.open(opening)


SOURCE = Door(
    name="megafon",
    title="MegaFon VATS",
    settings=MegafonSettings,
    group="telephony",
    parse=parse,
    verify=verify,
    link=link,
)
