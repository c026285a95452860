"""Answers through Wazzup24, into whichever messenger the client wrote from."""

from typing import Final

import httpx

from connectors.base import Rate
from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, answered, object_of
from connectors.trees import text
from connectors.wazzup.settings import WazzupSettings

LONGEST: Final = {"whatsapp": 10_000, "instagram": 1_000}
SENT_BEFORE: Final = "REPEATED_CRM_MESSAGE_ID"
WORDS: Final = {
    "24_HOURS_EXCEEDED": "the client last wrote more than 24 h ago: only an approved template is taken then",
    "7_DAYS_EXCEEDED": "the client last wrote more than 7 days ago: no answer is taken then",
    "CHANNEL_BLOCKED": "the channel is blocked in Wazzup24",
    "CHANNEL_NO_MONEY": "the channel is not paid for in Wazzup24",
    "CHANNEL_NOT_FOUND": "there is no such channel in Wazzup24 any more",
    "MESSAGES_IS_SPAM": "Wazzup24 takes the message for spam",
    "WRONG_TRANSPORT": "the channel is of another messenger",
}


class WazzupLink(ReplyLink):
    """500 requests in 5 s. `crmMessageId` is our key: a message sent once is not sent again."""

    operation = "wazzup.send"
    repeats_safely = True

    def __init__(self, opening: LinkOpening, settings: WazzupSettings, key: str) -> None:
        super().__init__(opening, settings.api_url, Rate(80, 1.0), secrets=(key,))
        self._headers = {"Authorization": f"Bearer {key}"}

    def longest(self, message: Outgoing) -> int:
        return LONGEST.get(message.channel, self.max_chars)

    async def hand_over(self, message: Outgoing) -> str:
        channel_id, chat_type, person = message.chat_id.split(":", 2)
        body = {
            "channelId": channel_id,
            "chatType": chat_type,
            "chatId": person,
            "text": message.text,
            "crmMessageId": message.key,
        }
        answer = await self.http.call(
            self.operation, "POST", "/v3/message", writes=True, json=body, headers=self._headers
        )
        return text(object_of(answer), "messageId")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        if response.status_code < 400:
            return None
        error, status = text(answered(response), "error"), response.status_code
        if status in (401, 403):
            return AuthError("Wazzup24 does not accept the key", operation, status)
        if error == "UNKNOWN_ERROR":
            return UnknownOutcomeError("Wazzup24 does not know what happened", operation, status)
        if not error or error == SENT_BEFORE:
            return None
        return PermanentError(WORDS.get(error, f"Wazzup24 refuses the message ({self.said(error)})"), operation, status)

    def _interpret(self, operation: str, response: httpx.Response, writes: bool) -> object:
        if response.status_code >= 400 and text(answered(response), "error") == SENT_BEFORE:
            return {}
        return super()._interpret(operation, response, writes)


def open_link(opening: LinkOpening) -> WazzupLink | None:
    """With api_key."""
    settings = opening.settings
    if not isinstance(settings, WazzupSettings) or settings.api_key is None:
        return None
    return WazzupLink(opening, settings, settings.api_key.get_secret_value())
