"""The console: *Today*, the leads, the story of one lead; sign-in before all of them."""

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from urllib.parse import parse_qs

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from jobs import reports
from jobs.app import Hub
from jobs.secret import secret_keys
from store import operator, reading, users
from store.db import StoreUnavailable
from store.operator import Done
from store.reading import LeadFilter
from store.users import ConsoleUser
from web import story, today
from web.actions import Actions, OverAlready
from web.origin import comes_from_us, safe_next
from web.page_templates import FILES, Templates, link
from web.plain import plain_text
from web.search import clean_query, find_phone
from web.session import COOKIE, Sessions
from web.throttle import LoginThrottle
from web.visit import LANGUAGE_COOKIE, Visit, pick_locale
from web.visitor import Visitor, is_loopback, visitor_of
from web.words import Words

log = logging.getLogger(__name__)

PER_PAGE = 50
MAX_IDS = 500
MAX_WHY_CHARS = 500
MUTE_MINUTES = 60
CHECKS_AT_ONCE = 2
"""Argon2 takes 64 MB and most of a core each: a crowd at the door must not starve the leads."""
STATUSES = ("owed", "pending", "failed", "delivered", "discarded")
Handler = Callable[[Visit], Awaitable[Response]]


class Console:
    """Makes the routes; one for each process."""

    def __init__(self, hub: Hub) -> None:
        settings = hub.settings.hub
        self._hub = hub
        self._actions = Actions(hub)
        self._sessions = Sessions(secret_keys(hub.settings))
        self._templates = Templates()
        self._throttle = LoginThrottle()
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._on_loopback = is_loopback(settings.address[0])
        self._public_url = str(settings.public_url or "")
        self._trusted = [ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies]

    def routes(self) -> list[Route]:
        show, change = self._show, self._change
        return [
            Route("/", show(self._today)),
            Route("/leads", show(self._leads)),
            Route("/leads/{lead_id}", show(self._lead)),
            Route("/leads/{lead_id}/discard", change(self._discard_one), methods=["POST"]),
            Route("/retry", change(self._retry), methods=["POST"]),
            Route("/retry-failed", change(self._retry_failed), methods=["POST"]),
            Route("/discard", change(self._discard), methods=["POST"]),
            Route("/incidents/{incident_id}/ack", change(self._ack), methods=["POST"]),
            Route("/incidents/{incident_id}/mute", change(self._mute), methods=["POST"]),
            Route("/login", show(self._login_page, public=True), methods=["GET"]),
            Route("/login", change(self._login, public=True), methods=["POST"]),
            Route("/logout", change(self._logout), methods=["POST"]),
            Route("/static/{name}", self._static),
            Route("/favicon.ico", self._icon),
        ]

    # --- who is there ---------------------------------------------------------------------------------------

    def _show(self, handler: Handler, *, public: bool = False) -> Callable[[Request], Awaitable[Response]]:
        async def shown(request: Request) -> Response:
            visit = await self._enter(request)
            return self._refused(visit, public=public) or await handler(visit)

        return shown

    def _change(self, handler: Handler, *, public: bool = False) -> Callable[[Request], Awaitable[Response]]:
        """A request that changes something: from a page of ours, bearing this session's token."""

        async def changed(request: Request) -> Response:
            visit = await self._enter(request)
            if not comes_from_us(_headers(request), visit.visitor, self._public_url):
                log.warning("request of another site refused", extra={"event": "console.foreign"})
                return visit.page("message.html", 403, kind="403", command="")
            visit.form = await _form(request)
            if not visit.sessions.is_form_token(visit.session, visit.given("token")):
                if public:
                    return self._login_form(visit, 403, problem=visit.words("login.expired"))
                return self._refused(visit, public=public) or visit.page("message.html", 403, kind="403", command="")
            return self._refused(visit, public=public) or await handler(visit)

        return changed

    async def _enter(self, request: Request) -> Visit:
        """Raises StoreUnavailable."""
        hub, now = self._hub, self._hub.clock.now()
        visitor = self._visitor(request)
        session = self._sessions.open(request.cookies.get(COOKIE, ""), now)
        login = session.login if session else ""

        def read(conn: Connection) -> tuple[bool, ConsoleUser | None]:
            return users.any_user(conn), users.find_user(conn, login) if login else None

        any_user, user = await hub.db.read(read)
        fresh = False
        if session is None or (login and (user is None or user.session_epoch != session.epoch)):
            session, user, fresh = self._sessions.start(now), None, True
        elif (renewed := self._sessions.renewed(session, now)) is not None:
            session, fresh = renewed, True
        return Visit(
            request=request,
            visitor=visitor,
            sessions=self._sessions,
            templates=self._templates,
            words=self._words(request, user),
            session=session,
            user=user,
            open_to_all=self._on_loopback and not any_user,
            secure=visitor.https or self._public_url.startswith("https:"),
            fresh=fresh,
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
            sessions=self._sessions,
            templates=self._templates,
            words=self._words(request, None),
            session=self._sessions.start(now),
            user=None,
            open_to_all=False,
            secure=visitor.https,
        )
        kind = str(status) if visit.words.has(f"error.title_{status}") else "400" if status < 500 else "500"
        return visit.page("message.html", status, kind=kind, command="")

    # --- sign-in ------------------------------------------------------------------------------------------------

    async def _login_page(self, visit: Visit) -> Response:
        if visit.inside:
            return visit.to(safe_next(visit.query("next")))
        any_user = await self._hub.db.read(users.any_user)
        return self._login_form(visit, 200, following=safe_next(visit.query("next")), nobody=not any_user)

    def _login_form(
        self, visit: Visit, status: int, *, following: str = "", problem: str = "", nobody: bool = False
    ) -> Response:
        following = following or safe_next(visit.given("next"))
        return visit.page(
            "login.html", status, following=following, problem=problem, login=visit.given("login"), nobody=nobody
        )

    async def _login(self, visit: Visit) -> Response:
        hub, ip = self._hub, visit.visitor.ip
        login = plain_text(visit.given("login"))[:64].lower()
        wait_s = self._throttle.wait_s(ip, login, hub.clock.monotonic())
        if wait_s > 0:
            wait = visit.words.duration(max(1.0, wait_s))
            response = self._login_form(visit, 429, problem=visit.words("login.wait", wait=wait))
            response.headers["Retry-After"] = str(int(wait_s) + 1)
            return response
        # Counted before it is checked: many tries at once must not all pass the gate above.
        self._throttle.failed(ip, login, hub.clock.monotonic())
        stored = await hub.db.read(lambda conn: users.password_of(conn, login))
        async with self._checks:
            right = await asyncio.to_thread(users.password_matches, stored, visit.given("password"))
        user = await hub.db.read(lambda conn: users.find_user(conn, login)) if right else None
        if user is None:
            log.warning("sign-in refused", extra={"event": "console.sign_in_refused", "ip": ip})
            return self._login_form(visit, 401, problem=visit.words("login.wrong"))
        self._throttle.succeeded(ip, login)
        await self._note_sign_in(user)
        visit.session = self._sessions.start(hub.clock.now(), user.login, user.session_epoch)
        visit.fresh = True
        return visit.back()

    async def _note_sign_in(self, user: ConsoleUser) -> None:
        """Who came in stands beside what was done; a database that cannot be written locks nobody out."""
        clock = self._hub.clock
        try:
            await self._hub.db.write(
                lambda conn: operator.record_action(
                    conn, clock, actor=f"user:{user.login}", action="user.sign_in", subject=user.login
                )
            )
        except StoreUnavailable:
            log.warning("sign-in not kept", extra={"event": "console.sign_in_not_kept"})

    async def _logout(self, visit: Visit) -> Response:
        """Ends all sessions of the user: a cookie that somebody copied is worth nothing from now on."""
        if visit.user is not None:
            login = visit.user.login
            await self._hub.db.write(lambda conn: users.end_sessions(conn, login))
        visit.session, visit.user, visit.fresh = self._sessions.start(self._hub.clock.now()), None, True
        return visit.to("/login")

    # --- pages --------------------------------------------------------------------------------------------------

    async def _today(self, visit: Visit) -> Response:
        now_day = visit.words.now.astimezone(self._hub.settings.hub.zone).date()
        day = _day(visit.query("day")) or now_day
        found = await today.look(self._hub, day, visit.words)
        return visit.page(
            "today.html",
            today=found,
            now_day=now_day,
            before=day - timedelta(days=1),
            after=day + timedelta(days=1) if day < now_day else None,
            zone=self._hub.settings.hub.timezone,
            curl=self._curl(visit) if not found.status.accepted and found.is_today else "",
        )

    def _curl(self, visit: Visit) -> str:
        """How to send a first lead."""
        source = next((name for name, one in self._hub.settings.sources.items() if one.type == "webform"), "")
        base = self._public_url.rstrip("/") or f"{visit.request.url.scheme}://{visit.visitor.host}"
        return f"curl -d name=Ivan -d 'phone=+7 916 123-45-67' {base}/in/{source}" if source else ""

    async def _leads(self, visit: Visit) -> Response:
        hub, settings = self._hub, self._hub.settings
        text = clean_query(visit.query("q"))
        status = visit.query("status") if visit.query("status") in STATUSES else ""
        day = _day(visit.query("day"))
        source, connection, before = (clean_query(visit.query(name)) for name in ("source", "connection", "before"))
        since, until = reports.day_window(day, settings.hub.zone) if day else (None, None)
        wanted = LeadFilter(
            since=since,
            until=until,
            source=source,
            connection=connection,
            status=status,
            text=text,
            phone=find_phone(text, settings.hub.default_region),
        )
        found = await hub.db.read(partial(_find, wanted=wanted, before=before))
        leads = found[:PER_PAGE]
        asked = {"q": text, "status": status, "source": source, "connection": connection, "day": day or ""}
        return visit.page(
            "leads.html",
            leads=leads,
            asked=asked,
            filtered=any(asked.values()),
            before=before,
            older=link("/leads", **asked, before=leads[-1]["id"]) if len(found) > PER_PAGE else "",
            newest=link("/leads", **asked) if before else "",
            statuses=STATUSES,
            sources=list(settings.sources),
            connections=list(hub.connections),
            crm=lambda name: story.crm(name, hub, visit.words),
            record_url=lambda one: story.record_url(hub, one["connection"], "deal", one["record_id"]),
        )

    async def _lead(self, visit: Visit) -> Response:
        lead_id = plain_text(visit.request.path_params["lead_id"])[:64]
        found = await self._hub.db.read(lambda conn: reading.story(conn, lead_id))
        if found is None:
            return visit.page("message.html", 404, kind="404", command="")
        shown = story.view(found, self._hub, visit.words)
        return visit.page("lead.html", story=shown, actor=lambda name: story.actor(name, visit.words))

    # --- changes ------------------------------------------------------------------------------------------------

    async def _retry(self, visit: Visit) -> Response:
        done = await self._actions.retry(_ids(visit), actor=visit.actor)
        return _told(visit, done, "done.retried")

    async def _retry_failed(self, visit: Visit) -> Response:
        done = await self._actions.retry_all_failed(actor=visit.actor)
        if not done.changed and not done.refused:
            return visit.back("done.nothing_failed")
        return _told(visit, done, "done.retried")

    async def _discard_one(self, visit: Visit) -> Response:
        return await self._discard_these(visit, [plain_text(visit.request.path_params["lead_id"])[:64]])

    async def _discard(self, visit: Visit) -> Response:
        return await self._discard_these(visit, _ids(visit))

    async def _discard_these(self, visit: Visit, lead_ids: list[str]) -> Response:
        why = plain_text(visit.given("why"))[:MAX_WHY_CHARS]
        if not why:
            return visit.back("done.why_missing")
        done = await self._actions.discard(lead_ids, why=why, actor=visit.actor)
        return _told(visit, done, "done.discarded")

    async def _ack(self, visit: Visit) -> Response:
        who = visit.user.login if visit.user else visit.words("actor.local")
        return await self._incident(
            visit, lambda incident_id: self._actions.acknowledge(incident_id, who=who, actor=visit.actor), "done.acked"
        )

    async def _mute(self, visit: Visit) -> Response:
        return await self._incident(
            visit, lambda incident_id: self._actions.mute(incident_id, MUTE_MINUTES, actor=visit.actor), "done.muted"
        )

    async def _incident(self, visit: Visit, change: Callable[[str], Awaitable[object]], note: str) -> Response:
        try:
            changed = await change(plain_text(visit.request.path_params["incident_id"])[:64])
        except OverAlready:
            changed = None
        return visit.back(note if changed is not None else "done.over")

    # --- files --------------------------------------------------------------------------------------------------

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            return self.problem(request, 404)
        forever = request.query_params.get("v") == self._templates.version
        headers = {"Cache-Control": f"public, max-age={31_536_000 if forever else 60}"}
        return Response(self._templates.files[name], media_type=FILES[name], headers=headers)

    async def _icon(self, _request: Request) -> Response:
        return RedirectResponse("/static/favicon.svg", 308)


def _find(conn: Connection, wanted: LeadFilter, before: str) -> list[dict[str, object]]:
    return reports.list_leads(conn, wanted, limit=PER_PAGE + 1, before=before)


def _told(visit: Visit, done: Done, note: str) -> Response:
    """Back, saying how many were changed, or why none."""
    if done.changed:
        return visit.back(note, n=len(done.changed))
    why = next(iter(done.refused.values()), "no such lead")
    return visit.back("done.nothing", why=visit.words.known("refused", why))


def _ids(visit: Visit) -> list[str]:
    given = (plain_text(one)[:64] for one in visit.form.get("id", ()))
    return list(dict.fromkeys(one for one in given if one))[:MAX_IDS]


def _day(text: str) -> date | None:
    """None for what is no day of a time that people live in."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2999 else None


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


async def _form(request: Request) -> dict[str, list[str]]:
    """The fields of a form of ours; another kind of body has none."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qs(body, keep_blank_values=True, max_num_fields=MAX_IDS + 20)
    except ValueError:
        return {}
