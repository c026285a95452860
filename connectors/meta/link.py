"""The Graph API: reads the leads that events name, and those of the last day that no event named."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import httpx

from connectors.apilink import PAGES_MAX, ApiLink, within
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, NoAccessError, PermanentError, RateLimitedError, RetryableError
from connectors.events import Errand
from connectors.formfields import dict_of, dicts_of, moment, text_of
from connectors.links import LinkOpening
from connectors.meta.graph import FIELDS, lead_of_graph
from connectors.meta.settings import MetaSettings

_DEAD_TOKEN: Final = frozenset((102, 190, 463, 467))
_LIMITS: Final = frozenset((4, 17, 32, 341, 613))
_PASSING: Final = frozenset((1, 2))
_RIGHTS: Final = frozenset((3, 10, *range(200, 300)))
_SLOW_DOWN_S: Final = 300.0  # Meta counts by the hour and does not say how long to wait
_AT_ONCE: Final = 100


class MetaLink(ApiLink):
    """`page_token` reads; without it nothing can be asked."""

    back_off_s = _SLOW_DOWN_S

    def __init__(self, opening: LinkOpening, settings: MetaSettings) -> None:
        token = settings.page_token.get_secret_value() if settings.page_token else ""
        super().__init__(opening, settings.graph_url.rstrip("/") + "/", Rate(10, 1.0), secrets=(token,))
        self._name = opening.name
        self._settings = settings
        self._token = token
        self._seen: set[str] = set()
        """Forms that events named."""

    @classmethod
    def open(cls, opening: LinkOpening) -> "MetaLink | None":
        return cls(opening, opening.settings) if isinstance(opening.settings, MetaSettings) else None

    async def fetch(self, errand: Errand) -> Parsed:
        """The lead that an event named. PermanentError for one that is gone, or that the token may not see."""
        self._seen |= {errand.data["form_id"]} if errand.data.get("form_id") else set()
        answer = await self._ask("meta.lead", quote(errand.key, safe=""), fields=FIELDS)
        return Parsed((self._lead(answer, errand.data),))

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Leads of all forms made in the window, form by form."""
        for form in await self._forms():
            wanted = f'[{{"field":"time_created","operator":"GREATER_THAN","value":{int(since.timestamp()) - 1}}}]'
            async for answer in self._pages("meta.leads", f"{form}/leads", fields=f"id,{FIELDS}", filtering=wanted):
                if within(moment(answer.get("created_time")), since, until):
                    yield Parsed((self._lead(answer, {"form_id": form}),))

    async def _forms(self) -> list[str]:
        if self._settings.forms:
            return list(self._settings.forms)
        found = self._pages("meta.forms", "me/leadgen_forms", fields="id")
        try:
            return [form async for answer in found if (form := text_of(answer.get("id")))]
        except (AuthError, PermanentError):  # a token that is not the page's own
            if not self._seen:
                raise
            return sorted(self._seen)

    async def _pages(self, operation: str, path: str, **params: str) -> AsyncIterator[dict[str, Any]]:
        after = ""
        for _ in range(PAGES_MAX):
            more = {"after": after} if after else {}
            answer = await self._ask(operation, path, limit=str(_AT_ONCE), **params, **more)
            for one in dicts_of(answer.get("data")):
                yield one
            paging = dict_of(answer.get("paging"))
            after = text_of(dict_of(paging.get("cursors")).get("after"))
            if not after or "next" not in paging:
                return

    async def _ask(self, operation: str, path: str, **params: str) -> dict[str, Any]:
        if not self._token:
            raise NoAccessError.lacks("page_token", self._name)
        asked = {**params, "access_token": self._token}
        return dict_of(await self.http.call(operation, "GET", path, writes=False, params=asked))

    def _lead(self, answer: dict[str, Any], told: dict[str, str]) -> Any:
        return lead_of_graph(answer, self.region, self.clock.now(), self._settings.fields, told)

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"error": {"code", "error_subcode", "message"}}`, whose code says more than the HTTP status, mostly 400."""
        if response.status_code < 400:
            return None
        try:
            error = dict_of(dict_of(response.json()).get("error"))
        except ValueError:
            return None
        code, status = error.get("code"), response.status_code
        if not isinstance(code, int):
            return None
        text = self.said(f"code {code}: {text_of(error.get('message'))}")
        request_id = text_of(error.get("fbtrace_id"))
        if code in _DEAD_TOKEN:
            return AuthError(text, operation, 401, request_id)
        if code in _RIGHTS:
            return AuthError(text, operation, 403, request_id)
        if code in _LIMITS or 80000 <= code < 80100:
            return RateLimitedError(text, operation, status, request_id, _SLOW_DOWN_S)
        if code in _PASSING or error.get("is_transient") is True or status >= 500:
            return RetryableError(text, operation, status, request_id)
        return PermanentError(text, operation, status, request_id, gone=code == 100)
