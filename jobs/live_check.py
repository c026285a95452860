"""Does each CRM let us in, and know the users, pipelines, stages and fields that the configuration names?"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.base import Metadata, Opening, Target
from connectors.errors import NOT_SIGNED_IN, AuthError, ConnectorError
from connectors.registry import CONNECTORS
from connectors.tokens import TokenStore
from jobs.alerts.causes import cause_of
from jobs.config.check import preset_name
from jobs.config.errors import Problem, YamlPath, choices, quote
from jobs.config.loading import Settings
from jobs.delivery.resolve import Directory
from jobs.live_sources import check_sources
from jobs.mapping_check import check_mapping
from jobs.trouble import trouble
from jobs.yaml_positions import Document
from leads.assignment import CrmUserRef, resolve_user
from leads.clock import Clock
from mappings.load import load_mapping

PARTS = ("users", "pipelines", "fields")


@dataclass(frozen=True, slots=True)
class Checked:
    """What one connection answered. `summary` is one line for people."""

    connection: str
    type: str
    summary: str
    problems: tuple[Problem, ...] = ()


class NoTokens:
    """A token store with nothing in it: for connections without OAuth, and where there is no database."""

    async def load(self) -> dict[str, Any] | None:
        return None

    async def save(self, token: dict[str, Any]) -> None:
        """Kept nowhere: without a stored refresh token nothing is ever refreshed."""

    async def replace(self, token: dict[str, Any], used: dict[str, Any]) -> bool:
        return False

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        yield


async def check_connections(
    settings: Settings, clock: Clock, tokens: Callable[[str], TokenStore], transport: Any = None
) -> list[Checked]:
    """Opens each connection and reads only. `tokens(name)` keeps the OAuth tokens of a connection."""
    lives = [_Live(settings, name, clock) for name in settings.connections]
    checked = [await _check(settings, live, clock, tokens(live.name), transport) for live in lives]
    directories = {live.name: Directory(live.metadata) for live in lives}
    beside = list(check_sources(settings, directories, {live.name: live.where for live in lives}))
    return [
        replace(one, problems=(*one.problems, *(problem for name, problem in beside if name == one.connection)))
        for one in checked
    ]


async def _check(settings: Settings, live: "_Live", clock: Clock, tokens: TokenStore, transport: Any) -> Checked:
    configured = settings.connections[live.name]
    opening = Opening(live.name, configured.settings, clock, tokens, transport)
    target = CONNECTORS[configured.type].open(opening)
    try:
        return await live.asked(target)
    finally:
        await target.close()


class _Live:
    """The questions to one connection."""

    def __init__(self, settings: Settings, name: str, clock: Clock) -> None:
        self._settings = settings
        self.name = name
        self._type = settings.connections[name].type
        time = f"{clock.now().astimezone(settings.hub.zone):%H:%M}"
        self.where = f'in {CONNECTORS[self._type].title} "{name}" (checked live, {time})'
        self.metadata = Metadata()  # as far as it could be read

    async def asked(self, target: Target) -> Checked:
        try:
            await target.ping()
        except ConnectorError as error:
            oauth = getattr(self._settings.connections[self.name].settings, "oauth", None) is not None
            text, advice = trouble(error, "en", sign_in=f"leadhub auth {self.name}" if oauth else "")
            summary = "refused" if isinstance(error, AuthError) else "not reached"
            summary = {"not_signed_in": NOT_SIGNED_IN, "sealed": "no key for its token"}.get(cause_of(error), summary)
            return self._done(summary, [self._at_connection(text, advice)])
        with suppress(ConnectorError):
            self.metadata = await target.metadata()
        metadata = self.metadata
        summary = "the token works" if metadata.known else "it answers"
        unread = [part for part in PARTS if part not in metadata.known]
        if unread:
            summary += f"; could not be read and were not checked: {', '.join(unread)}"
        summary += await self._missing_fields(target)
        return self._done(summary, [*self._mappings(metadata), *self._users(metadata)])

    async def _missing_fields(self, target: Target) -> str:
        """Fields that leadhub would like to fill and that are not there; leads arrive without them too."""
        try:
            missing = await target.ensure_fields(CONNECTORS[self._type].needed_fields, create=False)
        except ConnectorError:
            return ""
        if not missing:
            return ""
        names = ", ".join(dict.fromkeys(field.name_en for field in missing))
        return f"; not there yet: {names} (leadhub setup {self.name} makes them)"

    def _mappings(self, metadata: Metadata) -> Iterator[Problem]:
        directory = Directory(metadata)
        folder = self._settings.base_dir / "mappings"
        shown = Path(self._settings.document.file).parent
        names = {route.mapping or preset_name(self._type) for route in self._routes()}
        for name in sorted(names):
            mapping = load_mapping(name, folder, locale=self._settings.hub.locale)
            for problem in check_mapping(mapping, directory, self.where, self.name):
                yield replace(problem, file=str(shown / problem.file))

    def _routes(self) -> Iterator[Any]:
        return (route for route in self._settings.routes if self.name in route.to)

    def _users(self, metadata: Metadata) -> Iterator[Problem]:
        """Each user named under `assign` of a route to here must exist and be active."""
        if "users" not in metadata.known:
            return
        users = [CrmUserRef(user.id, user.name, user.email, user.active) for user in metadata.users]
        for index, route in enumerate(self._settings.routes):
            if self.name not in route.to or route.assign is None:
                continue
            for ref in route.assign.refs():
                user = resolve_user(ref, users)
                place = _where(self._settings.document, ("routes", index, "assign"), ref)
                if user is None:
                    names = [user.name for user in users if user.active]
                    yield self._problem(place, f"no user {quote(ref)} {self.where}", choices(ref, names, "active"))
                elif not user.active:
                    yield self._problem(place, f"the user {quote(ref)} is not active {self.where}")

    def _problem(self, path: YamlPath, message: str, hint: str = "") -> Problem:
        return self._settings.document.problem(path, message, hint)

    def _at_connection(self, message: str, hint: str = "") -> Problem:
        return self._settings.document.problem(("connections", self.name), message, hint, key=True)

    def _done(self, summary: str, problems: list[Problem]) -> Checked:
        return Checked(self.name, self._type, summary, tuple(dict.fromkeys(problems)))


def _where(document: Document, inside: YamlPath, text: str) -> YamlPath:
    """The value below `inside` that is written so, else `inside` itself."""
    found = (
        path
        for path, scalar in document.scalars.items()
        if path[: len(inside)] == inside and scalar.text.strip() == text
    )
    return next(found, inside)
