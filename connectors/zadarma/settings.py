"""What config.yaml may say about a PBX of Zadarma or of Novofon's first generation."""

from pydantic import Field

from connectors.chats import Secret
from connectors.pbx import PbxSettings, Zone


class ZadarmaSettings(PbxSettings):
    """A source of type `zadarma`."""

    signed_with = ("secret",)

    user_key: Secret | None = Field(None, description="API key of the account, for its own calls to the vendor")
    secret: Secret | None = Field(None, description="API secret of the account, which signs every event")
    timezone: Zone = Field(
        "", description="zone of the account, in which call_start is told, e.g. Europe/Kyiv; empty: found by the clock"
    )
    api_url: str = Field("https://api.zadarma.com", description="where the API lives; Novofon: https://api.novofon.com")
