"""The API of Sipuni: its statistics as CSV, calling, recordings. Signed by MD5 over the sorted values."""

import csv
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx

from connectors.apilink import ApiLink, as_form, bare, given, spans, within, zone_of
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError
from connectors.events import ParsedCall
from connectors.http import parse_json
from connectors.links import LinkOpening
from connectors.sipuni.parse import parse
from connectors.sipuni.settings import SipuniSettings

LONGEST: Final = timedelta(days=28)
USUAL_ZONE: Final = "Europe/Moscow"
_HISTORY: Final = "sipuni.history"
_EVERYTHING: Final = {
    "anonymous": "1",
    "firstTime": "0",
    "fromNumber": "",
    "state": "0",
    "toAnswer": "",
    "toNumber": "",
    "tree": "",
    "type": "0",
}
_COLUMNS: Final = {
    "тип": "type",
    "статус": "status",
    "время": "time",
    "откуда": "from",
    "куда": "to",
    "кто ответил": "who",
    "длительность звонка": "length",
    "длительность разговора": "talk",
    "id записи": "id",
    "запись существует": "has_record",
}
Row = Mapping[str, str]


class SipuniLink(ApiLink):
    """The vendor publishes no rate: two requests a second."""

    def __init__(self, opening: LinkOpening, settings: SipuniSettings, secret: str) -> None:
        super().__init__(opening, settings.api_url, Rate(2, 1.0), secrets=(secret,), max_in_flight=2)
        self._settings, self._secret = settings, secret

    @classmethod
    def open(cls, opening: LinkOpening) -> "SipuniLink | None":
        settings = opening.settings
        if not isinstance(settings, SipuniSettings) or not settings.user or settings.secret is None:
            return None
        return cls(opening, settings, settings.secret.get_secret_value())

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window and has an id. Whole days are asked for: the vendor takes no times."""
        zone = zone_of(self._settings.timezone, USUAL_ZONE)
        for start, end in spans(since, until, LONGEST):
            days = {name: at.astimezone(zone).strftime("%d.%m.%Y") for name, at in (("from", start), ("to", end))}
            lines: str = await self._ask(_HISTORY, "/api/statistic/export", {**_EVERYTHING, **days})
            calls = [call for row in rows_of(lines) if (call := self._call(row, zone)) is not None]
            for call in sorted(calls, key=lambda one: one.started_at or start):
                if within(call.ended_at, start, end):
                    yield Parsed(calls=(call,))

    def _call(self, row: Row, zone: tzinfo) -> ParsedCall | None:
        fields = event_of(row, zone, self._settings.user)
        if fields is None:
            return None
        request = as_form(fields, self.clock.now())
        (call,) = parse(self._settings, request, self.region).calls
        recorded = row.get("has_record") == "1" or ("has_record" not in row and bool(call.talk_s))
        return replace(call, recording_id=call.call_id) if recorded else call

    # --- calls and recordings ----------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the colleague, then the client. Returns the id of the order."""
        wanted = {
            "antiaon": "0",
            "phone": bare(phone),
            "reverse": "0",
            "sipnumber": given(extension, "the employee's extension", "sipuni.dial"),
        }
        tree = await self._ask("sipuni.dial", "/api/callback/call_number", wanted, writes=True)
        return str(tree.get("id") or "") if isinstance(tree, dict) else ""

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """By the address that came with the call; by its id where there is none, or where it is not good any more."""
        found = recording_id or next(iter(parse_qs(urlsplit(url).query).get("id", [])), "")
        if url:
            try:
                return await self.download("sipuni.recording", url)
            except (PermanentError, AuthError):
                if not found:
                    raise
        form = self._signed({"id": given(found, "the recording's id", "sipuni.recording")})
        return await self.download("sipuni.recording", "/api/statistic/record", method="POST", data=form)

    # --- the wire --------------------------------------------------------------------------------------

    async def _ask(self, operation: str, path: str, values: dict[str, str], *, writes: bool = False) -> Any:
        return await self.http.call(operation, "POST", path, writes=writes, data=self._signed(values))

    def _signed(self, values: dict[str, str]) -> dict[str, str]:
        """The values by the alphabet of their names, `user` among them, the secret last, joined by `+`."""
        form = dict(sorted({**values, "user": self._settings.user}.items()))
        signed = "+".join((*form.values(), self._secret))
        return {**form, "hash": hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()}

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        if operation != _HISTORY:
            return parse_json(operation, response, writes=writes)
        return response.content.decode("utf-8-sig", "replace")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"success": false, "message": "..."}`, of the statistics as well."""
        if response.status_code >= 500 or not response.content.lstrip().startswith(b"{"):
            is_page = operation == _HISTORY and response.content.lstrip()[:1] == b"<"
            return RetryableError("Sipuni shows a page instead", operation) if is_page else None
        try:
            tree = response.json()
        except ValueError:
            return None
        if tree.get("success") is not False and "error" not in tree:
            return None
        said = str(tree.get("message") or tree.get("error") or "")
        if any(word in said.lower() for word in ("hash", "secret", "auth", "ключ", "хеш")):
            return AuthError("Sipuni does not accept user or secret", operation, response.status_code)
        return PermanentError(f"Sipuni refuses: {self.said(said)}", operation, response.status_code)


def rows_of(text: str) -> list[Row]:
    """Lines of the CSV by our names of its columns, which are found by their titles."""
    lines = list(csv.reader(text.splitlines(), delimiter=";"))
    if not lines:
        return []
    names = [_COLUMNS.get(title.strip().strip('"').lower(), "") for title in lines[0]]
    return [
        {name: value.strip() for name, value in zip(names, line, strict=False) if name}
        for line in lines[1:]
        if len(line) > 1
    ]


def event_of(row: Row, zone: tzinfo, user: str) -> dict[str, str] | None:
    """A line as the event that ended the call would have told it; None without an id: nothing could be told apart."""
    try:
        began = datetime.strptime(row.get("time", ""), "%d.%m.%Y %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None
    if not row.get("id"):
        return None
    length, talk = (_seconds(row.get(name, "")) for name in ("length", "talk"))
    kind = row.get("type", "").lower()
    from_us, to_us = kind.startswith(("исход", "внутр")), kind.startswith("внутр")
    status = row.get("status", "").lower()
    ended = int(began.timestamp()) + length
    answered = talk > 0 and not status.startswith(("не ", "пропущ"))
    fields = {
        "event": "2",
        "call_id": row["id"],
        "user_id": user,
        "src_num": row.get("from", ""),
        "short_src_num": row.get("from", ""),
        "src_type": "2" if from_us else "1",
        "dst_num": row.get("to", ""),
        "short_dst_num": row.get("to", ""),
        "dst_type": "2" if to_us else "1",
        "pbxdstnum": row.get("to", ""),
        "last_called": row.get("who", ""),
        "call_start_timestamp": str(int(began.timestamp())),
        "call_answer_timestamp": str(ended - talk) if answered else "",
        "timestamp": str(ended),
        "status": "ANSWER" if answered else "BUSY" if "занят" in status else "NOANSWER",
    }
    return {name: value for name, value in fields.items() if value}


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
