"""Answers of a VK community."""

import hashlib
from typing import Any, Final

import httpx

from connectors.base import Rate
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    UnknownOutcomeError,
)
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, answered
from connectors.trees import part, text
from connectors.vk.settings import VkSettings

VERSION: Final = "5.199"
SLOW_DOWN: Final = {6: 1.0, 9: 60.0, 29: 600.0}
UNCLEAR: Final = (1, 10)
"""VK's own failure: whether it was sent nobody can say."""
WORDS: Final = {
    7: "the token has no right to send messages",
    15: "VK gives no access to this conversation",
    901: "the person has not allowed the community to write",
    902: "the person takes no messages from the community",
    914: "the text is too long for VK",
}


class VkLink(ReplyLink):
    """`random_id` is made of our key: VK sends a message with the same one only once to the same person."""

    operation = "vk.send"
    repeats_safely = True
    max_chars = 9000

    def __init__(self, opening: LinkOpening, settings: VkSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(18, 1.0), secrets=(token,))
        self._token = token

    async def hand_over(self, message: Outgoing) -> str:
        form = {
            "peer_id": message.chat_id,
            "message": message.text,
            "random_id": str(random_id(message.key)),
            "access_token": self._token,
            "v": VERSION,
        }
        sent: Any = await self.http.call(self.operation, "POST", "/method/messages.send", writes=True, data=form)
        return str(sent.get("response", "")) if isinstance(sent, dict) else ""

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """An error comes with HTTP 200."""
        error = part(answered(response), "error")
        code = text(error, "error_code")
        if not code.isdecimal():
            return None
        number = int(code)
        if number == 5:
            return AuthError("VK refuses the token", operation, response.status_code)
        if number in SLOW_DOWN:
            return RateLimitedError(
                "VK asks to slow down", operation, response.status_code, retry_after_s=SLOW_DOWN[number]
            )
        if number in UNCLEAR:
            return UnknownOutcomeError(f"VK failed (code {number})", operation, response.status_code)
        said = WORDS.get(number, "VK refuses the message")
        return PermanentError(f"{said} (code {number})", operation, response.status_code)


def random_id(key: str) -> int:
    """A positive number of 31 bits, the same for the same message."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) & 0x7FFF_FFFF or 1


def open_link(opening: LinkOpening) -> VkLink | None:
    """With access_token."""
    settings = opening.settings
    if not isinstance(settings, VkSettings) or settings.access_token is None:
        return None
    return VkLink(opening, settings, settings.access_token.get_secret_value())
