"""*Syncs*: how each stands, what it waits for, and what a person decides, with one button for each answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import Route

from jobs.hub import Hub
from jobs.sync.asking import ask_for_pass, decide_issue, sight_of
from jobs.sync.pages import record_page
from jobs.sync.resolving import MAY, CannotResolve, Choice
from jobs.sync.service import lease_of
from jobs.sync.status import WRITES, SyncStatus, issue_json, status
from store import sync_log
from web import story
from web.entrance import Entrance
from web.plain import plain_text
from web.reasons import in_words
from web.visit import Visit
from web.words import Words

SHOWN = 25
"""Issues of one kind that a page lists for one sync."""
SIDES = ("left", "right")
CHOICES: Mapping[str, Choice] = {
    "left": "left",
    "right": "right",
    "pair": "pair",
    "apart": "apart",
    "resume": "resume",
    "again": "again",
    "done": "done",
}
FIRST = ("conflict", "ambiguous", "loop")
"""Kinds that nothing but a person ends, before the rest."""


@dataclass(frozen=True, slots=True)
class RecordView:
    """`name`: as people call it, "" where nobody told. `taken`: it has a partner already."""

    id: str
    url: str
    name: str = ""
    taken: bool = False


@dataclass(frozen=True, slots=True)
class SideView:
    """One end of an issue. `value`, `by`: of a conflict; `at`: when that side was changed, None if nobody knows."""

    side: str
    crm: str
    records: tuple[RecordView, ...]
    value: str = ""
    by: str = ""
    at: datetime | None = None

    @property
    def free(self) -> tuple[RecordView, ...]:
        return tuple(one for one in self.records if not one.taken)


@dataclass(frozen=True, slots=True)
class IssueView:
    id: str
    kind: str
    field: str
    since: datetime
    why: str
    sides: tuple[SideView, SideView]
    may: tuple[str, ...]
    sight: str
    flips: int


@dataclass(frozen=True, slots=True)
class SyncView:
    """`kinds`: the kinds of open issues, each with all of them counted and the first of them listed."""

    status: SyncStatus
    title: str
    crms: Mapping[str, str]
    looked: str
    rate: str
    why: str
    would: tuple[str, ...]
    did: tuple[str, ...]
    kinds: tuple[tuple[str, int, tuple[IssueView, ...]], ...]

    @property
    def asks(self) -> int:
        """How many questions wait for a person."""
        return sum(count for _, count, _ in self.kinds)


class SyncsPage:
    """Bound to the hub; one for each process."""

    def __init__(self, hub: Hub, entrance: Entrance) -> None:
        self._hub = hub
        self._entrance = entrance

    def routes(self) -> list[Route]:
        show, change = self._entrance.shows, self._entrance.changes
        return [
            Route("/syncs", show(self._page)),
            Route("/syncs/{name}/run", change(self._run), methods=["POST"]),
            Route("/syncs/issues/{issue_id}", change(self._decide), methods=["POST"]),
        ]

    async def _page(self, visit: Visit) -> Response:
        configured, now = self._hub.settings.syncs, visit.words.now

        def read(conn: Connection) -> list[tuple[SyncStatus, dict[str, Sequence[Any]]]]:
            found = [status(conn, name, one, now, issues=0) for name, one in configured.items()]
            return [
                (one, {kind: sync_log.issues(conn, one.name, (kind,), SHOWN) for kind in _ordered(one.counted)})
                for one in found
            ]

        found = await self._hub.db.read(read)
        return visit.page("syncs.html", syncs=[self._view(one, rows, visit.words) for one, rows in found])

    async def _run(self, visit: Visit) -> Response:
        hub, name = self._hub, plain_text(visit.request.path_params["name"])[:200]
        if name not in hub.settings.syncs:
            return visit.to("/syncs", "done.no_sync")
        yes, actor = bool(visit.given("yes")), visit.actor
        await hub.db.write(ask_for_pass, hub.clock, name, actor, full=True, yes=yes)
        hub.wake([lease_of(name)])
        return visit.to("/syncs", "done.sync_allowed" if yes else "done.sync_asked", sync=name)

    async def _decide(self, visit: Visit) -> Response:
        hub, issue_id = self._hub, plain_text(visit.request.path_params["issue_id"])[:64]
        choice = CHOICES.get(visit.given("choice"))
        ids = [plain_text(visit.given(side))[:200] for side in SIDES] if choice == "pair" else []
        if choice is None:
            return visit.to("/syncs", "done.sync_over")
        chosen, actor, seen = choice, visit.actor, visit.given("seen")
        try:
            issue = await hub.db.write(decide_issue, hub.clock, issue_id, chosen, actor, ids, seen)
        except CannotResolve as error:
            return visit.to("/syncs", "done.sync_not", why=error.said(visit.words.locale))
        if issue is None:
            return visit.to("/syncs", "done.sync_over")
        hub.wake([lease_of(issue.sync)])
        return visit.to("/syncs", "done.sync_decided")

    # --- what is shown ------------------------------------------------------------------------------------------

    def _view(self, found: SyncStatus, rows: Mapping[str, Sequence[Any]], words: Words) -> SyncView:
        settings, last = found.settings, found.last_pass
        ends = {"left": settings.left, "right": settings.right}
        crms = {side: story.crm(name, self._hub, words) for side, name in ends.items()}
        arrow = {"both": "↔", "left_to_right": "→", "right_to_left": "←"}[settings.direction]
        return SyncView(
            found,
            title=f"{crms['left']} {arrow} {crms['right']}",
            crms=crms,
            looked=words.duration(found.lag_s) if found.lag_s is not None else "–",
            rate=_rate(last["per_second"] if last is not None else None, words),
            why=in_words(last["error"], words) if last is not None and found.state == "failed" else "",
            would=tuple(_counted(found.would, crms, words)),
            did=tuple(_counted(last["counts"], crms, words)) if last is not None else (),
            kinds=tuple(
                (kind, found.counted[kind], tuple(self._issue(row, found, crms, words) for row in some))
                for kind, some in rows.items()
            ),
        )

    def _issue(self, row: Any, found: SyncStatus, crms: Mapping[str, str], words: Words) -> IssueView:
        told = issue_json(row)
        ends = [self._side(side, told, found, crms, words) for side in SIDES]
        return IssueView(
            id=row.id,
            kind=row.kind,
            field=row.field,
            since=row.opened_at,
            why=in_words(str(told.get("why") or ""), words),
            sides=(ends[0], ends[1]),
            may=MAY.get(row.kind, ("done",)),
            sight=sight_of(row),
            flips=int(told.get("flips") or 0),
        )

    def _side(
        self, side: str, told: Mapping[str, Any], found: SyncStatus, crms: Mapping[str, str], words: Words
    ) -> SideView:
        settings = found.settings
        connection = self._hub.connections.get(settings.left if side == "left" else settings.right)
        ids, names = told[f"{side}_ids"], told[f"{side}_names"]
        urls = [record_page(connection.target, settings.object, id) if connection else "" for id in ids]
        at = told.get(f"{side}_at")
        return SideView(
            side,
            crms[side],
            tuple(
                RecordView(id, url, names.get(id, ""), f"{side}:{id}" in told.get("taken", ()))
                for id, url in zip(ids, urls, strict=True)
            ),
            value=_shown(told.get(side), words) if told["kind"] == "conflict" else "",
            by=str(told.get(f"{side}_by") or ""),
            at=datetime.fromisoformat(at) if at else None,
        )


def _ordered(counted: Mapping[str, int]) -> list[str]:
    return [*(kind for kind in FIRST if kind in counted), *sorted(set(counted) - set(FIRST))]


def _rate(per_second: float | None, words: Words) -> str:
    """Less than one a second is told by the minute."""
    if not per_second:
        return "–"
    if per_second >= 1:
        return words("syncs.per_second", n=round(per_second))
    return words("syncs.per_minute", n=max(1, round(60 * per_second)))


def _counted(counts: Mapping[str, int], crms: Mapping[str, str], words: Words) -> list[str]:
    """`made in HubSpot: 3`, one for each thing that was done to each side."""
    found = [
        f"{words(f'sync_op.{op}')} {words('syncs.in', crm=crms[side])}: {words.number(count)}"
        for op in WRITES
        for side in SIDES
        if (count := counts.get(f"{op}_{side}", 0))
    ]
    if removals := counts.get("remove", 0):
        found.append(f"{words('sync_op.remove')}: {words.number(removals)}")
    return found


def _shown(value: Any, words: Words) -> str:
    """A value as a person reads it; a dash for nothing."""
    if isinstance(value, list):
        return ", ".join(_shown(one, words) for one in value) or "–"
    if isinstance(value, bool):
        return words("syncs.yes") if value else words("syncs.no")
    return "–" if value in (None, "") else str(value)
