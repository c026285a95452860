"""Telphin (Телфин.Офис, Ringme): events of extensions, queues and menus."""

from connectors.callfields import token_and_network
from connectors.doors import Door
from connectors.telphin.parse import parse
from connectors.telphin.settings import TelphinSettings

__all__ = ["SOURCE", "TelphinSettings"]

SOURCE = Door(
    name="telphin",
    title="Телфин",
    settings=TelphinSettings,
    group="telephony",
    parse=parse,
    verify=token_and_network,
    methods=("GET", "POST"),
)
