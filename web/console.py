"""The console: its pages and what can be done on them."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from jobs import reports
from jobs.hub import Hub
from leads.ids import new_id
from store import reading, recordings
from store.operator import Done
from store.reading import LeadFilter
from web import story, today
from web.actions import Actions, OverAlready
from web.entrance import Entrance
from web.page_templates import FILES, files, link, version
from web.plain import plain_text
from web.recordings import NoRecording, media, recording
from web.search import clean_query, find_phone
from web.sign_in import SignIn
from web.sources import SourcesPage
from web.syncs import SyncsPage
from web.talks import Talks
from web.visit import Visit

PER_PAGE = 50
MAX_IDS = 500
MAX_WHY_CHARS = 500
MUTE_MINUTES = 60
STATUSES = ("owed", "pending", "failed", "delivered", "discarded")


class Console:
    """Makes the routes; one for each process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._actions = Actions(hub)
        self._entrance = Entrance(hub)
        self._sign_in = SignIn(hub, self._entrance.sessions)
        self._sources = SourcesPage(hub, self._entrance)
        self._talks = Talks(hub, self._entrance)
        self._syncs = SyncsPage(hub, self._entrance)
        self._public_url = str(hub.settings.hub.public_url or "")

    def routes(self) -> list[Route]:
        show, change = self._entrance.shows, self._entrance.changes
        return [
            Route("/", show(self._today)),
            Route("/leads", show(self._leads)),
            Route("/leads/{lead_id}", show(self._lead)),
            Route("/leads/{lead_id}/discard", change(self._discard_one), methods=["POST"]),
            Route("/recordings/{call_id}", show(self._recording)),
            Route("/media/{source}/{file_id}", show(self._media)),
            Route("/retry", change(self._retry), methods=["POST"]),
            Route("/retry-failed", change(self._retry_failed), methods=["POST"]),
            Route("/discard", change(self._discard), methods=["POST"]),
            Route("/incidents/{incident_id}/ack", change(self._ack), methods=["POST"]),
            Route("/incidents/{incident_id}/mute", change(self._mute), methods=["POST"]),
            Route("/login", show(self._sign_in.page, public=True), methods=["GET"]),
            Route("/login", change(self._sign_in.enter, public=True), methods=["POST"]),
            Route("/logout", change(self._sign_in.leave), methods=["POST"]),
            *self._sources.routes(),
            *self._talks.routes(),
            *self._syncs.routes(),
            Route("/static/{name}", self._static),
            Route("/favicon.ico", self._icon),
        ]

    def problem(self, request: Request, status: int) -> Response:
        """A page about what went wrong, made without the database."""
        return self._entrance.problem(request, status)

    async def _recording(self, visit: Visit) -> Response:
        try:
            return await recording(self._hub, visit.request.path_params["call_id"])
        except NoRecording as error:
            return self._entrance.problem(visit.request, error.status)

    async def _media(self, visit: Visit) -> Response:
        asked = visit.request.path_params
        try:
            return await media(self._hub, asked["source"], asked["file_id"])
        except NoRecording as error:
            return self._entrance.problem(visit.request, error.status)

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
        found = await hub.db.read(_find, wanted=wanted, before=before)
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
        found = await self._hub.db.read(reading.story, lead_id)
        recorded = await self._hub.db.read(recordings.of_lead, lead_id)
        if found is None:
            return visit.page("message.html", 404, kind="404", command="")
        shown = story.view(found, self._hub, visit.words, recorded)
        talks = await self._talks.of(found, visit.words)
        return visit.page(
            "lead.html",
            story=shown,
            actor=lambda name: story.actor(name, visit.words),
            talks=talks,
            keys=[new_id(self._hub.clock) for _ in talks],
        )

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
            return self._entrance.problem(request, 404)
        forever = request.query_params.get("v") == version()
        headers = {"Cache-Control": f"public, max-age={31_536_000 if forever else 60}"}
        return Response(files()[name], media_type=FILES[name], headers=headers)

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
