"""Answers of a Telegram bot, and its messages by getUpdates where no webhook is set."""

import logging
import mimetypes
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

import httpx

from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    RetryableError,
)
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, answered, object_of
from connectors.telegram_bot.parse import messages_of
from connectors.telegram_bot.settings import TelegramBotSettings
from connectors.trees import part, text

log = logging.getLogger(__name__)

WAIT_S: Final = 25
"""How long Telegram keeps a question for messages open when there are none."""
PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0
WANTED: Final = (
    *("message", "edited_message", "business_message", "edited_business_message"),
    "deleted_business_messages",
)


class TelegramLink(ReplyLink):
    """4,096 characters. Telegram knows no key of ours: after a lost answer nothing is sent again."""

    operation = "telegram.send"

    def __init__(self, opening: LinkOpening, settings: TelegramBotSettings, token: str) -> None:
        base_url = f"{settings.api_url.rstrip('/')}/bot{token}/"
        super().__init__(opening, base_url, Rate(30, 1.0), secrets=(token,))
        self._settings = settings

    def length(self, text: str) -> int:
        return len(text.encode("utf-16-le", "surrogatepass")) // 2

    async def hand_over(self, message: Outgoing) -> str:
        connection, _, chat = message.chat_id.rpartition(":")
        body: dict[str, Any] = {"chat_id": int(chat), "text": message.text}
        if connection:
            body["business_connection_id"] = connection
        sent = await self.http.call(self.operation, "POST", "sendMessage", writes=True, json=body)
        return text(object_of(sent), "message_id")

    async def file(self, file_id: str) -> tuple[str, AsyncIterator[bytes]]:
        """Up to 20 MB; the address holds the token, so it is never given away."""
        found = await self.http.call("telegram.file", "POST", "getFile", writes=False, json={"file_id": file_id})
        path = text(object_of(found), "file_path")
        if not path or ".." in path:
            raise PermanentError("Telegram gives no such file", "telegram.file", gone=True)
        base = self.http.base_url.rstrip("/")
        at = base.rindex("/bot")
        kind, content = await self.download("telegram.file", f"{base[:at]}/file{base[at:]}/{quote(path)}")
        named, _ = mimetypes.guess_type(path)  # Telegram calls everything a stream of bytes
        return named or kind, content

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        tree = super().read(operation, response, writes=writes)
        return tree.get("result") if isinstance(tree, dict) else None

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        answer, status = answered(response), response.status_code
        if answer.get("ok") is not False:
            return None
        said = self.said(text(answer, "description"))
        code = int(text(answer, "error_code") or status)
        if code == 429:
            wait_s = text(part(answer, "parameters"), "retry_after")
            return RateLimitedError(said, operation, code, retry_after_s=float(wait_s or PAUSE_S))
        if code in (401, 404):
            return AuthError(said or "Telegram refuses the token", operation, code)
        return PermanentError(said or "Telegram refuses it", operation, code) if code < 500 else None


class PollingTelegramLink(TelegramLink):
    """Also asks for what people wrote, instead of a webhook."""

    async def listen(self) -> AsyncIterator[Parsed]:
        """Each update is confirmed by the next question only, so after it was stored.

        Raises AuthError, and PermanentError while a webhook is set or somebody else reads this bot.
        """
        offset, pause_s = 0, PAUSE_S
        while True:
            body = {"offset": offset, "timeout": WAIT_S, "limit": 100, "allowed_updates": list(WANTED)}
            try:
                found = await self.http.call("telegram.updates", "POST", "getUpdates", writes=False, json=body)
            except RateLimitedError as error:
                await self.clock.sleep(error.retry_after_s)
                continue
            except RetryableError as error:
                log.info("updates not read", extra={"event": "telegram.poll_failed", "error": str(error)})
                await self.clock.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = PAUSE_S
            for update in found if isinstance(found, list) else []:
                number = object_of(update).get("update_id")
                if not isinstance(number, int):
                    continue
                messages = messages_of(self._settings, update, self.region, self.clock.now())
                if messages:
                    yield Parsed(messages=messages)
                offset = number + 1


def open_link(opening: LinkOpening) -> TelegramLink | None:
    """With bot_token; with `polling` it also listens."""
    settings = opening.settings
    if not isinstance(settings, TelegramBotSettings) or settings.bot_token is None:
        return None
    kind = PollingTelegramLink if settings.polling else TelegramLink
    return kind(opening, settings, settings.bot_token.get_secret_value())
