"""*Sources*: each door with what came in by it, and what was refused there."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from jobs.hub import Hub
from jobs.secret import secret_keys
from jobs.sources.report import SourceLine, source_lines
from jobs.sources.rerun import Reruns
from jobs.sources.texts import proof_text, vendor_text
from jobs.sources.try_source import NoSample, Tried, try_source
from store.activity import KINDS
from store.inbox import Stuck, discard, stuck
from store.refused import refused_requests
from web.entrance import Entrance
from web.plain import plain_text
from web.visit import Visit
from web.words import Words

SHOWN = 20
"""Refused requests that are listed for one source."""
MAX_WHY_CHARS = 500


class SourcesPage:
    """Bound to the hub; one for each process."""

    def __init__(self, hub: Hub, entrance: Entrance) -> None:
        self._hub = hub
        self._entrance = entrance

    def routes(self) -> list[Route]:
        show, change = self._entrance.shows, self._entrance.changes
        return [
            Route("/sources", show(self._page)),
            Route("/sources/{name}/rerun", change(self._rerun), methods=["POST"]),
            Route("/sources/{name}/test", change(self._test), methods=["POST"]),
            Route("/sources/{name}/discard", change(self._discard), methods=["POST"]),
        ]

    async def _page(self, visit: Visit) -> Response:
        settings, now = self._hub.settings, visit.words.now

        def read(conn: Any) -> tuple[list[SourceLine], dict[str, Sequence[Any]], list[Stuck]]:
            lines = source_lines(conn, settings, now)
            named = [line.name for line in lines if line.kept or line.refused]
            return lines, {name: refused_requests(conn, source=name, limit=SHOWN) for name in named}, stuck(conn)

        lines, refused, waiting = await self._hub.db.read(read)
        return visit.page(
            "sources.html",
            lines=lines,
            refused=refused,
            stuck={line.name: [one for one in waiting if one.source == line.name] for line in lines},
            hints=lambda line: line.hints(visit.words.style, now),
            vendor=lambda line: vendor_text(visit.words.locale, line.vendor),
            proofs=lambda line: proof_text(
                visit.words.locale, tuple(one.kind for one in line.proofs), asks=not line.address
            ),
            counts=lambda line: _counts(line, visit.words),
        )

    async def _rerun(self, visit: Visit) -> Response:
        hub = self._hub
        source = hub.intake.source(_name(visit))
        if source is None:
            return visit.to("/sources", "done.no_source")
        found = await Reruns(hub.intake, hub.db, hub.sealer, hub.clock).run(source, actor=visit.actor)
        let_in = sum(one.outcome in ("accepted", "repeat", "nothing") for one in found)
        if not found:
            return visit.to("/sources", "done.nothing_to_rerun")
        return visit.to("/sources", "done.reran", n=let_in, of=len(found))

    async def _discard(self, visit: Visit) -> Response:
        """Accepted requests that cannot be worked on are let go, for a reason."""
        ids, clock = [plain_text(one)[:64] for one in visit.form.get("id", ())], self._hub.clock
        why = plain_text(visit.given("why"))[:MAX_WHY_CHARS]
        if not why:
            return visit.to("/sources", "done.why_missing")
        done = await self._hub.db.write(discard, ids, why=why, actor=visit.actor, clock=clock)
        return visit.to("/sources", "done.let_go", n=len(done.changed))

    async def _test(self, visit: Visit) -> Response:
        """Of the source whose page asks; the lead is kept apart, whatever the page is asked."""
        hub, name = self._hub, _name(visit)
        if hub.intake.source(name) is None:
            return visit.to("/sources", "done.no_source")
        try:
            tried = await try_source(hub.settings, name, secret_keys(hub.settings), hub.clock)
        except NoSample:
            return visit.to("/sources", "done.no_sample")
        return _told(visit, tried)


def _told(visit: Visit, tried: Tried) -> Response:
    first = tried.ways[0]
    if not first.problem:
        lead_id = next(iter(tried.lead_ids), "")
        return visit.to(f"/leads/{lead_id}" if lead_id else "/sources", "done.tested", source=tried.source)
    return visit.to("/sources", f"done.test_{first.problem}", url=first.url, detail=first.detail)


def _counts(line: SourceLine, words: Words) -> str:
    """`12 leads, 3 calls`; a dash for nothing."""
    return ", ".join(words(f"sources.{kind}", n=line.today[kind]) for kind in KINDS if line.today[kind]) or "–"


def _name(visit: Visit) -> str:
    return plain_text(visit.request.path_params["name"])[:200]
