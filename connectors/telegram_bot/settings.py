"""What config.yaml may say about a Telegram bot that people write to."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import ChatSettings, Secret


class TelegramBotSettings(ChatSettings):
    """A source of type `telegram`. With `secret_token` unset the address alone is the secret: set `url_token` then."""

    SENDS_WITH: ClassVar = ("bot_token",)
    GIVES_FILES = True
    keyed_with = ("secret_token",)

    secret_token: Secret | None = Field(None, description="secret_token given to setWebhook; Telegram sends it back")
    bot_token: Secret | None = Field(None, description="token of the bot, for answers and for reading by getUpdates")
    polling: bool = Field(False, description="true: ask Telegram for messages instead of waiting for its webhook")
    api_url: str = Field("https://api.telegram.org", description="where the vendor's API is")
