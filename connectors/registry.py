"""Name -> what it declares: the explicit tables of CRMs, doors and alert channels."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from connectors import amocrm, bitrix24, hubspot, webform
from connectors.base import Connector
from connectors.doors import Door
from connectors.smtp.settings import SmtpSettings
from connectors.telegram.settings import TelegramSettings

_CRMS: Final[tuple[Connector, ...]] = (amocrm.CONNECTOR, bitrix24.CONNECTOR, hubspot.CONNECTOR)
_DOORS: Final[tuple[Door, ...]] = (webform.SOURCE,)

CONNECTORS: Final[Mapping[str, Connector]] = {connector.name: connector for connector in _CRMS}
"""`connections.*.type` -> the CRM."""

SOURCES: Final[Mapping[str, Door]] = {door.name: door for door in _DOORS}
"""`sources.*.type` -> the door."""

CHANNELS: Final[Mapping[str, type[BaseModel]]] = {"telegram": TelegramSettings, "smtp": SmtpSettings}
"""`alerts.channels.*.type` -> the settings of the channel."""
