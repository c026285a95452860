"""The statistics API of Callibri: calls, requests, chats and letters that its webhook lost."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.apilink import ApiLink, as_json, expected, needed, spans, zone_of
from connectors.base import Rate
from connectors.callibri.parse import parse
from connectors.callibri.settings import CallibriSettings
from connectors.doors import Parsed
from connectors.links import LinkOpening
from connectors.pbx import NEVER
from connectors.trees import Tree, items, moment, text

LONGEST: Final = timedelta(days=4)  # with half a day at both ends at most seven days, as the vendor wants
HALF_DAY: Final = timedelta(hours=14)
USUAL_ZONE: Final = "Europe/Moscow"
"""Of a date without a zone, where `timezone` is not set; as a rule dates have one."""
_KINDS: Final = {"calls": "call", "feedbacks": "feedback", "chats": "chat", "emails": "email"}


class CallibriLink(ApiLink):
    """The vendor answers 429 to who is fast, without saying how fast; a request every two seconds is not."""

    def __init__(self, opening: LinkOpening, settings: CallibriSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(1, 2.0), secrets=(token,), max_in_flight=1)
        self._settings = settings
        self._keys = {"user_email": settings.user_email, "user_token": token}

    @classmethod
    def open(cls, opening: LinkOpening) -> "CallibriLink | None":
        settings = opening.settings
        if not isinstance(settings, CallibriSettings) or settings.user_token is None:
            return None
        return cls(opening, settings, settings.user_token.get_secret_value())

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Whatever began in the window, of the site that is set, else of all."""
        needed(self._settings.user_email, "user_email", "callibri.history")
        for site in await self._sites():
            for start, end in spans(since, until, LONGEST):
                found = [line async for line in self._lines(site, start, end)]
                for _, line in sorted(found, key=lambda one: one[0]):
                    yield parse(self._settings, as_json(line, self.clock.now()), self.region)

    async def _sites(self) -> list[str]:
        if self._settings.site_id:
            return [self._settings.site_id]
        tree = await self._ask("get_sites", {})
        return [
            site
            for one in items(expected(tree, "sites", "callibri.sites"), "sites")
            if (site := text(one, "site_id") or text(one, "id"))
        ]

    async def _lines(self, site: str, since: datetime, until: datetime) -> AsyncIterator[tuple[datetime, Any]]:
        """(when it began, the line as the webhook would have sent it). Days are counted in a zone that is not told."""
        days = {
            "date1": f"{since.astimezone(UTC) - HALF_DAY:%d.%m.%Y}",
            "date2": f"{min(until + HALF_DAY, self.clock.now() + HALF_DAY).astimezone(UTC):%d.%m.%Y}",
        }
        tree = await self._ask("site_get_statistics", {"site_id": site, **days})
        statistics = expected(tree, "channels_statistics", "callibri.statistics")
        for channel in items(statistics, "channels_statistics"):
            numbers = channel.get("numbers")
            only = str(numbers[0]) if isinstance(numbers, list) and len(numbers) == 1 else ""
            for key, kind in _KINDS.items():
                for line in items(channel, key):
                    at = moment(line.get("date"), NEVER, zone_of(self._settings.timezone, USUAL_ZONE))
                    if since <= at < until:
                        told = {**_filled(line), "date": at.isoformat()}
                        yield at, {"type": kind, **({"called_number": only} if only else {}), **told}

    async def _ask(self, what: str, params: dict[str, str]) -> Tree:
        wanted = {**self._keys, **params}
        tree = await self.http.call(f"callibri.{what}", "GET", f"/{what}", writes=False, params=wanted)
        return tree if isinstance(tree, dict) else {}


def _filled(line: Tree) -> dict[str, Any]:
    return {name: value for name, value in line.items() if value not in (None, "")}
