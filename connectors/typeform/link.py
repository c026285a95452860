"""The API of Typeform: the responses of the last day, for those whose webhook never came."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from connectors.apilink import PAGES_MAX, ApiLink
from connectors.base import Rate
from connectors.doors import Inbound, Parsed
from connectors.errors import ConnectorError
from connectors.formfields import dict_of, dicts_of, moment, text_of
from connectors.links import LinkOpening
from connectors.typeform.parse import parse
from connectors.typeform.settings import TypeformSettings

AT_ONCE: Final = 200


class TypeformLink(ApiLink):
    """GET {api_url}/forms/{form_id}/responses, newest first, with `access_token` and `form_id`; 2 requests a second."""

    def __init__(self, opening: LinkOpening, settings: TypeformSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(2, 1.0), secrets=(token,))
        self._settings, self._token = settings, token

    @classmethod
    def open(cls, opening: LinkOpening) -> "TypeformLink | None":
        settings = opening.settings
        if not isinstance(settings, TypeformSettings) or settings.access_token is None or not settings.form_id:
            return None
        return cls(opening, settings, settings.access_token.get_secret_value())

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Whole responses submitted in the window, oldest first."""
        found: list[dict[str, Any]] = []
        window = {"since": _stamp(since), "until": _stamp(until), "page_size": str(AT_ONCE), "completed": "true"}
        for _ in range(PAGES_MAX):
            before = {"before": text_of(found[-1].get("token"))} if found else {}
            answer = await self._ask("typeform.responses", "/responses", {**window, **before})
            page = [one for one in dicts_of(answer.get("items")) if text_of(one.get("token"))]
            found += page
            if len(page) < AT_ONCE:
                break
        if not found:
            return
        try:
            definition = await self._ask("typeform.form", "", {})
        except ConnectorError:
            definition = {}  # only the titles of the questions are missing then
        for response in reversed(found):
            at = moment(response.get("submitted_at"))
            if at is not None and since <= at < until:
                yield self._parsed(response, definition, at)

    def _parsed(self, response: dict[str, Any], definition: dict[str, Any], at: datetime) -> Parsed:
        """As the webhook would have told it."""
        told = {**response, "form_id": self._settings.form_id, "definition": definition}
        event = {"event_type": "form_response", "form_response": told}
        asked = Inbound("POST", "", [], {}, json.dumps(event, ensure_ascii=False).encode(), "", at)
        return parse(self._settings, asked, self.region)

    async def _ask(self, operation: str, path: str, params: dict[str, str]) -> dict[str, Any]:
        answer = await self.http.call(
            operation,
            "GET",
            f"/forms/{self._settings.form_id}{path}",
            writes=False,
            params=params,
            headers={"Authorization": f"Bearer {self._token}"},
        )
        return dict_of(answer)


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
