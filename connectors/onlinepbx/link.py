"""The API of onlinePBX: the history of calls, calling, fresh addresses of recordings."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from connectors.apilink import ApiLink, as_form, bare, given, needed, spans, within
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError
from connectors.links import LinkOpening
from connectors.onlinepbx.parse import parse
from connectors.onlinepbx.settings import OnlinePbxSettings
from connectors.trees import Tree, items, part, text

LONGEST: Final = timedelta(days=1)  # the vendor allows a week; days keep its answers short
LONGEST_CALL: Final = timedelta(hours=3)
_AUTH: Final = "onlinepbx.auth"
_DIRECTIONS: Final = {"inbound": "inbound", "outbound": "outbound", "local": "internal", "missed": "inbound"}


class _Expired(AuthError):
    """The key that `auth.json` gave is not good any more."""


class OnlinePbxLink(ApiLink):
    """3 requests a second (a consumer's note). Addresses of recordings live for half an hour or so."""

    addresses_run_out = True

    def __init__(self, opening: LinkOpening, settings: OnlinePbxSettings, key: str) -> None:
        super().__init__(opening, settings.api_url, Rate(3, 1.0), secrets=(key,))
        self._settings, self._auth_key, self._session = settings, key, ""

    @classmethod
    def open(cls, opening: LinkOpening) -> "OnlinePbxLink | None":
        settings = opening.settings
        if not isinstance(settings, OnlinePbxSettings) or settings.auth_key is None:
            return None
        return cls(opening, settings, settings.auth_key.get_secret_value())

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window."""
        for start, end in spans(since, until, LONGEST):
            wanted = {
                "start_stamp_from": str(int((start - LONGEST_CALL).timestamp())),
                "start_stamp_to": str(int(end.timestamp())),
            }
            tree = await self._ask("onlinepbx.history", "mongo_history/search.json", wanted)
            lines = sorted(items(tree, "data"), key=lambda line: _stamp(line, "start_stamp"))
            for fields in filter(None, map(_fields, lines)):
                request = as_form(fields, self.clock.now())
                parsed = parse(self._settings, request, self.region)
                if all(within(call.ended_at, start, end) for call in parsed.calls):
                    yield parsed

    # --- calls and recordings ----------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the colleague, then the client. Returns the call's uuid where the vendor tells it."""
        ends = {"from": given(extension, "the employee's extension", "onlinepbx.dial"), "to": bare(phone)}
        tree = await self._ask("onlinepbx.dial", "call/now.json", ends, writes=True)
        return text(tree, "data", "uuid") or text(tree, "data", "call_id") or text(tree, "data")

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """By the call's uuid: addresses of recordings run out (a consumer: after half an hour)."""
        if not recording_id:
            return await self.download("onlinepbx.recording", url)
        wanted = {"uuid": recording_id, "download": "1"}
        tree = await self._ask("onlinepbx.recording", "mongo_history/search.json", wanted)
        data = tree.get("data")
        data = data[0] if isinstance(data, list) and data else data
        fresh = data if isinstance(data, str) else text(data, "url") if isinstance(data, dict) else ""
        if not fresh.startswith("http"):
            raise RetryableError("the recording is not there yet", "onlinepbx.recording")
        return await self.download("onlinepbx.recording", fresh)

    # --- the wire --------------------------------------------------------------------------------------

    async def _ask(self, operation: str, path: str, form: Mapping[str, str], *, writes: bool = False) -> Tree:
        """The answer. A key that ran out is renewed once: what it was refused for did not happen."""
        domain = needed(self._settings.domain, "domain", operation)
        for again in (True, False):
            session = self._session or await self._log_in(domain)
            headers = {"x-pbx-authentication": session}
            try:
                answer = await self.http.call(
                    operation, "POST", f"/{domain}/{path}", writes=writes, data=form, headers=headers
                )
                return answer if isinstance(answer, dict) else {}
            except _Expired:
                self._session = ""
                if not again:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _log_in(self, domain: str) -> str:
        for form in ({"auth_key": self._auth_key}, {"auth_key": self._auth_key, "new": "true"}):
            try:
                tree = await self.http.call(_AUTH, "POST", f"/{domain}/auth.json", writes=False, data=form)
            except AuthError:
                if "new" in form:
                    raise
                continue
            data = part(tree if isinstance(tree, dict) else {}, "data")
            key_id, key = text(data, "key_id"), text(data, "key")
            if key:
                self.http.secrets.append(key)
                self._session = f"{key_id}:{key}"
                return self._session
        raise RetryableError("onlinePBX gave no key", _AUTH)

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"status": "0", "comment": "not authenticated"}`, with HTTP 200."""
        status = response.status_code
        if status in (401, 403):
            return self._unauthenticated(operation, status)
        try:
            tree: Any = response.json() if status < 500 else None
        except ValueError:
            return None
        if not isinstance(tree, dict) or text(tree, "status") not in ("0", "error"):
            return None
        comment = text(tree, "comment") or text(tree, "errorCode")
        if "auth" in comment.lower() or tree.get("isNotAuth"):
            return self._unauthenticated(operation, status)
        return PermanentError(f"onlinePBX refuses: {self.said(comment)}", operation, status)

    def _unauthenticated(self, operation: str, status: int) -> AuthError:
        kind = AuthError if operation == _AUTH else _Expired
        return kind("onlinePBX does not accept auth_key", operation, status)


def _fields(line: Tree) -> dict[str, str] | None:
    """A line of the history under the names of the webhook; None for what is no call that is over."""
    began, whole = _stamp(line, "start_stamp"), _stamp(line, "duration")
    if not text(line, "uuid") or not began:
        return None
    ended = _stamp(line, "end_stamp") or began + whole
    told = {
        "event": "call_end",
        "uuid": text(line, "uuid"),
        "direction": _DIRECTIONS.get(text(line, "accountcode") or text(line, "direction"), ""),
        "caller": text(line, "caller_id_number"),
        "callee": text(line, "destination_number"),
        "gateway": text(line, "gateway"),
        "date": str(ended),
        "call_duration": str(whole or ended - began),
        "dialog_duration": str(_stamp(line, "user_talk_time")),
        "hangup_cause": text(line, "hangup_cause"),
    }
    return {name: value for name, value in told.items() if value}


def _stamp(line: Tree, name: str) -> int:
    written = text(line, name)
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= 11 else 0
