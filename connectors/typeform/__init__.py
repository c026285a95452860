"""Typeform: answers by its signed webhook."""

from connectors.doors import Door, Inbound, check_token
from connectors.formfields import check_hmac
from connectors.links import Link, LinkOpening
from connectors.typeform.parse import parse
from connectors.typeform.settings import TypeformSettings

__all__ = ["SOURCE", "TypeformSettings"]


def verify(settings: TypeformSettings, inbound: Inbound) -> None:
    """Token and signature, each where it is set. Raises Refused."""
    check_token(settings, inbound)
    if settings.secret is not None:
        check_hmac(settings.secret, inbound.body, inbound.headers.get("typeform-signature", ""), prefix="sha256=")


def link(opening: LinkOpening) -> Link | None:
    """With access_token and form_id."""
    from connectors.typeform.link import TypeformLink

    return TypeformLink.open(opening)


SOURCE = Door(
    name="typeform",
    title="Typeform",
    settings=TypeformSettings,
    group="form",
    parse=parse,
    verify=verify,
    link=link,
)
