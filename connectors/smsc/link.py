"""Answers by SMS through SMSC.ru."""

from typing import Final

import httpx

from connectors.apilink import bare
from connectors.base import Rate
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, answered, object_of
from connectors.smsc.settings import SmscSettings
from connectors.trees import text

_NO_ACCESS: Final = frozenset(("2", "4"))  # key, address of the hub
_TOO_SOON: Final = "9"
AGAIN_S: Final = 60.0
_SAID: Final = {"3": "the account has no money", "6": "the text is not allowed", "7": "the number is wrong"}


class SmscLink(ReplyLink):
    """The fields of an answer are from the vendor's own library, its codes from memory: see NOTES.md."""

    operation = "smsc.send"
    max_chars = 1_000

    def __init__(self, opening: LinkOpening, settings: SmscSettings, key: str) -> None:
        super().__init__(opening, settings.api_url, Rate(5, 1.0), secrets=(key,))
        self._key, self._sender = key, settings.sender

    async def hand_over(self, message: Outgoing) -> str:
        person, _, _ = message.chat_id.partition(":")
        form = {"apikey": self._key, "phones": bare(person), "mes": message.text, "charset": "utf-8", "fmt": "3"}
        if self._sender:
            form["sender"] = self._sender
        answer = await self.http.call(self.operation, "POST", "/sys/send.php", writes=True, data=form)
        return text(object_of(answer), "id")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"error": "...", "error_code": 7}`, with status 200."""
        code = text(answered(response), "error_code")
        if not code or response.status_code >= 500:
            return None
        if code in _NO_ACCESS:
            return AuthError(f"SMSC.ru does not accept api_key or this address (code {code})", operation)
        if code == _TOO_SOON:
            return RateLimitedError("SMSC.ru asks to slow down", operation, retry_after_s=AGAIN_S)
        return PermanentError(f"SMSC.ru refuses: {_SAID.get(code, 'it cannot be sent')} (code {code})", operation)


def open_link(opening: LinkOpening) -> SmscLink | None:
    """With api_key."""
    settings = opening.settings
    if not isinstance(settings, SmscSettings) or settings.api_key is None:
        return None
    return SmscLink(opening, settings, settings.api_key.get_secret_value())
