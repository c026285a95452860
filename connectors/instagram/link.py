"""Answers in Instagram's direct messages."""

from datetime import timedelta

import httpx

from connectors.base import Rate
from connectors.errors import ConnectorError, PermanentError
from connectors.instagram.settings import InstagramSettings
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, answered, object_of
from connectors.trees import part, text
from connectors.whatsapp.link import meta_refusal

OUTSIDE_THE_WINDOW = "2534022"


class InstagramLink(ReplyLink):
    """1,000 bytes of text within 24 h of the person's last message."""

    operation = "instagram.send"
    max_chars = 1000
    window = timedelta(hours=24)

    def __init__(self, opening: LinkOpening, settings: InstagramSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(10, 1.0), secrets=(token,))
        self._path = f"/{settings.account_id}/messages"
        self._headers = {"Authorization": f"Bearer {token}"}

    def length(self, text: str) -> int:
        return len(text.encode("utf-8", "replace"))

    async def hand_over(self, message: Outgoing) -> str:
        body = {"recipient": {"id": message.chat_id}, "message": {"text": message.text}}
        answer = await self.http.call(self.operation, "POST", self._path, writes=True, json=body, headers=self._headers)
        return text(object_of(answer), "message_id")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        if text(part(answered(response), "error"), "error_subcode") == OUTSIDE_THE_WINDOW:
            said = "the client last wrote more than 24 h ago: Instagram takes no answer then"
            return PermanentError(said, operation, response.status_code)
        return meta_refusal(operation, response)


def open_link(opening: LinkOpening) -> InstagramLink | None:
    """With access_token and account_id."""
    settings = opening.settings
    if not isinstance(settings, InstagramSettings) or settings.access_token is None or not settings.account_id:
        return None
    return InstagramLink(opening, settings, settings.access_token.get_secret_value())
