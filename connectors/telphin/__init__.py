"""Telphin (Телфин.Офис, Ringme): events of extensions, queues and menus."""

from connectors.doors import Door
from connectors.pbx import check_address
from connectors.telphin.parse import parse
from connectors.telphin.settings import TelphinSettings

__all__ = ["SOURCE", "TelphinSettings"]

SOURCE = Door(
    name="telphin",
    title="Телфин",
    settings=TelphinSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
)
