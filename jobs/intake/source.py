"""A source as the intake knows it."""

from dataclasses import dataclass

from connectors.doors import Door, DoorSettings


@dataclass(frozen=True, slots=True)
class Source:
    """One configured source with its door."""

    name: str
    door: Door
    settings: DoorSettings
