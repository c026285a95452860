"""UIS, CoMagic, CallGear and Novofon of the second generation: HTTP notifications by the customer's own template."""

from connectors.doors import Door
from connectors.pbx import check_address
from connectors.uis.parse import parse
from connectors.uis.settings import UisSettings

__all__ = ["SOURCE", "UisSettings"]

SOURCE = Door(
    name="uis",
    title="UIS, CoMagic, Novofon",
    settings=UisSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
)
