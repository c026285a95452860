"""What config.yaml may say about an Umnico account."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class UmnicoSettings(TalkSettings):
    """A source of type `umnico`. Umnico signs nothing: set `url_token`."""

    SENDS_WITH: ClassVar = ("api_token",)

    api_token: Secret | None = Field(None, description="token of the API, for answers")
    user_id: str = Field(
        "", coerce_numbers_to_str=True, description="number of the employee in Umnico in whose name answers go out"
    )
    api_url: str = Field("https://api.umnico.com/v1.3", description="where the vendor's API is")
