"""Roistat: call tracking, and a stand-in for its proxylead address."""

from connectors.doors import Door
from connectors.roistat.parse import parse, verify
from connectors.roistat.settings import RoistatSettings

__all__ = ["SOURCE", "RoistatSettings"]

SOURCE = Door(
    name="roistat",
    title="Roistat",
    settings=RoistatSettings,
    group="tracking",
    parse=parse,
    verify=verify,
    methods=("GET", "POST"),
)
