"""Name -> what it declares: the explicit tables of CRMs, doors and alert channels."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from connectors.base import Connector
from connectors.doors import Door, Inbound
from connectors.smtp.settings import SmtpSettings
from connectors.telegram.settings import TelegramSettings

Declaration = TypeVar("Declaration")

_CRMS: Final[Mapping[str, str]] = {"amocrm": "amocrm", "bitrix24": "bitrix24", "hubspot": "hubspot"}
"""`connections.*.type` -> the package that declares it."""
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
"""`sources.*.type` -> the package that declares it."""

Sample = Callable[[Any, str, datetime], Inbound]


class _Declared(Mapping[str, Declaration]):
    """What the package of a name declares, imported when it is first asked for: few hubs have all vendors."""

    def __init__(self, packages: Mapping[str, str], declaration: Callable[[Any], Declaration]) -> None:
        """`packages`: name -> package of `connectors`; `declaration` takes the package."""
        self._packages = packages
        self._declaration = declaration

    def __getitem__(self, name: str) -> Declaration:
        return self._declaration(import_module(f"connectors.{self._packages[name]}"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._packages)

    def __len__(self) -> int:
        return len(self._packages)


CONNECTORS: Final[Mapping[str, Connector]] = _Declared(_CRMS, lambda package: package.CONNECTOR)
"""`connections.*.type` -> the CRM."""

CONNECTOR_SETTINGS: Final[Mapping[str, type[BaseModel]]] = _Declared(_CRMS, lambda package: package.CONNECTOR.settings)
"""`connections.*.type` -> the settings of the CRM."""

SOURCES: Final[Mapping[str, Door]] = _Declared(_DOORS, lambda package: package.SOURCE)
"""`sources.*.type` -> the door."""

SOURCE_SETTINGS: Final[Mapping[str, type[BaseModel]]] = _Declared(_DOORS, lambda package: package.SOURCE.settings)
"""`sources.*.type` -> the settings of the door."""

CHANNELS: Final[Mapping[str, type[BaseModel]]] = {"telegram": TelegramSettings, "smtp": SmtpSettings}
"""`alerts.channels.*.type` -> the settings of the channel."""


def sample_of(name: str) -> Sample:
    """What makes a sample request of a door: (settings, public address of the source, now) -> the request.

    KeyError for an unknown door; a door that no request comes to has none: ModuleNotFoundError.
    """
    found: Sample = import_module(f"connectors.{_DOORS[name]}.sample").sample
    return found
