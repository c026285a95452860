"""Beeline cloud PBX: XML events of BroadSoft's XSI."""

from connectors.beeline.parse import parse
from connectors.beeline.settings import BeelineSettings
from connectors.callfields import token_and_network
from connectors.doors import Door

__all__ = ["SOURCE", "BeelineSettings"]

SOURCE = Door(
    name="beeline",
    title="Билайн Облачная АТС",
    settings=BeelineSettings,
    group="telephony",
    parse=parse,
    verify=token_and_network,
)
