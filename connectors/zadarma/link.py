"""The API of Zadarma and of the first Novofon: statistics of the PBX, calling back, recordings."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from connectors.apilink import PAGES_MAX, ApiLink, bare, given, local, spans, within, zone_of
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    RetryableError,
)
from connectors.http import unreadable
from connectors.limits import Limiter
from connectors.links import LinkOpening
from connectors.pbx import NEVER
from connectors.trees import items, moment, text
from connectors.zadarma.settings import ZadarmaSettings
from connectors.zadarma.stats import calls_of, row_of

LONGEST: Final = timedelta(days=28)
LONGEST_CALL: Final = timedelta(hours=3)
PAGE: Final = 1_000
LINK_S: Final = "1800"
_QUARTER_S: Final = 900
_TIMEZONE, _RECORD = "zadarma.timezone", "zadarma.recording"
_ABOUT_KEYS: Final = ("signature", "not authorized", "authoriz", "wrong key", "api key")


class ZadarmaLink(ApiLink):
    """Limits of the vendor: 100 requests a minute, of statistics 3."""

    def __init__(self, opening: LinkOpening, settings: ZadarmaSettings, user_key: str, secret: str) -> None:
        super().__init__(opening, settings.api_url, Rate(100, 60.0), secrets=(user_key, secret))
        self._settings, self._user_key, self._secret = settings, user_key, secret
        self._statistics = Limiter(Rate(3, 60.0), opening.clock)
        self._zone: tzinfo | None = None

    @classmethod
    def open(cls, opening: LinkOpening) -> "ZadarmaLink | None":
        settings = opening.settings
        if not isinstance(settings, ZadarmaSettings) or settings.user_key is None or settings.secret is None:
            return None
        return cls(opening, settings, settings.user_key.get_secret_value(), settings.secret.get_secret_value())

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call of the PBX that ended in the window, with its recordings."""
        zone = await self._account_zone()
        for start, end in spans(since, until, LONGEST):
            rows = [row async for row in self._rows(local(start - LONGEST_CALL, zone), local(end, zone))]
            for told in calls_of(rows, zone, self._settings, self.region):
                if within(told[0].ended_at, start, end):
                    yield Parsed(calls=told)

    async def _rows(self, start: str, end: str) -> AsyncIterator[dict[str, str]]:
        for page in range(PAGES_MAX):
            wanted = {"start": start, "end": end, "version": "2", "skip": str(page * PAGE), "limit": str(PAGE)}
            async with self._statistics.turn():
                tree = await self._ask("zadarma.history", "/v1/statistics/pbx/", wanted)
            rows = items(tree, "stats")
            for row in rows:
                yield row_of(row)
            if len(rows) < PAGE:
                return

    async def _account_zone(self) -> tzinfo:
        """The zone in which the account tells times: as set, else what its clock says, else UTC."""
        if self._settings.timezone:
            return zone_of(self._settings.timezone)
        if self._zone is None:
            try:
                tree = await self._ask(_TIMEZONE, "/v1/info/timezone/", {})
            except AuthError:
                raise
            except (PermanentError, RetryableError):
                return UTC
            here, there = (moment(text(tree, name), NEVER) for name in ("unixtime", "datetime"))
            ahead_s = 0.0 if NEVER in (here, there) else (there - here).total_seconds()
            self._zone = timezone(timedelta(seconds=round(ahead_s / _QUARTER_S) * _QUARTER_S))
        return self._zone

    # --- calls and recordings ----------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the colleague, then the client. The vendor gives no id: the call is known by its numbers and time."""
        ends = {"from": given(extension, "the employee's extension", "zadarma.dial"), "to": bare(phone)}
        await self._ask("zadarma.dial", "/v1/request/callback/", ends, writes=True)
        return ""

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        if not recording_id:
            return await self.download(_RECORD, url)
        tree = await self._ask(_RECORD, "/v1/pbx/record/request/", {"call_id": recording_id, "lifetime": LINK_S})
        links = tree.get("links")
        link = text(tree, "link") or (str(links[0]) if isinstance(links, list) and links else "")
        if not link:
            raise RetryableError("the recording is not there yet", _RECORD)
        return await self.download(_RECORD, link)

    # --- the wire --------------------------------------------------------------------------------------

    async def _ask(self, operation: str, path: str, params: dict[str, str], *, writes: bool = False) -> Any:
        query = urlencode(sorted({**params, "format": "json"}.items())).replace("~", "%7E")
        signed = f"{path}{query}{hashlib.md5(query.encode(), usedforsecurity=False).hexdigest()}"
        digest = hmac.new(self._secret.encode(), signed.encode(), hashlib.sha1).hexdigest()
        headers = {"Authorization": f"{self._user_key}:{base64.b64encode(digest.encode()).decode()}"}
        return await self.http.call(operation, "GET", f"{path}?{query}", writes=writes, headers=headers)

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        """Ids are numbers with a fraction, which must not be rounded."""
        tree = _tree(response)
        if tree is None:
            raise unreadable(operation, response, writes=writes)
        return tree

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        tree = _tree(response) if response.status_code < 500 else None
        if tree is None or text(tree, "status") != "error":
            return None
        said, status = text(tree, "message"), response.status_code
        if status in (401, 403) or any(word in said.lower() for word in _ABOUT_KEYS):
            return AuthError("Zadarma does not accept user_key or secret", operation, status)
        if status == 429 or "limit exceeded" in said.lower():
            return self.too_fast(operation, response)
        if operation == _RECORD:
            return RetryableError(f"Zadarma has no recording yet: {self.said(said)}", operation, status)
        return PermanentError(f"Zadarma refuses: {self.said(said)}", operation, status)

    def too_fast(self, operation: str, response: httpx.Response) -> RateLimitedError:
        """`X-RateLimit-Reset` is the Unix time from which the vendor listens again."""
        error = super().too_fast(operation, response)
        reset = moment(response.headers.get("x-ratelimit-reset", ""), NEVER)
        if "retry-after" not in response.headers and reset != NEVER:
            wait_s = (reset - self.clock.now()).total_seconds()
            error.retry_after_s = min(max(wait_s, 1.0), 3600.0)
        return error


def _tree(response: httpx.Response) -> dict[str, Any] | None:
    try:
        tree = json.loads(response.content, parse_float=str)
    except ValueError:
        return None
    return tree if isinstance(tree, dict) else None
