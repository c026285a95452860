"""What the user writes in config.yaml for one Telegram chat."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_TOKEN = re.compile(r"[A-Za-z0-9_:-]+")


class TelegramSettings(BaseModel):
    """One bot writing to one chat."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Literal["telegram"] = "telegram"
    bot_token: SecretStr = Field(description="Token of the bot, from @BotFather.")
    chat_id: int | str = Field(description="Number of the chat (groups are negative) or @name of a channel.")
    message_thread_id: int | None = Field(default=None, description="Topic inside a group with topics.")
    api_url: str = Field(
        default="https://api.telegram.org",
        pattern=r"^https?://",
        description="Another Bot API server: a proxy of your own, or a sandbox.",
    )
    buttons: bool = Field(
        default=False,
        description="Buttons that mute an incident or take it on. The hub then reads the bot's updates, so the bot "
        "must have no webhook and no other reader.",
    )
    digest: bool = Field(default=False, description="Also gets the daily digest for the owner.")
    locale: Literal["ru", "en"] | None = Field(default=None, description="Language here, if not the hub's.")
    timeout_s: float = Field(default=20.0, gt=0, le=120, description="Seconds to wait for an answer.")

    @field_validator("bot_token")
    @classmethod
    def _token_fits_a_path(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a bot token has only letters, digits, '_', '-' and ':', as in 123456:ABC-DEF")
        return value

    @field_validator("chat_id")
    @classmethod
    def _chat_is_number_or_name(cls, value: int | str) -> int | str:
        text = str(value).strip()
        if not re.fullmatch(r"-?\d+|@\w+", text):
            raise ValueError("expected a number such as -1001234567890, or @channel_name")
        return text if text.startswith("@") else int(text)
