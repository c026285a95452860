"""Mango Office, the virtual PBX."""

from connectors.doors import Door
from connectors.mango.parse import parse
from connectors.mango.settings import MangoSettings
from connectors.mango.sign import verify

__all__ = ["SOURCE", "MangoSettings"]

SOURCE = Door(
    name="mango",
    title="Mango Office",
    settings=MangoSettings,
    group="telephony",
    parse=parse,
    verify=verify,
)
