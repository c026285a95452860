"""The APIs of UIS, CoMagic and the second Novofon: the report of calls, calling, recordings. All of it JSON-RPC."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from connectors.apilink import PAGES_MAX, ApiLink, bare, given, local, needed, spans, within, zone_of
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import (
    AuthError,
    ConnectorError,
    NoAccessError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.http import unreadable
from connectors.links import LinkOpening
from connectors.trees import Tree, items, part, text
from connectors.uis.parse import USUAL_ZONE
from connectors.uis.report import FIELDS, call_of_line
from connectors.uis.settings import UisSettings

LONGEST: Final = timedelta(days=28)
LONGEST_CALL: Final = timedelta(hours=3)
PAGE: Final = 1_000
KNOWN_FOR_S: Final = 600.0
_WRONG_TOKEN, _WRONG_PARAMETERS, _INTERNAL = "-32001", "-32602", "-32603"  # codes of JSON-RPC
_TOO_FAST: Final = frozenset(("-32029", "-32026"))
_TALK: Final = re.compile(r"/system/media/talk/(\d+)/([\w-]+)/?$", re.ASCII)


class _Expired(AuthError):
    """The token that `login.user` gave is not good any more."""


class _UnknownField(PermanentError):
    """The report has no such column."""


class UisLink(ApiLink):
    """The vendor counts points a minute and tells so in its answers; 1 request a second stays below."""

    def __init__(self, opening: LinkOpening, settings: UisSettings) -> None:
        self._settings = settings
        self._password = settings.password.get_secret_value() if settings.password else ""
        self._token = settings.access_token.get_secret_value() if settings.access_token else ""
        self._may_log_in = not self._token and bool(settings.login and self._password)
        super().__init__(
            opening,
            settings.data_api_url,
            Rate(60, 60.0),
            secrets=(self._token, self._password),
            media=(settings.media_url,),
        )
        self._fields: tuple[str, ...] | None = FIELDS
        self._employees: dict[str, str] = {}
        self._known_until = float("-inf")

    @classmethod
    def open(cls, opening: LinkOpening) -> "UisLink | None":
        settings = opening.settings
        if not isinstance(settings, UisSettings) or not (settings.access_token or settings.login):
            return None
        return cls(opening, settings)

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window, with what is known of the visit that brought it."""
        zone = zone_of(self._settings.timezone, USUAL_ZONE)
        media = self._settings.media_url.rstrip("/")
        for start, end in spans(since, until, LONGEST):
            async for line in self._lines(local(start - LONGEST_CALL, zone), local(end, zone)):
                call = call_of_line(line, zone, self._settings, self.region, media)
                if call is not None and within(call.ended_at, start, end):
                    yield Parsed(calls=(call,))

    async def _lines(self, date_from: str, date_till: str) -> AsyncIterator[Tree]:
        for page in range(PAGES_MAX):
            wanted: dict[str, Any] = {"date_from": date_from, "date_till": date_till}
            lines = await self._page({**wanted, "limit": PAGE, "offset": page * PAGE})
            for line in lines:
                yield line
            if len(lines) < PAGE:
                return

    async def _page(self, wanted: dict[str, Any]) -> list[Tree]:
        """Accounts differ in the columns that they know: if one is refused, those that come by themselves will do."""
        url = self._settings.data_api_url
        if self._fields is not None:
            try:
                columns = {**wanted, "fields": list(self._fields)}
                return items(await self._ask("uis.history", url, "get.calls_report", columns), "data")
            except _UnknownField:
                self._fields = None
        return items(await self._ask("uis.history", url, "get.calls_report", wanted), "data")

    # --- calls and recordings ----------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the employee, then the client; `key` comes back as `external_id`. Returns the call's session."""
        line = needed(self._settings.virtual_phone_number, "virtual_phone_number", "uis.dial")
        employee = await self._employee(given(extension, "the employee's extension", "uis.dial"))
        wanted = {
            "first_call": "employee",
            "switch_at_once": True,
            "virtual_phone_number": bare(line),
            "contact": bare(phone),
            "employee": {"id": employee},
            "external_id": key,
        }
        url = self._settings.call_api_url
        result = await self._ask("uis.dial", url, "start.employee_call", wanted, writes=True)
        return text(part(result, "data"), "call_session_id")

    async def _employee(self, extension: str) -> int:
        """The vendor's id of who has this extension, name or id. Raises PermanentError if nobody has."""
        now = self.clock.monotonic()
        if now > self._known_until or extension.casefold() not in self._employees:
            try:
                wanted = {"fields": ["id", "full_name", "extension"], "limit": PAGE, "offset": 0}
                found = await self._ask("uis.employees", self._settings.data_api_url, "get.employees", wanted)
            except PermanentError:
                found = {}  # no right to the list: then the extension must be an id
            self._employees = {name: text(one, "id") for one in items(found, "data") for name in _names(one) if name}
            self._known_until = now + KNOWN_FOR_S
        employee = self._employees.get(extension.casefold(), "" if self._employees else extension)
        if not employee.isdecimal():
            raise PermanentError(f"UIS knows no employee with the extension {extension}", "uis.dial")
        return int(employee)

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """By the address of a recording; one of the cabinet, which wants its session, is tried at the media host."""
        match = _TALK.search(url)
        if match is None:
            return await self.download("uis.recording", url)
        try:
            open_url = f"{self._settings.media_url.rstrip('/')}/{match[1]}/{match[2]}"
            return await self.download("uis.recording", open_url)
        except PermanentError:
            return await self.download("uis.recording", url)

    # --- the wire --------------------------------------------------------------------------------------

    async def _ask(
        self, operation: str, url: str, method: str, params: dict[str, Any], *, writes: bool = False
    ) -> Tree:
        """The result. A token that ran out is renewed once: what it was refused for did not happen."""
        for again in (True, False):
            token = self._token or await self._log_in()
            body = {"jsonrpc": "2.0", "id": operation, "method": method, "params": {"access_token": token, **params}}
            try:
                return part(await self.http.call(operation, "POST", url, writes=writes, json=body), "result")
            except _Expired:
                self._token = ""
                if not again:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _log_in(self) -> str:
        if not self._may_log_in:
            missing = "access_token" if not self._settings.login else "password"
            raise NoAccessError(f"{missing} is not set", "uis.login")
        params = {"login": self._settings.login, "password": self._password}
        body = {"jsonrpc": "2.0", "id": "uis.login", "method": "login.user", "params": params}
        answer = await self.http.call("uis.login", "POST", self._settings.data_api_url, writes=False, json=body)
        data = part(answer, "result", "data")
        token = text(data, "access_token") or text(part(answer, "result"), "access_token")
        if not token:
            raise RetryableError("UIS gave no token", "uis.login")
        self.http.secrets.append(token)
        self._token = token
        return token

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        tree = _tree(response)
        if not isinstance(tree.get("result"), dict):
            raise unreadable(operation, response, writes=writes)
        return tree

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        error = part(_tree(response), "error")
        if not error:
            return None
        code, mnemonic = text(error, "code"), text(error, "data", "mnemonic")
        status = response.status_code
        if code in _TOO_FAST or "limit_exceeded" in mnemonic:
            return self.too_fast(operation, response)
        if code == _WRONG_TOKEN:
            kind = _Expired if self._may_log_in and operation != "uis.login" else AuthError
            return kind("UIS does not accept the token, login or password", operation, status)
        if code == _INTERNAL:
            failed = UnknownOutcomeError if writes else RetryableError
            return failed("UIS failed", operation, status)
        words = f"UIS refuses: {self.said(text(error, 'message') or mnemonic)} (code {code})"
        unknown = code == _WRONG_PARAMETERS and operation == "uis.history"
        return (_UnknownField if unknown else PermanentError)(words, operation, status)


def _names(employee: Tree) -> tuple[str, ...]:
    """By what an employee may be called: extension, id, full name; in lower case."""
    extension = text(part(employee, "extension"), "extension_phone_number") or text(employee, "extension")
    return tuple(name.casefold() for name in (text(employee, "full_name"), text(employee, "id"), extension))


def _tree(response: httpx.Response) -> dict[str, Any]:
    try:
        tree = response.json()
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) else {}
