"""What *Today* shows: the number that did not arrive, and for each reason who waits, why and what to do."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from html import unescape
from typing import Any, Literal

from sqlalchemy import Connection

from jobs import reports
from jobs.alert_texts import crm_name, render
from jobs.app import Hub
from jobs.spooled import spooled_leads
from leads.incidents import Incident
from store import reading
from store.incidents import open_incidents
from web.reasons import PENDING, Why, in_words, kind_of, next_try, why
from web.words import Words, markup

SHOWN = 50
"""Leads of one group that are listed; the rest are counted and linked."""
Tone = Literal["good", "calm", "warn", "bad"]
_SHOWN_ABOVE = ("connection_down", "token_refused", "lead_late", "lead_failed", "spam_held", "source_unrouted")
"""Kinds of incidents of which the groups tell everything: their headline is enough."""
_ORDER = {"failed": 0, "unrouted": 1, "pending": 2, "held": 3, "later": 4}


@dataclass(frozen=True, slots=True)
class Row:
    """One lead that one CRM does not have yet."""

    lead_id: str
    name: str
    contact: str
    origin: str
    since: datetime
    state: str
    why: Why
    next_try: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Group:
    """Leads that do not arrive for one reason. `kind`: failed, pending, later, held, unrouted."""

    kind: str
    title: str
    why: Why
    rows: Sequence[Row]
    count: int
    oldest: datetime
    next_try: str = ""
    todo: str = ""
    command: str = ""
    connection: str = ""
    quiet: bool = False
    """Nothing is wrong: they were taken in a moment ago."""

    @property
    def ids(self) -> list[str]:
        return [row.lead_id for row in self.rows]


@dataclass(frozen=True, slots=True)
class ConnectionLine:
    name: str
    title: str
    state: str
    since: datetime | None
    delivered: int
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """An open incident: its headline and further lines, as HTML of ours."""

    id: str
    level: str
    head: Any
    lines: Sequence[Any]
    acked_by: str
    muted_until: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Today:
    day: date
    is_today: bool
    number: int
    tone: Tone
    parts: Sequence[str]
    status: reports.DayStatus
    groups: Sequence[Group]
    connections: Sequence[ConnectionLine]
    alarms: Sequence[Alarm]
    failed_any: int


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is read in one go."""

    status: reports.DayStatus
    owed: Sequence[Any]
    leads: Mapping[str, Any]
    unrouted: Sequence[Any]
    incidents: Sequence[Incident]
    open_counts: Mapping[str, int]
    owners: Mapping[str, bool]


async def look(hub: Hub, day: date, words: Words) -> Today:
    """Raises StoreUnavailable."""
    zone, now = hub.settings.hub.zone, words.now
    names = list(hub.connections)
    spooled = await asyncio.to_thread(spooled_leads, hub.settings.hub.spool_dir)

    def read(conn: Connection) -> _Facts:
        status = reports.day_status(conn, day, zone, names, now, spooled)
        owed = reading.owed(conn)
        return _Facts(
            status=status,
            owed=owed,
            leads=reading.leads_by_id(conn, (row.lead_id for row in owed)),
            unrouted=reading.unrouted(conn),
            incidents=open_incidents(conn),
            open_counts=reading.count_not_arrived(conn),
            owners=reports.owners(conn, now),
        )

    return _Assembly(hub, await hub.db.read(read), words).today(day)


@dataclass(slots=True)
class _Assembly:
    hub: Hub
    facts: _Facts
    words: Words
    _down: dict[str, Incident] = field(default_factory=dict)

    def today(self, day: date) -> Today:
        words, facts = self.words, self.facts
        zone = self.hub.settings.hub.zone
        is_today = day == words.now.astimezone(zone).date()
        for incident in facts.incidents:
            if incident.kind in ("connection_down", "token_refused"):
                self._down[incident.connection] = incident
        groups = self._groups()
        number = sum(facts.open_counts.values()) + facts.status.spooled
        if not is_today:
            since, until = reports.day_window(day, zone)
            groups = [cut for group in groups if (cut := _within(group, since, until)).count]
            number = facts.status.not_arrived
        return Today(
            day=day,
            is_today=is_today,
            number=number,
            tone=self._tone(number, groups),
            parts=self._parts(groups, number, earlier=is_today),
            status=facts.status,
            groups=groups,
            connections=self._connections(),
            alarms=[self._alarm(one) for one in facts.incidents],
            failed_any=facts.open_counts.get("failed", 0) - len(facts.unrouted),
        )

    # --- groups -------------------------------------------------------------------------------------------

    def _groups(self) -> list[Group]:
        by_key: dict[tuple[str, str, str], list[Any]] = {}
        for row in self.facts.owed:
            kind = kind_of(row)
            reason = why(row, self.words).text if kind == "failed" else ""
            connection = "" if kind == "held" else row.connection
            by_key.setdefault((kind, connection, reason), []).append(row)
        groups = [self._group(kind, connection, rows) for (kind, connection, _), rows in by_key.items()]
        if self.facts.unrouted:
            groups.append(self._unrouted())
        return sorted(groups, key=lambda group: (group.quiet, _ORDER[group.kind], group.oldest))

    def _group(self, kind: str, connection: str, rows: list[Any]) -> Group:
        words = self.words
        shown = [self._row(row) for row in rows]
        if kind == "held":  # one lead may be held for several CRMs: it is decided once
            shown = list({row.lead_id: row for row in shown}.values())
        group = Group(
            kind=kind,
            title=words(f"group.{kind}", crm=self.crm(connection)),
            why=Why(""),
            rows=shown[:SHOWN],
            count=max(len(shown), self._counted(kind, connection, rows)),
            oldest=min(row.created_at for row in rows),
            connection=connection,
        )
        match kind:
            case "pending":
                return self._pending(group, rows)
            case "failed":
                return replace(group, why=why(rows[0], words), todo=words("group.todo_failed"))
            case "held":
                return replace(group, why=Why(words("group.why_held")))
            case _:
                due = min(row.due_at for row in rows)
                return replace(group, why=why(rows[0], words), next_try=next_try(due, words))

    def _counted(self, kind: str, connection: str, rows: list[Any]) -> int:
        """More than were read wait when there are very many; exact for what waits, at least what is shown else."""
        if kind != "pending" or len(self.facts.owed) < 500:
            return len(rows)
        return sum(
            one.count
            for one in self.facts.status.groups
            if one.connection == connection and one.state in PENDING and one.error_kind != "hold"
        )

    def _pending(self, group: Group, rows: list[Any]) -> Group:
        """The connection's own trouble if it has one, else what most of its leads met."""
        words, connection = self.words, group.connection
        down = self._down.get(connection)
        causes = Counter(text for row in rows if (text := why(row, words).text))
        reason = (
            why(next(row for row in rows if why(row, words).text == causes.most_common(1)[0][0]), words)
            if causes
            else Why("")
        )
        if down is not None:
            reason = Why(in_words(down.cause, words), down.cause if not reason.detail else reason.detail)
        todo, command = words("group.todo_pending"), ""
        if down is not None and down.kind == "token_refused":
            oauth = down.data.get("oauth")
            todo = words("group.todo_token")
            command = f"leadhub auth {connection}" if oauth else "leadhub check --live"
        if not self.facts.owners.get(connection, False):
            todo = words("group.no_worker")
        fresh = words.now - group.oldest < self.hub.settings.hub.late_after
        quiet = down is None and not causes and fresh
        return replace(
            group,
            title=words("group.sending" if quiet else "group.pending", crm=self.crm(connection)),
            why=reason,
            next_try=next_try(self._next_try(connection, rows), words),
            todo="" if quiet else todo,
            command=command,
            quiet=quiet,
        )

    def _next_try(self, connection: str, rows: list[Any]) -> datetime:
        """While a connection is down only its probe is sent, whatever is due."""
        owner = self.hub.connections[connection].owner if connection in self.hub.connections else None
        if owner is not None and owner.owning and owner.breaker.open:
            return self.words.now + timedelta(seconds=owner.breaker.probe_at - self.hub.clock.monotonic())
        due: list[datetime] = [row.due_at for row in rows if row.state == "ready"]
        return min(due, default=self.words.now)

    def _unrouted(self) -> Group:
        words, leads = self.words, self.facts.unrouted
        rows = [self._lead_row(lead, "unrouted", Why(""), "", 0, lead.received_at) for lead in leads[:SHOWN]]
        return Group(
            kind="unrouted",
            title=words("group.unrouted"),
            why=Why(words("group.why_unrouted")),
            rows=rows,
            count=len(leads),
            oldest=leads[0].received_at,
            todo=words("group.todo_unrouted"),
        )

    def _row(self, row: Any) -> Row:
        words = self.words
        reason, following = why(row, words), ""
        if row.state == "claimed":
            following = words("row.sending")
        elif row.state == "waiting":
            following = words("row.behind")
        elif row.state == "ready":
            following = next_try(row.due_at, words) if row.last_error else words("row.first")
            if row.connection in self._down:  # only the probe is sent; the group says when
                following = ""
        lead = self.facts.leads.get(row.lead_id)
        return self._lead_row(lead, row.state, reason, following, row.attempts, row.created_at, row.lead_id)

    def _lead_row(
        self, lead: Any, state: str, reason: Why, following: str, attempts: int, since: datetime, lead_id: str = ""
    ) -> Row:
        return Row(
            lead_id=lead.id if lead is not None else lead_id,
            name=lead.name if lead is not None else "",
            contact=_contact(lead),
            origin=_origin(lead),
            since=since,
            state=state,
            why=reason,
            next_try=following,
            attempts=attempts,
        )

    # --- the rest ---------------------------------------------------------------------------------------------

    def crm(self, connection: str) -> str:
        if connection not in self.hub.connections:
            return connection
        about = {"vendor": self.hub.connections[connection].connector.title, "title": connection}
        return unescape(crm_name(about, connection, self.words.style))

    def _tone(self, number: int, groups: Iterable[Group]) -> Tone:
        if number == 0:
            return "good"
        loud = [group for group in groups if not group.quiet and group.kind != "later"]
        if not loud:
            return "calm" if not self.facts.status.spooled else "warn"
        late = self.words.now - self.hub.settings.hub.late_after
        if any(
            group.kind in ("failed", "unrouted") or (group.kind == "pending" and group.oldest < late) for group in loud
        ):
            return "bad"
        return "warn"

    def _parts(self, groups: Sequence[Group], number: int, *, earlier: bool) -> list[str]:
        """`2 failed`, `10 waiting`; nothing when there is only one kind of it."""
        words, counts = self.words, Counter[str]()
        for group in groups:
            counts[group.kind] += group.count
        if self.facts.status.spooled:
            counts["spooled"] = self.facts.status.spooled
        kinds = ("failed", "unrouted", "pending", "later", "held", "spooled")
        parts = [words(f"today.part_{kind}", n=counts[kind]) for kind in kinds if counts[kind]]
        of_earlier = number - self.facts.status.not_arrived
        if earlier and of_earlier > 0:
            parts.append(words("today.of_earlier", n=of_earlier))
        return parts

    def _connections(self) -> list[ConnectionLine]:
        lines = []
        for name, numbers in self.facts.status.connections.items():
            down = self._down.get(name)
            state = numbers["state"]
            if name in self.hub.connections and not self.facts.owners.get(name, False):
                state = "stopped"
            lines.append(
                ConnectionLine(
                    name=name,
                    title=self.crm(name),
                    state=state,
                    since=down.opened_at if down else self._trouble_since(name),
                    delivered=numbers["delivered"],
                    pending=numbers["pending"],
                    failed=numbers["failed"],
                )
            )
        return lines

    def _trouble_since(self, name: str) -> datetime | None:
        """Since when a connection is degraded: its oldest lead with an error."""
        since = [one.since for one in self.facts.status.groups if one.connection == name and one.last_error]
        return min(since, default=None)

    def _alarm(self, incident: Incident) -> Alarm:
        html = render(incident, self.words.style, self.words.now).html
        head, *lines = html.split("\n")
        return Alarm(
            id=incident.id,
            level=incident.level,
            head=markup(head.removeprefix("<b>").removesuffix("</b>").lstrip("🔴🟡🟢🟠 ")),
            lines=[] if incident.kind in _SHOWN_ABOVE else [markup(line) for line in lines],
            acked_by=incident.acked_by,
            muted_until=incident.muted_until
            if incident.muted_until and incident.muted_until > self.words.now
            else None,
            since=incident.opened_at,
        )


def _within(group: Group, since: datetime, until: datetime) -> Group:
    rows = [row for row in group.rows if since <= row.since < until]
    return replace(group, rows=rows, count=len(rows))


def _contact(lead: Any) -> str:
    if lead is None:
        return ""
    return next(iter((*lead.phones, *lead.emails)), "")


def _origin(lead: Any) -> str:
    if lead is None:
        return ""
    return " · ".join(part for part in (lead.source, lead.data.get("form", "")) if part)
