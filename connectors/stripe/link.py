"""The API of Stripe: the events of the last day, for those whose webhook never came."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from connectors.apilink import PAGES_MAX, ApiLink
from connectors.base import Rate
from connectors.doors import Inbound, Parsed
from connectors.formfields import dict_of, dicts_of, moment, text_of
from connectors.links import LinkOpening
from connectors.stripe.parse import STATUS, parse
from connectors.stripe.settings import StripeSettings

AT_ONCE: Final = 100


class StripeLink(ApiLink):
    """GET {api_url}/v1/events, newest first, kept for 30 days; with `secret_key` only (a restricted key that reads
    events is enough)."""

    def __init__(self, opening: LinkOpening, settings: StripeSettings, key: str) -> None:
        super().__init__(opening, settings.api_url, Rate(20, 1.0), secrets=(key,))
        self._settings, self._key = settings, key

    @classmethod
    def open(cls, opening: LinkOpening) -> "StripeLink | None":
        settings = opening.settings
        if not isinstance(settings, StripeSettings) or settings.secret_key is None:
            return None
        return cls(opening, settings, settings.secret_key.get_secret_value())

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Events of payments created in the window, oldest first."""
        found: list[dict[str, Any]] = []
        wanted: list[tuple[str, str]] = [
            ("created[gte]", str(int(since.timestamp()))),
            ("created[lt]", str(int(until.timestamp()))),
            ("limit", str(AT_ONCE)),
            *(("types[]", kind) for kind in STATUS),
        ]
        for _ in range(PAGES_MAX):
            after = [("starting_after", text_of(found[-1].get("id")))] if found else []
            answer = dict_of(
                await self.http.call(
                    "stripe.events",
                    "GET",
                    "/v1/events",
                    writes=False,
                    params=[*wanted, *after],
                    headers={"Authorization": f"Bearer {self._key}"},
                )
            )
            page = dicts_of(answer.get("data"))
            found += page
            if not page or answer.get("has_more") is not True:
                break
        for event in reversed(found):
            at = moment(event.get("created")) or self.clock.now()
            asked = Inbound("POST", "", [], {}, json.dumps(event).encode(), "", at)
            yield parse(self._settings, asked, self.region)
