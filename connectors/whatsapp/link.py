"""Answers through the Cloud API; 360dialog takes the same messages at its own address."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import ClassVar, Final
from urllib.parse import urlsplit

import httpx

from connectors.base import Rate
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError, RetryableError
from connectors.links import LinkOpening, Outgoing
from connectors.recordings import download, origin
from connectors.replies import ReplyLink, answered, object_of
from connectors.trees import items, part, text
from connectors.whatsapp.failures import WORDS
from connectors.whatsapp.settings import WhatsAppSettings

SLOW_DOWN: Final[Mapping[int, float]] = {4: 60.0, 80007: 60.0, 130429: 5.0, 131056: 6.0, 131048: 3600.0}
"""Code -> seconds: throughput of the app, the account and the number, one person too often, spam."""
LATER: Final = frozenset((1, 2, 131000, 131016, 131057))
NO_ACCESS: Final = frozenset((0, 3, 10, 190, 368, 131031, 131042))


class CloudLink(ReplyLink):
    """The window is 24 h after the person's last message; 4,096 characters are taken."""

    operation = "whatsapp.send"
    window = timedelta(hours=24)
    files_here: ClassVar[bool] = False
    """Files are fetched from this API's own host, whatever host their address names."""

    def __init__(self, opening: LinkOpening, base_url: str, path: str, headers: Mapping[str, str], secret: str) -> None:
        super().__init__(opening, base_url, Rate(20, 1.0), secrets=(secret,))
        self._path, self._headers = path, dict(headers)

    async def hand_over(self, message: Outgoing) -> str:
        receiver = "to" if message.chat_id.isdecimal() else "recipient"  # an id of Meta of who hides his number
        body = {
            "messaging_product": "whatsapp",
            receiver: message.chat_id,
            "type": "text",
            "text": {"body": message.text},
        }
        answer = await self.http.call(self.operation, "POST", self._path, writes=True, json=body, headers=self._headers)
        return next((text(one, "id") for one in items(object_of(answer), "messages")), "")

    async def file(self, file_id: str) -> tuple[str, AsyncIterator[bytes]]:
        """By the address that Meta gives for five minutes and that wants the token again."""
        if not file_id.isascii() or not file_id.isalnum():
            raise PermanentError("Meta has no such file", "whatsapp.file", gone=True)
        found = await self.http.call("whatsapp.file", "GET", f"/{file_id}", writes=False, headers=self._headers)
        url = text(object_of(found), "url")
        if url and self.files_here:
            told = urlsplit(url)
            url = f"{self.http.base_url.rstrip('/')}{told.path}{f'?{told.query}' if told.query else ''}"
        own = (origin(url),) if url else ()
        return await download(self.http, "whatsapp.file", url, own=own, headers=self._headers, clock=self.clock)

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        return meta_refusal(operation, response)


def meta_refusal(operation: str, response: httpx.Response) -> ConnectorError | None:
    """What Meta's `error.code` means; None when there is none to read."""
    if response.status_code < 400:
        return None
    error = part(answered(response), "error")
    code = error.get("code")
    if not isinstance(code, int):
        return None
    status, request_id = response.status_code, text(error, "fbtrace_id")
    if code in SLOW_DOWN:
        return RateLimitedError("too many messages", operation, status, request_id, retry_after_s=SLOW_DOWN[code])
    if code in LATER:
        return RetryableError(f"Meta cannot take it now (code {code})", operation, status, request_id)
    if code in NO_ACCESS or 200 <= code <= 299:
        return AuthError(f"Meta refuses the token or its rights (code {code})", operation, status, request_id)
    said = WORDS.get(code, "Meta refuses the message")
    return PermanentError(f"{said} (code {code})", operation, status, request_id)


def open_link(opening: LinkOpening) -> CloudLink | None:
    """With access_token and phone_number_id."""
    settings = opening.settings
    if not isinstance(settings, WhatsAppSettings) or settings.access_token is None or not settings.phone_number_id:
        return None
    token = settings.access_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}"}
    return CloudLink(opening, settings.api_url, f"/{settings.phone_number_id}/messages", headers, token)
