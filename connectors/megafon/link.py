"""The API of MegaFon's PBX and its kin, in both forms: `crmapi/v1` with a header, `crm_api.wcgp` with a form."""

import csv
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from connectors.apilink import ApiLink, as_form, bare, given, spans, within
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError
from connectors.http import parse_json
from connectors.links import LinkOpening
from connectors.megafon.parse import parse
from connectors.megafon.settings import MegafonSettings
from connectors.trees import Tree, items, text

LONGEST: Final = timedelta(days=1)
LONGEST_CALL: Final = timedelta(hours=3)
OLD_PATH: Final = "/sys/crm_api.wcgp"
_OLD: Final = "megafon.history.csv"
_COLUMNS: Final = ("uid", "type", "client", "user", "diversion", "start", "wait", "duration", "record")
_FORM: Final = "%Y%m%dT%H%M%SZ"
_DIGITS: Final = re.compile(r"\D")


class MegafonLink(ApiLink):
    """The vendor publishes no rate: two requests a second."""

    def __init__(self, opening: LinkOpening, settings: MegafonSettings, token: str) -> None:
        address = settings.api_url if "://" in settings.api_url else f"https://{settings.api_url}"
        if not urlsplit(address).path.strip("/"):
            address = address.rstrip("/") + OLD_PATH
        super().__init__(opening, address, Rate(2, 1.0), secrets=(token,), max_in_flight=2)
        self._settings, self._token, self._address = settings, token, address.rstrip("/")
        self._is_old = self._address.endswith(".wcgp")

    @classmethod
    def open(cls, opening: LinkOpening) -> "MegafonLink | None":
        settings = opening.settings
        if not isinstance(settings, MegafonSettings) or settings.token is None or not settings.api_url:
            return None
        return cls(opening, settings, settings.token.get_secret_value())

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window."""
        for start, end in spans(since, until, LONGEST):
            lines = await self._lines((start - LONGEST_CALL).strftime(_FORM), end.strftime(_FORM))
            for fields in sorted(filter(None, map(fields_of, lines)), key=lambda one: one["start"]):
                request = as_form(fields, self.clock.now())
                parsed = parse(self._settings, request, self.region)
                if all(within(call.ended_at, start, end) for call in parsed.calls):
                    yield parsed

    async def _lines(self, start: str, end: str) -> list[Tree]:
        if self._is_old:
            form = {"cmd": "history", "start": start, "end": end, "type": "all"}
            lines: str = await self._command(_OLD, form)
            rows = csv.reader(lines.splitlines())
            return [dict(zip(_COLUMNS, row, strict=False)) for row in rows if len(row) >= len(_COLUMNS) - 1]
        wanted = {"start": start, "end": end, "type": "all"}
        found = await self.http.call(
            "megafon.history",
            "GET",
            f"{self._address}/history/json",
            writes=False,
            params=wanted,
            headers={"X-API-KEY": self._token},
        )
        if found is not None and not isinstance(found, list):
            raise RetryableError("the answer is no list of calls", "megafon.history")
        return items({"calls": found}, "calls")

    # --- calls and recordings ----------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the colleague (by login or extension), then the client. Returns the call's id where it is told."""
        call = {"phone": bare(phone), "user": given(extension, "the employee's login", "megafon.dial")}
        if self._is_old:
            answer = await self._command("megafon.dial", {"cmd": "makeCall", **call}, writes=True)
        else:
            answer = await self.http.call(
                "megafon.dial",
                "POST",
                f"{self._address}/makecall",
                writes=True,
                json=call,
                headers={"X-API-KEY": self._token},
            )
        if isinstance(answer, str):
            return answer.strip() if answer.strip().isalnum() and answer.strip().lower() != "ok" else ""
        return text(answer, "callid") or text(answer, "data") if isinstance(answer, dict) else ""

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        address = url or f"{self._address}/history/record/{quote(recording_id, safe='')}"
        return await self.download("megafon.recording", address, headers={"X-API-KEY": self._token})

    # --- the wire --------------------------------------------------------------------------------------

    async def _command(self, operation: str, form: Mapping[str, str], *, writes: bool = False) -> Any:
        data = {**form, "token": self._token}
        return await self.http.call(operation, "POST", self._address, writes=writes, data=data)

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        """CSV of the old history; of a command JSON or a word."""
        if operation == _OLD or (self._is_old and response.content.lstrip()[:1] not in (b"{", b"[", b'"', b"<")):
            return response.content.decode("utf-8-sig", "replace")
        return parse_json(operation, response, writes=writes)

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"error": "..."}` of the old form, `{"message": "..."}` with a status of the new one."""
        status = response.status_code
        if status in (401, 403) or status >= 500 or not response.content.lstrip().startswith(b"{"):
            return None
        try:
            tree = response.json()
        except ValueError:
            return None
        said = text(tree, "error") or (text(tree, "message") if status >= 400 or tree.get("error") else "")
        if not said:
            return None
        if "token" in said.lower() or "api-key" in said.lower():
            return AuthError("the PBX does not accept token", operation, status)
        return PermanentError(f"the PBX refuses: {self.said(said)}", operation, status)


def fields_of(line: Tree) -> dict[str, str] | None:
    """A line of the history, JSON or CSV, under the names of the webhook; None without an id or a beginning."""
    try:
        began = datetime.fromisoformat(text(line, "start"))
    except ValueError:
        return None
    began = began.replace(tzinfo=UTC) if began.tzinfo is None else began
    kind, duration = text(line, "type").lower(), _DIGITS.sub("", text(line, "duration"))
    if not text(line, "uid"):
        return None
    fields = {
        "cmd": "history",
        "callid": text(line, "uid"),
        "type": "out" if kind == "out" else "in",
        "status": text(line, "status") or ("Success" if int(duration or 0) and kind != "missed" else "Missed"),
        "phone": text(line, "client"),
        "user": text(line, "user").partition("@")[0],
        "diversion": text(line, "diversion"),
        "start": began.astimezone(UTC).strftime(_FORM),
        "duration": duration,
        "link": text(line, "record"),
        "groupRealName": text(line, "group_name"),
    }
    return {name: value for name, value in fields.items() if value}
