"""The API of Telphin: the history of calls, calling from an extension, recordings. OAuth by the application's keys."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx

from connectors.apilink import PAGES_MAX, ApiLink, as_form, bare, given, local, spans, within
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError
from connectors.links import LinkOpening
from connectors.pbx import NEVER
from connectors.telphin.parse import parse
from connectors.telphin.settings import TelphinSettings
from connectors.trees import Tree, items, moment, text

LONGEST: Final = timedelta(days=1)
LONGEST_CALL: Final = timedelta(hours=3)
PAGE: Final = 100
KNOWN_FOR_S: Final = 600.0
EARLY_S: Final = 60.0  # a token is renewed so long before it runs out
_TOKEN: Final = "telphin.token"  # noqa: S105  # the name of an operation
_BASE: Final = "/api/ver1.0"


class _Expired(AuthError):
    """The token is not good any more."""


class TelphinLink(ApiLink):
    """The vendor publishes no rate and answers 429; consumers wait 0.3 s between requests."""

    def __init__(self, opening: LinkOpening, settings: TelphinSettings, secret: str) -> None:
        super().__init__(opening, settings.api_url, Rate(3, 1.0), secrets=(secret,), max_in_flight=2)
        self._settings, self._secret = settings, secret
        self._token, self._good_until = "", 0.0
        self._extensions: dict[str, str] = {}
        self._known_until = float("-inf")

    @classmethod
    def open(cls, opening: LinkOpening) -> "TelphinLink | None":
        settings = opening.settings
        if not isinstance(settings, TelphinSettings) or not settings.client_id or settings.client_secret is None:
            return None
        return cls(opening, settings, settings.client_secret.get_secret_value())

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window. All times of the API are of Greenwich."""
        for start, end in spans(since, until, LONGEST):
            async for line in self._lines(local(start - LONGEST_CALL, UTC), local(end, UTC)):
                if (fields := fields_of(line)) is None:
                    continue
                request = as_form(fields, self.clock.now())
                parsed = parse(self._settings, request, self.region)
                if all(within(call.ended_at, start, end) for call in parsed.calls):
                    yield parsed

    async def _lines(self, start: str, end: str) -> AsyncIterator[Tree]:
        seen: set[str] = set()
        for page in range(1, PAGES_MAX + 1):
            wanted = {
                "start_datetime": start,
                "end_datetime": end,
                "order": "asc",
                "page": str(page),
                "per_page": str(PAGE),
            }
            tree = await self._ask("telphin.history", "GET", "/client/@me/call_history/", params=wanted)
            found = tree if isinstance(tree, list) else (tree or {}).get("call_history") or (tree or {}).get("calls")
            lines = [one for one in items({"calls": found}, "calls") if text(one, "call_uuid") not in seen]
            for line in lines:
                seen.add(text(line, "call_uuid"))
                yield line
            if len(lines) < PAGE:
                return

    # --- calls and recordings ----------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the extension, then the client. Returns the id that comes back as CallAPIID."""
        short = given(extension, "the employee's extension", "telphin.dial")
        call = {"src_num": [short], "dst_num": bare(phone)}
        path = f"/extension/{await self._extension_id(short)}/callback/"
        tree = await self._ask("telphin.dial", "POST", path, writes=True, json=call)
        tree = tree if isinstance(tree, dict) else {}
        return text(tree, "call_api_id") or text(tree, "call_id") or text(tree, "id")

    async def _extension_id(self, short: str) -> str:
        now = self.clock.monotonic()
        if now > self._known_until or short not in self._extensions:
            wanted = {"type": "phone", "page": "1", "per_page": "1000"}
            tree = await self._ask("telphin.extensions", "GET", "/client/@me/extension/", params=wanted)
            found = items({"all": tree}, "all") if isinstance(tree, list) else []
            self._extensions = {text(one, "name").rpartition("*")[2]: text(one, "id") for one in found}
            self._known_until = now + KNOWN_FOR_S
        if not self._extensions.get(short):
            raise PermanentError(f"Telphin knows no extension {short}", "telphin.dial")
        return self._extensions[short]

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """By its id, which begins with that of the extension; else by the address of the storage."""
        name = quote(given(recording_id, "the recording's id", "telphin.recording"), safe="")
        owner = recording_id.partition("-")[0]
        if owner.isdecimal():
            try:
                headers = {"Authorization": f"Bearer {await self._access_token()}"}
                path = f"{_BASE}/extension/{owner}/record/{name}"
                return await self.download("telphin.recording", path, headers=headers)
            except (PermanentError, AuthError):
                self._token = ""
        tree = await self._ask("telphin.recording", "GET", f"/client/@me/record/{name}/storage_url/")
        stored = text(tree, "record_url") if isinstance(tree, dict) else ""
        if not stored:
            raise RetryableError("the recording is not there yet", "telphin.recording")
        return await self.download("telphin.recording", stored)

    # --- the wire --------------------------------------------------------------------------------------

    async def _ask(self, operation: str, method: str, path: str, *, writes: bool = False, **more: Any) -> Any:
        """The answer. A token that is refused is renewed once: what it was refused for did not happen."""
        for again in (True, False):
            headers = {"Authorization": f"Bearer {await self._access_token()}"}
            try:
                return await self.http.call(operation, method, f"{_BASE}{path}", writes=writes, headers=headers, **more)
            except _Expired:
                self._token = ""
                if not again:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _access_token(self) -> str:
        if self._token and self.clock.monotonic() < self._good_until:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._secret,
        }
        tree = await self.http.call(_TOKEN, "POST", "/oauth/token", writes=False, data=form)
        token = text(tree, "access_token") if isinstance(tree, dict) else ""
        if not token:
            raise RetryableError("Telphin gave no token", _TOKEN)
        lasts = text(tree, "expires_in")
        self._good_until = (
            self.clock.monotonic() + max(float(lasts) if lasts.isdecimal() else 3600.0, EARLY_S) - EARLY_S
        )
        self.http.secrets.append(token)
        self._token = token
        return token

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        status = response.status_code
        if status == 401 or (operation == _TOKEN and status in (400, 403)):
            kind = AuthError if operation == _TOKEN else _Expired
            return kind("Telphin does not accept client_id or client_secret", operation, status)
        if not 400 <= status < 500 or status in (403, 429):
            return None
        try:
            tree = response.json()
        except ValueError:
            return None
        said = text(tree, "message") or text(tree, "error") if isinstance(tree, dict) else ""
        gone = status == 404
        return PermanentError(f"Telphin refuses: {self.said(said)}", operation, status, gone=gone) if said else None


def fields_of(line: Tree) -> dict[str, str] | None:
    """A call of the history as the hangup that ended it; None while it goes on, and without an id."""
    ended = moment(line.get("hangup_time_gmt"), NEVER)
    call_id = text(line, "call_uuid").lower()  # events bear it in lower case, the history in upper
    if ended == NEVER or not call_id:
        return None
    outgoing = text(line, "flow").lower() == "out"
    legs = items(line, "cdr")
    bridged = line.get("bridged") in (True, "true", 1) or text(line, "result") == "bridged"
    talked = next((leg for leg in legs if text(leg, "result") in ("answered", "bridged")), legs[0] if legs else {})
    extension = text(line, "bridged_username") or text(talked, "extension_name") or text(line, "extension_name")
    side = "Caller" if outgoing else "Called"
    fields = {
        "EventType": "hangup",
        "EventTime": str(int(ended.timestamp()) * 1_000_000),
        "CallID": call_id,
        "CallFlow": "OUT" if outgoing else "IN",
        "CallerIDNum": text(line, "from_username"),
        "CalledNumber": text(line, "to_username"),
        "CalledDID": text(line, "did_number"),
        "RecID": next((name for leg in (line, *legs) if (name := text(leg, "record_uuid"))), ""),
        f"{side}ExtensionID": text(talked, "extension_id") or text(line, "extension_id"),
    }
    if bridged:
        fields |= {"CallStatus": "ANSWER", "Duration": text(line, "bridged_duration")}
        fields[f"{side}Extension"] = (text(line, "from_username") if outgoing else "") or extension
    elif outgoing:
        fields |= {"CallStatus": text(line, "result"), "CallerExtension": text(line, "from_username")}
    else:
        fields["Bridged"] = "no"
    return {name: value for name, value in fields.items() if value}
