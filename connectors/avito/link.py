"""Answers in Avito's messenger, with tokens of the application."""

import asyncio
from typing import Any, Final
from urllib.parse import quote

from connectors.avito.settings import AvitoSettings
from connectors.base import Rate
from connectors.errors import AuthError
from connectors.links import LinkOpening, Outgoing
from connectors.replies import ReplyLink, object_of
from connectors.trees import text

RENEW_BEFORE_S: Final = 300.0
LIFE_S: Final = 24 * 3600.0
"""Of a token whose answer does not say."""


class AvitoLink(ReplyLink):
    """The token of `client_credentials` is kept in memory only: a new one costs a call."""

    operation = "avito.send"
    max_chars = 1000

    def __init__(self, opening: LinkOpening, settings: AvitoSettings, secret: str) -> None:
        super().__init__(opening, settings.api_url, Rate(5, 1.0), secrets=(secret,))
        self._client, self._secret, self._user = settings.client_id, secret, settings.user_id
        self._token, self._until = "", float("-inf")
        self._renewing = asyncio.Lock()

    async def hand_over(self, message: Outgoing) -> str:
        try:
            return await self._send(message)
        except AuthError:
            self._until = float("-inf")  # taken back before its time: with a new one it is tried once more
            return await self._send(message)

    async def _send(self, message: Outgoing) -> str:
        headers = {"Authorization": f"Bearer {await self._access()}"}
        path = f"/messenger/v1/accounts/{quote(self._user, safe='')}/chats/{quote(message.chat_id, safe='')}/messages"
        body = {"type": "text", "message": {"text": message.text}}
        answer = await self.http.call(self.operation, "POST", path, writes=True, json=body, headers=headers)
        return text(object_of(answer), "id")

    async def _access(self) -> str:
        async with self._renewing:
            if self.clock.monotonic() >= self._until:
                form = {
                    "grant_type": "client_credentials",
                    "client_id": self._client,
                    "client_secret": self._secret,
                }
                answer: Any = await self.http.call("avito.token", "POST", "/token", writes=False, data=form)
                token, life = text(object_of(answer), "access_token"), object_of(answer).get("expires_in")
                if not token:
                    raise AuthError("Avito gives no token for this client_id and client_secret", "avito.token")
                self._token = token
                self.http.secrets.append(token)
                seconds = float(life) if isinstance(life, int | float) else LIFE_S
                self._until = self.clock.monotonic() + max(0.0, seconds - RENEW_BEFORE_S)
            return self._token


def open_link(opening: LinkOpening) -> AvitoLink | None:
    """With client_id, client_secret and user_id."""
    settings = opening.settings
    if not isinstance(settings, AvitoSettings) or settings.client_secret is None:
        return None
    if not settings.client_id or not settings.user_id:
        return None
    return AvitoLink(opening, settings, settings.client_secret.get_secret_value())
