"""Answers of a Viber bot."""

from typing import Final

import httpx

from connectors.base import Rate
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, answered, object_of
from connectors.trees import text
from connectors.viber.settings import ViberSettings

SENDER_MAX: Final = 28  # characters of a sender's name
WORDS: Final = {
    "5": "the person is not on Viber any more",
    "6": "the person has unsubscribed from the bot",
    "7": "Viber has blocked the bot",
}


class ViberLink(ReplyLink):
    """Every answer is HTTP 200; `status` 0 means sent. A text may be 7,000 characters."""

    operation = "viber.send"
    max_chars = 7000

    def __init__(self, opening: LinkOpening, settings: ViberSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(10, 1.0), secrets=(token,))
        self._headers = {"X-Viber-Auth-Token": token}
        self._sender = (settings.sender_name or settings.title or opening.name)[:SENDER_MAX]

    async def hand_over(self, message: Outgoing) -> str:
        body = {
            "receiver": message.chat_id,
            "min_api_version": 1,
            "sender": {"name": self._sender},
            "tracking_data": message.key,
            "type": "text",
            "text": message.text,
        }
        answer = await self.http.call(
            self.operation, "POST", "/pa/send_message", writes=True, json=body, headers=self._headers
        )
        return text(object_of(answer), "message_token")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        code = text(answered(response), "status")
        if response.status_code >= 500 or code in ("", "0"):
            return None
        if code == "2":
            return AuthError("Viber refuses the token", operation, response.status_code)
        if code == "12":
            return RateLimitedError("Viber asks to slow down", operation, response.status_code, retry_after_s=10.0)
        said = WORDS.get(code, "Viber refuses the message")
        return PermanentError(f"{said} (status {code})", operation, response.status_code)


def open_link(opening: LinkOpening) -> ViberLink | None:
    """With auth_token."""
    settings = opening.settings
    if not isinstance(settings, ViberSettings) or settings.auth_token is None:
        return None
    return ViberLink(opening, settings, settings.auth_token.get_secret_value())
