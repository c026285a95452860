"""SMS that come in at SMSC.ru."""

from connectors.chats import check_address
from connectors.doors import Door
from connectors.smsc.parse import parse
from connectors.smsc.settings import SmscSettings

__all__ = ["SOURCE", "SmscSettings"]

SOURCE = Door(
    name="smsc",
    title="SMSC.ru",
    settings=SmscSettings,
    group="messenger",
    parse=parse,
    verify=check_address,
    methods=("POST", "GET"),
)
