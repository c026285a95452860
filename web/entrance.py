"""Who may come in: the session, the form token, other sites and hosts, and what is said to those who may not."""

import ipaddress
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from jobs.hub import Hub
from jobs.secret import secret_keys
from store import users
from store.users import ConsoleUser
from web.origin import comes_from_us, safe_next
from web.page_templates import link
from web.session import COOKIE, Sessions
from web.visit import LANGUAGE_COOKIE, Visit, pick_locale
from web.visitor import Visitor, is_loopback, visitor_of
from web.words import Words

log = logging.getLogger(__name__)

MAX_FIELDS = 520
Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Entrance:
    """Makes a Visit of a request before a handler sees it."""

    def __init__(self, hub: Hub) -> None:
        settings = hub.settings.hub
        self._hub = hub
        self.sessions = Sessions(secret_keys(hub.settings))
        self._on_loopback = is_loopback(settings.address[0])
        self._public_url = str(settings.public_url or "")
        self._trusted = [ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies]

    def shows(self, handler: Handler, *, public: bool = False) -> Endpoint:
        async def shown(request: Request) -> Response:
            visit = await self._enter(request)
            return self._refused(visit, public=public) or await handler(visit)

        return shown

    def changes(self, handler: Handler, *, public: bool = False) -> Endpoint:
        """For what changes something: it must come from a page of ours and bear this session's token.

        A sign-in page that was open too long (`public`) is shown anew instead of being refused.
        """

        async def changed(request: Request) -> Response:
            visit = await self._enter(request)
            if not comes_from_us(_headers(request), visit.visitor, self._public_url):
                log.warning("request of another site refused", extra={"event": "console.foreign"})
                return visit.page("message.html", 403, kind="403", command="")
            visit.form = await _form(request)
            if not visit.sessions.is_form_token(visit.session, visit.given("token")):
                if public:
                    following = safe_next(visit.given("next"))
                    return visit.to(link("/login", next="" if following == "/" else following), "login.expired")
                return self._refused(visit, public=public) or visit.page("message.html", 403, kind="403", command="")
            return self._refused(visit, public=public) or await handler(visit)

        return changed

    async def _enter(self, request: Request) -> Visit:
        """Raises StoreUnavailable."""
        hub, now = self._hub, self._hub.clock.now()
        visitor = self._visitor(request)
        session = self.sessions.open(request.cookies.get(COOKIE, ""), now)
        login = session.login if session else ""

        def read(conn: Connection) -> tuple[bool, ConsoleUser | None]:
            return users.any_user(conn), users.find_user(conn, login) if login else None

        any_user, user = await hub.db.read(read)
        fresh = False
        if session is None or (login and (user is None or user.session_epoch != session.epoch)):
            session, user, fresh = self.sessions.start(now), None, True
        elif (renewed := self.sessions.renewed(session, now)) is not None:
            session, fresh = renewed, True
        return Visit(
            request=request,
            visitor=visitor,
            sessions=self.sessions,
            words=self._words(request, user),
            session=session,
            user=user,
            open_to_all=self._on_loopback and not any_user,
            secure=visitor.https or self._public_url.startswith("https:"),
            fresh=fresh,
            has_syncs=bool(hub.settings.syncs),
        )

    def _visitor(self, request: Request) -> Visitor:
        peer = request.client.host if request.client else ""
        return visitor_of(peer, request.url.scheme, _headers(request), self._trusted)

    def _words(self, request: Request, user: ConsoleUser | None) -> Words:
        settings = self._hub.settings.hub
        asked = request.query_params.get("lang", "")
        locale = pick_locale(asked, request.cookies.get(LANGUAGE_COOKIE, ""), user, settings.locale)
        return Words(locale, settings.zone, self._hub.clock.now())

    def _refused(self, visit: Visit, *, public: bool) -> Response | None:
        """Why the visitor may not go on, or None."""
        if visit.inside:
            return None
        if visit.open_to_all:
            return visit.page("message.html", 403, kind="not_local", command="leadhub user add LOGIN")
        if public:
            return None
        if visit.request.method != "GET":
            return visit.to("/login")
        here = visit.request.url.path + (f"?{visit.request.url.query}" if visit.request.url.query else "")
        return visit.to(link("/login", next="" if here == "/" else here))

    def problem(self, request: Request, status: int) -> Response:
        """A page about what went wrong, made without the database."""
        now = self._hub.clock.now()
        visitor = self._visitor(request)
        visit = Visit(
            request=request,
            visitor=visitor,
            sessions=self.sessions,
            words=self._words(request, None),
            session=self.sessions.start(now),
            user=None,
            open_to_all=False,
            secure=visitor.https,
        )
        kind = str(status) if visit.words.has(f"error.title_{status}") else "400" if status < 500 else "500"
        return visit.page("message.html", status, kind=kind, command="")


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


async def _form(request: Request) -> dict[str, list[str]]:
    """The fields of a form of ours; another kind of body has none."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
