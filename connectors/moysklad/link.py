"""The JSON API of MoySklad: reads what a webhook only linked to."""

from typing import Any, Final

import httpx

from connectors.apilink import ApiLink
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import ConnectorError, NoAccessError, RateLimitedError
from connectors.events import Errand
from connectors.formfields import dict_of
from connectors.links import LinkOpening
from connectors.moysklad.documents import EXPANDED, parsed_of
from connectors.moysklad.parse import is_theirs
from connectors.moysklad.settings import MoyskladSettings

_DELETED: Final = "DELETE"


class MoyskladLink(ApiLink):
    """45 units in 3 seconds, 5 requests at once (api-remap-1.2-doc, "Limits")."""

    def __init__(self, opening: LinkOpening, settings: MoyskladSettings) -> None:
        token = settings.access_token.get_secret_value() if settings.access_token else ""
        super().__init__(opening, settings.api_url, Rate(40, 3.0), secrets=(token,))
        self._name, self._settings, self._token = opening.name, settings, token

    @classmethod
    def open(cls, opening: LinkOpening) -> "MoyskladLink | None":
        return cls(opening, opening.settings) if isinstance(opening.settings, MoyskladSettings) else None

    async def fetch(self, errand: Errand) -> Parsed:
        """An order or a payment; other kinds of documents, and deleted ones, are no enquiry and are not asked for."""
        kind, action, href = (errand.data.get(name, "") for name in ("type", "action", "href"))
        if kind not in EXPANDED or action == _DELETED or not is_theirs(href, self._settings.api_url):
            return Parsed()
        if not self._token:
            raise NoAccessError.lacks("access_token", self._name)
        answer = await self.http.call(
            f"moysklad.{kind}",
            "GET",
            href,
            writes=False,
            params={"expand": self._expand(kind), "limit": "100"},
            headers={"Authorization": f"Bearer {self._token}", "Accept-Encoding": "gzip"},
        )
        return parsed_of(dict_of(answer), kind, action, self.region, self.clock.now())

    @staticmethod
    def _expand(kind: str) -> str:
        return EXPANDED[kind] + (",positions.assortment" if kind == "customerorder" else "")

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """The wait after a 429 is in milliseconds in a header of its own."""
        if response.status_code != 429:
            return None
        told: Any = response.headers.get("x-lognex-retry-after", "")
        wait_s = int(told) / 1000 if told.isascii() and told.isdigit() else 3.0
        return RateLimitedError("the vendor asks to slow down", operation, 429, retry_after_s=wait_s)
