"""Leads that do not arrive, put together by reason: who waits, why, and what to do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from jobs import reports
from jobs.alerts.parts import crm_name
from jobs.alerts.texts import access_todo
from jobs.hub import Hub
from leads.incidents import Incident
from web.reasons import PENDING, Why, in_words, kind_of, next_try, why
from web.today_parts import Group, Row
from web.words import Words, markup

SHOWN = 50
"""Leads of one group that are listed; the rest are counted and linked."""
READ_AT_MOST = 500
_ORDER = {"failed": 0, "unrouted": 1, "pending": 2, "held": 3, "later": 4}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is read in one go."""

    status: reports.DayStatus
    owed: Sequence[Any]
    leads: Mapping[str, Any]
    unrouted: Sequence[Any]
    incidents: Sequence[Incident]
    open_counts: Mapping[str, int]
    owners: Mapping[str, bool]


@dataclass(slots=True)
class Grouping:
    """`down`: connection -> the open incident that says that it is down or refuses the token."""

    hub: Hub
    facts: Facts
    words: Words
    down: dict[str, Incident] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for incident in self.facts.incidents:
            if incident.kind in ("connection_down", "token_refused") and incident.recovered_at is None:
                self.down[incident.connection] = incident

    def leads_by_kind(self, groups: Sequence[Group]) -> Counter[str]:
        """A lead that waits for two CRMs is one; exact as long as all that is owed was read."""
        if len(self.facts.owed) < READ_AT_MOST:
            leads = {(kind_of(row), row.lead_id) for row in self.facts.owed}
            return Counter({**Counter(kind for kind, _ in leads), "unrouted": len(self.facts.unrouted)})
        counts = Counter[str]()
        for group in groups:
            counts[group.kind] += group.count
        return counts

    def groups(self) -> list[Group]:
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
            count=len(shown) if kind == "held" else max(len(shown), self._counted(kind, connection, rows)),
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
        if kind != "pending" or len(self.facts.owed) < READ_AT_MOST:
            return len(rows)
        return sum(
            one.count
            for one in self.facts.status.groups
            if one.connection == connection and one.state in PENDING and one.error_kind != "hold"
        )

    def _pending(self, group: Group, rows: list[Any]) -> Group:
        """The connection's own trouble if it has one, else what most of its leads met."""
        words, connection = self.words, group.connection
        down = self.down.get(connection)
        causes = Counter(text for row in rows if (text := why(row, words).text))
        reason = (
            why(next(row for row in rows if why(row, words).text == causes.most_common(1)[0][0]), words)
            if causes
            else Why("")
        )
        if down is not None:
            reason = Why(in_words(down.cause, words), down.cause if not reason.detail else reason.detail)
        todo = words("group.todo_pending")
        if down is not None and down.kind == "token_refused":
            todo = markup(access_todo(down, words.style))
        elif connection not in self.hub.connections:
            todo = words("group.no_connection")
        elif not self.facts.owners.get(connection, False):
            todo = words("group.no_worker")
        fresh = words.now - group.oldest < self.hub.settings.hub.late_after
        quiet = down is None and not causes and fresh
        return replace(
            group,
            title=words("group.sending" if quiet else "group.pending", crm=self.crm(connection)),
            why=reason,
            next_try=next_try(self._next_try(connection, rows), words),
            todo="" if quiet else todo,
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
            following = words("when.next", when=next_try(row.due_at, words)) if row.last_error else words("row.first")
            if row.connection in self.down:  # only the probe is sent; the group says when
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

    def crm(self, connection: str) -> str:
        if connection not in self.hub.connections:
            return connection
        about = {"vendor": self.hub.connections[connection].connector.title, "title": connection}
        return unescape(crm_name(about, connection, self.words.style))


def _contact(lead: Any) -> str:
    if lead is None:
        return ""
    return next(iter((*lead.phones, *lead.emails)), "")


def _origin(lead: Any) -> str:
    if lead is None:
        return ""
    return " · ".join(part for part in (lead.source, lead.data.get("form", "")) if part)
