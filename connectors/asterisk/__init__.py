"""Asterisk and FreePBX: requests from the dialplan, and the manager interface's stream."""

from connectors.asterisk.parse import parse
from connectors.asterisk.settings import AmiSettings, AsteriskSettings
from connectors.callfields import token_and_network
from connectors.doors import Door

__all__ = ["SOURCE", "AmiSettings", "AsteriskSettings"]

SOURCE = Door(
    name="asterisk",
    title="Asterisk / FreePBX",
    settings=AsteriskSettings,
    group="telephony",
    parse=parse,
    verify=token_and_network,
    methods=("GET", "POST"),
)
