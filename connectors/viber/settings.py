"""What config.yaml may say about a Viber bot."""

from pydantic import Field

from connectors.chats import ChatSettings, Secret


class ViberSettings(ChatSettings):
    """A source of type `viber`."""

    auth_token: Secret | None = Field(None, description="token of the bot, with which Viber signs every request")
