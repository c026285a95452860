"""What config.yaml may say about UIS, CoMagic, CallGear and the second generation of Novofon."""

from typing import Literal

from pydantic import Field

from connectors.pbx import PbxSettings, Zone

Kind = Literal["ringing", "talking", "talked", "ended", "lost", "record", "ignore"]


class UisSettings(PbxSettings):
    """A source of type `uis`."""

    timezone: Zone = Field(
        "", description="zone in which times are told, e.g. Europe/Moscow; empty: found by the clock"
    )
    events: dict[str, Kind] = Field(
        default_factory=dict,
        description="what a notification means, by its mnemonic, its name or your own literal `event`: ringing, "
        "talking, talked (the talk is over), ended (the call is over), lost, record, ignore",
    )
