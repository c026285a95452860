"""What config.yaml may say about a PBX of Sipuni."""

from pydantic import Field

from connectors.chats import Secret
from connectors.pbx import PbxSettings, Zone


class SipuniSettings(PbxSettings):
    """A source of type `sipuni`."""

    user: str = Field("", coerce_numbers_to_str=True, description="number of the account, e.g. '070001', in quotes")
    secret: Secret | None = Field(None, description="key of the integration, for calls to the vendor")
    timezone: Zone = Field("", description="zone of the statistics' times; default: Europe/Moscow")
    api_url: str = Field("https://sipuni.com", description="where the API lives")
