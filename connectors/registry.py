"""Name -> what it declares: the explicit tables of CRMs, doors and alert channels."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from pydantic import BaseModel

from connectors import amocrm, bitrix24, hubspot
from connectors.base import Connector
from connectors.doors import Door, Inbound
from connectors.smtp.settings import SmtpSettings
from connectors.telegram.settings import TelegramSettings

_CRMS: Final[tuple[Connector, ...]] = (amocrm.CONNECTOR, bitrix24.CONNECTOR, hubspot.CONNECTOR)
_DOORS: Final[Mapping[str, str]] = {
    "1c": "onec",
    "360dialog": "d360",
    "asterisk": "asterisk",
    "avito": "avito",
    "beeline": "beeline",
    "call_insight": "call_insight",
    "callibri": "callibri",
    "calltouch": "calltouch",
    "cf7": "cf7",
    "chat2desk": "chat2desk",
    "elementor": "elementor",
    "envybox": "envybox",
    "generic": "generic",
    "google-ads": "google_ads",
    "google-forms": "google_forms",
    "gravityforms": "gravityforms",
    "imap": "imap",
    "instagram": "instagram",
    "jivo": "jivo",
    "mango": "mango",
    "megafon": "megafon",
    "meta": "meta",
    "moysklad": "moysklad",
    "onlinepbx": "onlinepbx",
    "ringostat": "ringostat",
    "roistat": "roistat",
    "shopify": "shopify",
    "sipuni": "sipuni",
    "slack": "slack",
    "smsc": "smsc",
    "smsru": "smsru",
    "stripe": "stripe",
    "tally": "tally",
    "telegram": "telegram_bot",
    "telphin": "telphin",
    "tilda": "tilda",
    "twilio": "twilio",
    "typeform": "typeform",
    "uis": "uis",
    "umnico": "umnico",
    "viber": "viber",
    "vk": "vk",
    "wazzup": "wazzup",
    "webform": "webform",
    "whatsapp": "whatsapp",
    "woocommerce": "woocommerce",
    "wpforms": "wpforms",
    "yookassa": "yookassa",
    "zadarma": "zadarma",
}
"""`sources.*.type` -> the package that declares it, imported when it is first asked for: few hubs have all doors."""


Sample = Callable[[Any, str, datetime], Inbound]


class _Doors(Mapping[str, Door]):
    def __getitem__(self, name: str) -> Door:
        door: Door = import_module(f"connectors.{_DOORS[name]}").SOURCE
        return door

    def __iter__(self) -> Iterator[str]:
        return iter(_DOORS)

    def __len__(self) -> int:
        return len(_DOORS)


class _DoorSettings(Mapping[str, type[BaseModel]]):
    def __getitem__(self, name: str) -> type[BaseModel]:
        return SOURCES[name].settings

    def __iter__(self) -> Iterator[str]:
        return iter(_DOORS)

    def __len__(self) -> int:
        return len(_DOORS)


CONNECTORS: Final[Mapping[str, Connector]] = {connector.name: connector for connector in _CRMS}
"""`connections.*.type` -> the CRM."""

SOURCES: Final[Mapping[str, Door]] = _Doors()
"""`sources.*.type` -> the door."""

SOURCE_SETTINGS: Final[Mapping[str, type[BaseModel]]] = _DoorSettings()
"""`sources.*.type` -> the settings of the door."""

CHANNELS: Final[Mapping[str, type[BaseModel]]] = {"telegram": TelegramSettings, "smtp": SmtpSettings}
"""`alerts.channels.*.type` -> the settings of the channel."""


def sample_of(name: str) -> Sample:
    """What makes a sample request of a door: (settings, public address of the source, now) -> the request.

    KeyError for an unknown door; a door that no request comes to has none: ModuleNotFoundError.
    """
    found: Sample = import_module(f"connectors.{_DOORS[name]}.sample").sample
    return found
