"""onlinePBX: a cloud PBX that posts start, answer and end of each call."""

from connectors.callfields import token_and_network
from connectors.doors import Door
from connectors.onlinepbx.parse import parse
from connectors.onlinepbx.settings import OnlinePbxSettings

__all__ = ["SOURCE", "OnlinePbxSettings"]

SOURCE = Door(
    name="onlinepbx",
    title="onlinePBX",
    settings=OnlinePbxSettings,
    group="telephony",
    parse=parse,
    verify=token_and_network,
    methods=("GET", "POST"),
)
