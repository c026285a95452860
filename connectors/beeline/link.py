"""The API of Beeline's cloud PBX: calling from an employee, and recordings by the call's own id."""

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

import httpx

from connectors.apilink import ApiLink, bare, given
from connectors.base import Rate
from connectors.beeline.settings import BeelineSettings
from connectors.errors import ConnectorError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.links import LinkOpening
from connectors.trees import text

_RECORD: Final = "beeline.recording"
_RUSSIAN: Final = "+7"


class BeelineLink(ApiLink):
    """The vendor publishes no rate: two requests a second."""

    def __init__(self, opening: LinkOpening, settings: BeelineSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(2, 1.0), secrets=(token,), max_in_flight=2)
        self._headers = {"X-MPBX-API-AUTH-TOKEN": token}

    @classmethod
    def open(cls, opening: LinkOpening) -> "BeelineLink | None":
        settings = opening.settings
        if not isinstance(settings, BeelineSettings) or settings.api_token is None:
            return None
        return cls(opening, settings, settings.api_token.get_secret_value())

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the employee (extension, number or login), then the client. Returns the vendor's id of the call."""
        pattern = quote(given(extension, "the employee's extension", "beeline.dial"), safe="@")
        number = phone.removeprefix(_RUSSIAN) if phone.startswith(_RUSSIAN) else bare(phone)
        answer: Any = await self.http.call(
            "beeline.dial",
            "POST",
            f"abonents/{pattern}/call?phoneNumber={quote(number)}",
            writes=True,
            json={"phoneNumber": number},
            headers=self._headers,
        )
        told = answer if isinstance(answer, str) else text(answer, "callId") if isinstance(answer, dict) else ""
        if told.startswith("<") or (isinstance(answer, dict) and not told):
            raise UnknownOutcomeError("the answer is no id of a call", "beeline.dial")
        return told

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """`extTrackingId/user` of the events -> an address; a bare number is an id of the list of recordings."""
        if not recording_id:
            return await self.download(_RECORD, url, headers=self._headers)
        call, slash, user = recording_id.rpartition("/")
        if not slash:
            path = f"v2/records/{quote(recording_id, safe='')}/download"
            return await self.download(_RECORD, path, headers=self._headers)
        path = f"records/{quote(call, safe='')}/{quote(user, safe='')}/reference"
        tree: Any = await self.http.call(_RECORD, "GET", path, writes=False, headers=self._headers)
        address = text(tree, "url") if isinstance(tree, dict) else ""
        if not address:
            raise RetryableError("the recording is not there yet", _RECORD)
        return await self.download(_RECORD, address, headers=self._headers)

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        """An id comes as JSON text or bare."""
        try:
            return response.json()
        except ValueError:
            return response.text.strip()

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"errorCode": "...", "description": "..."}`"""
        if not 400 <= response.status_code < 500 or response.status_code in (401, 403, 429):
            return None
        try:
            tree = response.json()
        except ValueError:
            tree = {}
        code, said = (text(tree, name) for name in ("errorCode", "description")) if isinstance(tree, dict) else ("", "")
        if operation == _RECORD and response.status_code == 404:
            return RetryableError("the recording is not there yet", operation, 404)
        if not (code or said):
            return None
        return PermanentError(f"Beeline refuses: {self.said(f'{code} {said}')}", operation, response.status_code)
