"""YooKassa: notifications of payments. It signs nothing: the sender's address and the API prove them."""

from ipaddress import ip_address

from connectors.doors import Door, Inbound, Refused, check_token
from connectors.formfields import dict_of, object_of, text_of
from connectors.links import Link, LinkOpening
from connectors.yookassa.parse import parse
from connectors.yookassa.settings import YookassaSettings

__all__ = ["SOURCE", "YookassaSettings"]


def verify(settings: YookassaSettings, inbound: Inbound) -> None:
    """Token, sender's address and number of the shop, each where it is set. Raises Refused (403), UnreadableBody."""
    check_token(settings, inbound)
    if settings.trusted_ip:
        _check_address(settings, inbound)
    if settings.shop_id and inbound.body.strip():
        recipient = dict_of(dict_of(object_of(inbound).get("object")).get("recipient"))
        if text_of(recipient.get("account_id")) not in ("", settings.shop_id):
            raise Refused("the event is of another shop", 403)


def _check_address(settings: YookassaSettings, inbound: Inbound) -> None:
    try:
        address = ip_address(inbound.remote_ip)
    except ValueError:
        raise Refused("the sender's address cannot be read", 403) from None
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not any(mapped in network for network in settings.trusted_ip):
        raise Refused("the sender's address is none of YooKassa's", 403)


def link(opening: LinkOpening) -> Link | None:
    """Without secret_key it says so when it is asked."""
    from connectors.yookassa.link import YookassaLink

    return YookassaLink.open(opening)


SOURCE = Door(
    name="yookassa",
    title="YooKassa",
    settings=YookassaSettings,
    group="payment",
    parse=parse,
    verify=verify,
    link=link,
)
