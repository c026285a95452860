"""What config.yaml may say about a Telegram bot that people write to."""

from pydantic import Field

from connectors.chats import ChatSettings, Secret


class TelegramBotSettings(ChatSettings):
    """A source of type `telegram`. With `secret_token` unset the address alone is the secret: set `url_token` then."""

    secret_token: Secret | None = Field(None, description="secret_token given to setWebhook; Telegram sends it back")
    bot_token: Secret | None = Field(None, description="token of the bot, for answers and for reading by getUpdates")
