"""Envybox (CallbackKiller): widgets that call back, chat and gather contacts."""

from connectors.doors import Door
from connectors.envybox.parse import parse, verify
from connectors.envybox.settings import EnvyboxSettings

__all__ = ["SOURCE", "EnvyboxSettings"]

SOURCE = Door(
    name="envybox",
    title="Envybox",
    settings=EnvyboxSettings,
    group="tracking",
    parse=parse,
    verify=verify,
    methods=("GET", "POST"),
)
