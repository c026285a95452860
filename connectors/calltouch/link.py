"""The API of Calltouch: the diary of calls, and the requests of forms, for what its webhooks lost."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import httpx

from connectors.apilink import PAGES_MAX, ApiLink, as_form, expected, needed, spans, within, zone_of
from connectors.base import Rate
from connectors.calltouch.parse import USUAL_ZONE, parse
from connectors.calltouch.settings import CalltouchSettings
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.links import LinkOpening
from connectors.trees import Tree, items, moment, part, text

PAGE: Final = 1_000
LONGEST: Final = timedelta(days=28)
_RUNNING: Final = "callconnected"
_DATE: Final = re.compile(r"(\d{2})/(\d{2})/(\d{4})(.*)", re.ASCII | re.DOTALL)
_SAME: Final = (
    *("source", "medium", "keyword", "sessionId", "ctCallerId", "yaClientId", "clientId", "callReferenceId"),
    *("callUrl", "ref", "city", "siteId", "attribution", "hostname"),
)
_OTHER: Final = {
    "callId": "id",
    "callerNumber": "callerphone",
    "phoneNumber": "phonenumber",
    "duration": "duration",
    "waitingConnect": "waiting_time",
    "manager": "operator",
    "utmSource": "utm_source",
    "utmMedium": "utm_medium",
    "utmCampaign": "utm_campaign",
    "utmContent": "utm_content",
    "utmTerm": "utm_term",
}
"""Names of the API -> names of the webhook."""


class CalltouchLink(ApiLink):
    """The vendor publishes no rate; one request a second is what its consumers use."""

    def __init__(self, opening: LinkOpening, settings: CalltouchSettings, key: str) -> None:
        super().__init__(opening, settings.api_url, Rate(1, 1.0), secrets=(key,), max_in_flight=1)
        self._key, self._site = key, settings.site_id
        self._zone = zone_of(settings.timezone, USUAL_ZONE)
        self._settings = settings.model_copy(update={"timezone": "UTC"})

    @classmethod
    def open(cls, opening: LinkOpening) -> "CalltouchLink | None":
        settings = opening.settings
        if not isinstance(settings, CalltouchSettings) or settings.client_api_id is None:
            return None
        return cls(opening, settings, settings.client_api_id.get_secret_value())

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Calls that ended in the window, then requests that came in it."""
        site = needed(self._site, "site_id", "calltouch.history")
        for start, end in spans(since, until, LONGEST):
            async for line in self._calls(site, start, end):
                if (fields := call_fields(line, self._zone)) is None:
                    continue
                parsed = self._parsed(fields)
                if not fields["calltime"] or all(within(call.ended_at, start, end) for call in parsed.calls):
                    yield parsed
            for line in await self._requests(site, start, end):
                at = _moment(line.get("date"), self._zone)
                if at is not None and start <= at < end:
                    yield self._parsed(request_fields(line))

    def _parsed(self, fields: dict[str, str]) -> Parsed:
        return parse(self._settings, as_form(fields, self.clock.now()), self.region)

    async def _calls(self, site: str, since: datetime, until: datetime) -> AsyncIterator[Tree]:
        """Days as the site counts them, both ends included."""
        for page in range(1, PAGES_MAX + 1):
            wanted = {
                "clientApiId": self._key,
                "dateFrom": since.astimezone(self._zone).strftime("%d/%m/%Y"),
                "dateTo": until.astimezone(self._zone).strftime("%d/%m/%Y"),
                "page": str(page),
                "limit": str(PAGE),
            }
            path = f"/calls-service/RestAPI/{site}/calls-diary/calls"
            tree = await self.http.call("calltouch.calls", "GET", path, writes=False, params=wanted)
            answer = {"records": tree} if isinstance(tree, list) else expected(tree, "records", "calltouch.calls")
            lines = items(answer, "records")
            for line in lines:
                yield line
            pages = text(tree, "pageTotal") if isinstance(tree, dict) else ""
            if len(lines) < PAGE and not (pages.isdecimal() and page < int(pages)):
                return

    async def _requests(self, site: str, since: datetime, until: datetime) -> list[Tree]:
        """[] where the account has no such list. Its days are written month first."""
        wanted = {
            "clientApiId": self._key,
            "siteId": site,
            "dateFrom": since.astimezone(self._zone).strftime("%m/%d/%Y"),
            "dateTo": until.astimezone(self._zone).strftime("%m/%d/%Y"),
        }
        path = "/calls-service/RestAPI/requests/"
        try:
            tree = await self.http.call("calltouch.requests", "GET", path, writes=False, params=wanted)
        except (AuthError, PermanentError):
            return []
        return items({"requests": tree}, "requests") if isinstance(tree, list) else items(tree or {}, "records")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        if response.status_code in (400, 500) and b"oken" in response.content[:500]:
            return AuthError("Calltouch does not accept client_api_id", operation, response.status_code)
        return None


def call_fields(line: Tree, zone: tzinfo) -> dict[str, str] | None:
    """A line of the diary under the names of the webhook; None while the call goes on."""
    phase = text(line, "callphase").lower()
    began = _moment(line.get("timestamp") or line.get("date"), zone)
    if phase == _RUNNING or not text(line, "callId"):
        return None
    fields = {ours: _plain(line.get(theirs)) for theirs, ours in _OTHER.items()}
    return {
        **{name: _plain(line.get(name)) for name in _SAME},
        **fields,
        "leadtype": "call",
        "callphase": phase or "callcompleted",
        "calltime": began.isoformat() if began else "",
        "status": "successful" if line.get("successful") in (True, "true") else "unsuccessful",
        "unique": _plain(line.get("uniqueCall")),
        "target": _plain(line.get("targetCall")),
    }


def request_fields(line: Tree) -> dict[str, str]:
    """A request of a form under the names of the webhook."""
    client, session = part(line, "client"), part(line, "session")
    contacts = items(client, "contacts")
    told = {
        "leadtype": "request",
        "requestId": text(line, "requestId"),
        "subject": text(line, "subject"),
        "fio": text(client, "fio"),
        "phoneNumber": next((text(one, "phoneNumber") for one in items(client, "phones")), ""),
        "email": next((value for one in contacts if "@" in (value := text(one, "contactValue"))), ""),
        "comment": next((text(one, "comment") for one in items(line, "comments")), ""),
        "requestUrl": text(session, "url"),
        "ref": text(session, "ref"),
        "sessionId": text(session, "sessionId"),
        "yaClientId": text(session, "yaClientId"),
        "clientId": text(session, "guaClientId"),
        "city": text(session, "city"),
        **{name: text(session, name) for name in ("source", "medium")},
        **{ours: text(session, theirs) for theirs, ours in _OTHER.items() if ours.startswith("utm_")},
    }
    return {name: value for name, value in told.items() if value}


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _moment(value: Any, zone: tzinfo) -> datetime | None:
    """`27/05/2026 12:00:00`, ISO, or milliseconds since 1970."""
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    written = f"{found[3]}-{found[2]}-{found[1]}{found[4]}" if found else value
    never = datetime(2100, 1, 1, tzinfo=UTC)
    at = moment(written, never, zone)
    return None if at == never else at
