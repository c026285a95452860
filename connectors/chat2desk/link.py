"""Answers through Chat2Desk, into whichever messenger the client wrote from."""

from connectors.base import Rate
from connectors.chat2desk.settings import Chat2DeskSettings
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, object_of
from connectors.trees import part, text


class Chat2DeskLink(ReplyLink):
    """The path and the fields are known from memory only: see NOTES.md."""

    operation = "chat2desk.send"

    def __init__(self, opening: LinkOpening, settings: Chat2DeskSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(5, 1.0), secrets=(token,))
        self._headers = {"Authorization": token}

    async def hand_over(self, message: Outgoing) -> str:
        client, channel, transport = (*message.chat_id.split(":", 2), "", "")[:3]
        told = {
            "client_id": client,
            "text": message.text,
            "channel_id": channel,
            "transport": transport,
            "external_id": message.key,
        }
        body = {name: value for name, value in told.items() if value}
        answer = await self.http.call(
            self.operation, "POST", "/v1/messages", writes=True, json=body, headers=self._headers
        )
        return text(part(object_of(answer), "data"), "message_id")


def open_link(opening: LinkOpening) -> Chat2DeskLink | None:
    """With api_token."""
    settings = opening.settings
    if not isinstance(settings, Chat2DeskSettings) or settings.api_token is None:
        return None
    return Chat2DeskLink(opening, settings, settings.api_token.get_secret_value())
