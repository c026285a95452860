"""The API of Ringostat: the list of calls, and calling."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from connectors.apilink import ApiLink, as_form, bare, given, local, spans, within, zone_of
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.links import LinkOpening
from connectors.pbx import NEVER
from connectors.ringostat.parse import parse
from connectors.ringostat.settings import RingostatSettings
from connectors.trees import Tree, items, moment, part, text

LONGEST: Final = timedelta(days=1)
LONGEST_CALL: Final = timedelta(hours=3)
FIELDS: Final = (
    *("calldate", "caller", "dst", "disposition", "billsec", "uniqueid", "recording", "call_type", "waittime"),
    *("duration", "employee_fio", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "landing"),
)
FEW: Final = ("calldate", "caller", "dst", "disposition", "billsec", "uniqueid", "recording")
METHOD: Final = r"Api\V2\Callback.external"


class RingostatLink(ApiLink):
    """The vendor publishes no rate: one request a second."""

    def __init__(self, opening: LinkOpening, settings: RingostatSettings, key: str) -> None:
        super().__init__(opening, settings.api_url, Rate(1, 1.0), secrets=(key,), max_in_flight=1)
        self._settings, self._key = settings, key
        self._fields: tuple[str, ...] = FIELDS

    @classmethod
    def open(cls, opening: LinkOpening) -> "RingostatLink | None":
        settings = opening.settings
        if not isinstance(settings, RingostatSettings) or settings.auth_key is None:
            return None
        return cls(opening, settings, settings.auth_key.get_secret_value())

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window, under Ringostat's own names of its parameters."""
        zone = zone_of(self._settings.timezone)
        plain = self._settings.model_copy(update={"timezone": "UTC", "fields": {}})
        for start, end in spans(since, until, LONGEST):
            lines = await self._lines(local(start - LONGEST_CALL, zone), local(end, zone))
            for line in sorted(lines, key=lambda one: text(one, "calldate")):
                began = moment(line.get("calldate"), NEVER, zone)
                if began == NEVER or not text(line, "uniqueid"):
                    continue
                told = {name: str(value) for name, value in line.items() if isinstance(value, str | int)}
                request = as_form({**told, "calldate": began.isoformat(), "event": "after_call"}, self.clock.now())
                parsed = parse(plain, request, self.region)
                if all(within(call.ended_at or call.started_at, start, end) for call in parsed.calls):
                    yield parsed

    async def _lines(self, start: str, end: str) -> list[Tree]:
        """Projects differ in the columns that they know: after a refusal the few that all have are asked for."""
        wanted = {"export_type": "json", "from": start, "to": end, "fields": ",".join(self._fields)}
        if self._settings.project_id:
            wanted["project_id"] = self._settings.project_id
        try:
            found = await self.http.call(
                "ringostat.history", "GET", "/calls/list", writes=False, params=wanted, headers=self._headers()
            )
        except PermanentError:
            if self._fields == FEW:
                raise
            self._fields = FEW
            return await self._lines(start, end)
        if isinstance(found, dict):
            return items(found, "results") or items(found, "data")
        return items({"calls": found}, "calls")

    # --- calls ---------------------------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the colleague, then the client: `manager_dst` 0 is that order."""
        params: dict[str, Any] = {
            "caller": bare(phone),
            "caller_type": "default",
            "callee": given(extension, "the employee's extension", "ringostat.dial"),
            "callee_type": "default",
            "manager_dst": 0,
            "direction": "out",
        }
        if self._settings.project_id:
            params["projectId"] = self._settings.project_id
        body = {"jsonrpc": "2.0", "id": 1, "method": METHOD, "params": params}
        tree = await self.http.call("ringostat.dial", "POST", "/a/v2", writes=True, json=body, headers=self._headers())
        result = tree.get("result") if isinstance(tree, dict) else None
        told = result if isinstance(result, dict) else {"call_id": result}
        return text(told, "call_id") or text(told, "uniqueid")

    # --- the wire --------------------------------------------------------------------------------------

    def _headers(self) -> Mapping[str, str]:
        return {"Auth-key": self._key}

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"error": {"code": -32602, "message": "..."}}`, with HTTP 200."""
        if response.status_code >= 500 or not response.content.lstrip().startswith(b"{"):
            return None
        try:
            tree = response.json()
        except ValueError:
            return None
        error = tree.get("error") if isinstance(tree, dict) else None
        if not error:
            return None
        code = text(part(tree, "error"), "code")
        said = (text(part(tree, "error"), "message") or str(error)) if isinstance(error, dict) else str(error)
        if "auth" in said.lower():
            return AuthError("Ringostat does not accept auth_key", operation, response.status_code)
        if code == "-32603" and writes:
            return UnknownOutcomeError("Ringostat failed", operation, response.status_code)
        return PermanentError(f"Ringostat refuses: {self.said(said)}", operation, response.status_code)
