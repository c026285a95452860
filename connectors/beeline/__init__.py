"""Beeline cloud PBX: XML events of BroadSoft's XSI."""

from connectors.beeline.parse import parse
from connectors.beeline.settings import BeelineSettings
from connectors.doors import Door
from connectors.pbx import check_address

__all__ = ["SOURCE", "BeelineSettings"]

SOURCE = Door(
    name="beeline",
    title="Билайн Облачная АТС",
    settings=BeelineSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
)
