"""The API of Mango Office: its statistics for calls that never arrived, calling back, recordings."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from connectors.apilink import ApiLink, bare, given, spans, within
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.http import parse_json
from connectors.limits import Limiter
from connectors.links import LinkOpening
from connectors.mango.settings import MangoSettings
from connectors.mango.stats import FIELDS, calls_of, rows_of, runs_ahead
from connectors.trees import text

POLL_S: Final = 5.0  # Mango answers no sooner
POLLS_MAX: Final = 60
LONGEST: Final = timedelta(days=28)
LONGEST_CALL: Final = timedelta(hours=3)
ZONE: Final = timedelta(hours=3)
_RESULT: Final = "mango.stats.result"
_OK: Final = "1000"
_WRONG_KEYS: Final = frozenset(("3102", "3105"))
_REFUSALS: Final = (
    ("3101", "the key or its signature is not as Mango expects it"),
    ("31", "Mango does not understand the request"),
    ("32", "the number cannot be called"),
    ("33", "this extension does not exist in Mango"),
    ("2", "the account at Mango may not make this call (money or a limit)"),
    ("4001", "Mango does not support this command"),
    ("42", "the extension cannot be reached now"),
    ("4", "Mango cannot carry the command out now"),
)
"""Beginnings of codes; the first that fits."""


class MangoLink(ApiLink):
    """Limits of the document of 2026: 10 requests a second, 4 calls back a second, a report every 2 seconds."""

    def __init__(self, opening: LinkOpening, settings: MangoSettings, key: str, salt: str) -> None:
        super().__init__(opening, settings.api_url, Rate(10, 1.0), secrets=(key, salt))
        self._key, self._salt, self._line = key, salt, settings.line_number
        self._reports = Limiter(Rate(1, 2.0), opening.clock)
        self._dials = Limiter(Rate(4, 1.0), opening.clock)
        self._ahead = False

    @classmethod
    def open(cls, opening: LinkOpening) -> "MangoLink | None":
        settings = opening.settings
        if not isinstance(settings, MangoSettings) or settings.vpbx_api_key is None or settings.vpbx_api_salt is None:
            return None
        return cls(
            opening, settings, settings.vpbx_api_key.get_secret_value(), settings.vpbx_api_salt.get_secret_value()
        )

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window, with its recordings."""
        for start, end in spans(since, until, LONGEST):
            rows = rows_of(await self._report(start - LONGEST_CALL, end + ZONE))
            self._ahead = self._ahead or runs_ahead(rows, self.clock.now())
            for told in calls_of(rows, self.region, ahead=self._ahead):
                if within(told[0].ended_at, start, end):
                    yield Parsed(calls=told)

    async def _report(self, since: datetime, until: datetime) -> str:
        """The lines of a report, which Mango makes at its leisure. Raises RetryableError if it takes too long."""
        wanted = {
            "date_from": int(since.timestamp()),
            "date_to": int(until.timestamp()),
            "fields": ",".join(FIELDS),
        }
        async with self._reports.turn():
            asked = await self._ask("mango.stats.request", "stats/request", wanted)
        key = text(asked, "key") if isinstance(asked, dict) else ""
        if not key:
            raise RetryableError("Mango gave no key of the report", "mango.stats.request")
        for _ in range(POLLS_MAX):
            await self.clock.sleep(POLL_S)
            lines: str | None = await self._ask(_RESULT, "stats/result", {"key": key})
            if lines is not None:
                return lines
        raise RetryableError("the report is not ready", _RESULT)

    # --- calls and recordings ----------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the colleague, then the client. What came of it arrives as events that bear `key`."""
        command: dict[str, Any] = {
            "command_id": key,
            "from": {"extension": given(extension, "the employee's extension", "mango.dial")},
            "to_number": bare(phone),
        }
        if self._line:
            command["line_number"] = self._line
        async with self._dials.turn():
            await self._ask("mango.dial", "commands/callback", command, writes=True)
        return key

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """By its id: the address that Mango gives dies with the first access."""
        form = self._signed({"recording_id": recording_id, "action": "download"})
        return await self.download(
            "mango.recording", "queries/recording/post", method="POST", data=form, not_ready=(404, 420)
        )

    # --- the wire --------------------------------------------------------------------------------------

    async def _ask(self, operation: str, path: str, tree: dict[str, Any], *, writes: bool = False) -> Any:
        return await self.http.call(operation, "POST", path, writes=writes, data=self._signed(tree))

    def _signed(self, tree: dict[str, Any]) -> dict[str, str]:
        sent = json.dumps(tree, separators=(",", ":"))
        sign = hashlib.sha256(f"{self._key}{sent}{self._salt}".encode()).hexdigest()
        return {"vpbx_api_key": self._key, "sign": sign, "json": sent}

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        """The lines of a report, None while there is none; JSON of everything else."""
        if operation != _RESULT:
            return parse_json(operation, response, writes=writes)
        return None if response.status_code == 204 else response.content.decode("utf-8", "replace")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        if operation == _RESULT and response.status_code == 404:
            return RetryableError("Mango forgot the report", operation, 404)
        code = _code(response)
        if code in ("", _OK) or (response.status_code >= 500 and writes):
            return None
        if code in _WRONG_KEYS:
            return AuthError(f"Mango does not accept vpbx_api_key or vpbx_api_salt (code {code})", operation)
        said = next((words for beginning, words in _REFUSALS if code.startswith(beginning)), "")
        if said:
            return PermanentError(f"{said} (code {code})", operation, response.status_code)
        kind = UnknownOutcomeError if writes else RetryableError
        return kind(f"Mango's platform failed (code {code})", operation, response.status_code)


def _code(response: httpx.Response) -> str:
    """`{"code": 3102}` with status 420, or `{"result": 1000}` with 200."""
    if not response.content.lstrip().startswith(b"{"):
        return ""
    try:
        tree = response.json()
    except ValueError:
        return ""
    return text(tree, "code") or text(tree, "result") if isinstance(tree, dict) else ""
