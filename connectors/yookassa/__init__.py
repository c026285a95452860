"""YooKassa: notifications of payments. It signs nothing: the sender's address and the API prove them."""

from ipaddress import ip_address

from connectors.doors import Door, Inbound, Refused, check_token
from connectors.yookassa.parse import parse
from connectors.yookassa.settings import YookassaSettings

__all__ = ["SOURCE", "YookassaSettings"]


def verify(settings: YookassaSettings, inbound: Inbound) -> None:
    """Token and sender's address, each where it is set. Raises Refused (403)."""
    check_token(settings, inbound)
    if not settings.trusted_ip:
        return
    try:
        address = ip_address(inbound.remote_ip)
    except ValueError:
        raise Refused("the sender's address cannot be read", 403) from None
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not any(mapped in network for network in settings.trusted_ip):
        raise Refused("the sender's address is none of YooKassa's", 403)


SOURCE = Door(
    name="yookassa",
    title="YooKassa",
    settings=YookassaSettings,
    group="payment",
    parse=parse,
    verify=verify,
)
