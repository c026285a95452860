"""Answers through Umnico, into whichever messenger the client wrote from."""

from typing import Any
from urllib.parse import quote

from connectors.base import Rate
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, object_of
from connectors.trees import part, text
from connectors.umnico.settings import UmnicoSettings


class UmnicoLink(ReplyLink):
    """`customId` is our key: it comes back in the webhook of what was sent."""

    operation = "umnico.send"

    def __init__(self, opening: LinkOpening, settings: UmnicoSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(5, 1.0), secrets=(token,))
        self._user = settings.user_id
        self._headers = {"Authorization": token}

    async def hand_over(self, message: Outgoing) -> str:
        lead, _, talk = message.chat_id.partition(":")
        body: dict[str, Any] = {"message": {"text": message.text}, "source": talk, "customId": message.key}
        if self._user:
            body["userId"] = self._user
        path = f"/messaging/{quote(lead, safe='')}/send"
        answer = object_of(
            await self.http.call(self.operation, "POST", path, writes=True, json=body, headers=self._headers)
        )
        return text(answer, "messageId") or text(part(answer, "message"), "messageId")


def open_link(opening: LinkOpening) -> UmnicoLink | None:
    """With api_token."""
    settings = opening.settings
    if not isinstance(settings, UmnicoSettings) or settings.api_token is None:
        return None
    return UmnicoLink(opening, settings, settings.api_token.get_secret_value())
