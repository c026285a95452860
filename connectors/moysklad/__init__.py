"""MoySklad: webhooks that only link to what changed."""

from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.moysklad.parse import parse
from connectors.moysklad.settings import MoyskladSettings

__all__ = ["SOURCE", "MoyskladSettings"]


def link(opening: LinkOpening) -> Link | None:
    """Without access_token it says so when it is asked."""
    from connectors.moysklad.link import MoyskladLink

    return MoyskladLink.open(opening)


SOURCE = Door(name="moysklad", title="MoySklad", settings=MoyskladSettings, group="shop", parse=parse, link=link)
