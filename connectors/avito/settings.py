"""What config.yaml may say about an Avito account."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class AvitoSettings(TalkSettings):
    """A source of type `avito`. How Avito signs is not published: set `url_token`."""

    SENDS_WITH: ClassVar = ("client_id", "client_secret", "user_id")

    user_id: str = Field("", coerce_numbers_to_str=True, description="number of our Avito account")
    client_id: str = Field("", description="client id of the application at Avito, for answers")
    client_secret: Secret | None = Field(None, description="its secret")
    api_url: str = Field("https://api.avito.ru", description="where the vendor's API is")
