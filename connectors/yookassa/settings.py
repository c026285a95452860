"""What config.yaml may say about a YooKassa shop."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr

from connectors.paying import PaymentSettings

YOOKASSA: Final = (
    "185.71.76.0/27", "185.71.77.0/27", "77.75.153.0/25", "77.75.156.11", "77.75.156.35", "77.75.154.128/25",
    "2a02:5180:0:1509::/64", "2a02:5180:0:2655::/64", "2a02:5180:0:1533::/64", "2a02:5180:0:2669::/64",
)  # fmt: skip
"""What `trusted_ip: yookassa` stands for: the addresses that YooKassa publishes."""


def _networks(value: object) -> object:
    """One address or network, a list of them, or the word `yookassa`; bad ones raise ValueError with what they are."""
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else []
    found: list[object] = []
    for text in texts:
        if not isinstance(text, str):
            found.append(text)
        elif text.strip().lower() == "yookassa":
            found += [ip_network(one) for one in YOOKASSA]
        else:
            found += [ip_network(one, strict=False) for one in text.replace(",", " ").split()]
    return tuple(found)


class YookassaSettings(PaymentSettings):
    """A source of type `yookassa`."""

    sent_from = ("trusted_ip",)

    model_config = ConfigDict(coerce_numbers_to_str=True)

    shop_id: str = Field("", description="number of the shop; events of another one are refused")
    trusted_ip: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)] = Field(
        (), description="addresses that may send: one, a list of them or of networks, or `yookassa` for those it has"
    )
    secret_key: SecretStr | None = Field(None, description="secret key of the shop: payments are read again with it")
    api_url: str = Field("https://api.yookassa.ru/v3", description="address of the API")
