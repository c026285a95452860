"""What config.yaml may say about UIS, CoMagic, CallGear and the second generation of Novofon."""

from typing import Literal

from pydantic import Field

from connectors.chats import Secret
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
    access_token: Secret | None = Field(None, description="key of the API, for its report of calls and for calling")
    login: str = Field("", description="user of the API, instead of access_token")
    password: Secret | None = Field(None, description="its password")
    virtual_phone_number: str = Field(
        "", coerce_numbers_to_str=True, description="our number for calls made from the hub"
    )
    data_api_url: str = Field(
        "https://dataapi.uiscom.ru/v2.0",
        description="Data API; CoMagic: https://dataapi.comagic.ru/v2.0, Novofon: https://dataapi-jsonrpc.novofon.ru/v2.0",
    )
    call_api_url: str = Field(
        "https://callapi.uiscom.ru/v4.0", description="Call API; CoMagic: https://callapi.comagic.ru/v4.0"
    )
    media_url: str = Field(
        "https://media.uiscom.ru", description="host of recordings; CoMagic: https://media.comagic.ru"
    )
