"""What *Today* shows: the number that did not arrive, the reasons, and how the day went."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from jobs import reports
from jobs.alerts.texts import render
from jobs.hub import Hub
from jobs.intake.spooled import spooled_leads
from leads.incidents import Incident
from store import reading
from store.incidents import open_incidents
from web.today_groups import READ_AT_MOST, Facts, Grouping
from web.today_parts import Alarm, ConnectionLine, Group, Today, Tone
from web.words import Words, markup

_DOWN = ("connection_down", "token_refused")
_SHOWN_ABOVE = ("lead_late", "lead_failed", "spam_held", "source_unrouted")
"""Kinds of incidents of which the groups tell everything: their headline is enough."""


async def look(hub: Hub, day: date, words: Words) -> Today:
    """Raises StoreUnavailable."""
    zone, now = hub.settings.hub.zone, words.now
    names = list(hub.connections)
    spooled = await asyncio.to_thread(spooled_leads, hub.settings.hub.spool_dir)

    is_today = day == now.astimezone(zone).date()
    since, until = reports.day_window(day, zone)

    def of_day(rows: Sequence[Any], at: str) -> list[Any]:
        """What is owed now is owed today, whenever it came; on a past day, what came on it."""
        return [row for row in rows if is_today or since <= getattr(row, at) < until]

    def read(conn: Connection) -> Facts:
        owed = of_day(reading.owed(conn, limit=READ_AT_MOST), "created_at")
        return Facts(
            status=reports.day_status(conn, day, zone, names, now, spooled),
            owed=owed,
            leads=reading.leads_by_id(conn, (row.lead_id for row in owed)),
            unrouted=of_day(reading.unrouted(conn), "received_at"),
            incidents=open_incidents(conn),
            open_counts=reading.count_not_arrived(conn),
            owners=reports.owners(conn, now),
        )

    return _Assembly(hub, await hub.db.read(read), words).today(day, is_today=is_today)


@dataclass(slots=True)
class _Assembly:
    hub: Hub
    facts: Facts
    words: Words

    def today(self, day: date, *, is_today: bool) -> Today:
        facts = self.facts
        grouping = Grouping(self.hub, facts, self.words)
        groups = grouping.groups()
        told = {group.connection for group in groups if group.kind == "pending"}
        number = sum(facts.open_counts.values()) + facts.status.spooled if is_today else facts.status.not_arrived
        return Today(
            day=day,
            is_today=is_today,
            number=number,
            tone=self._tone(number, groups),
            parts=self._parts(grouping.leads_by_kind(groups), number, earlier=is_today),
            status=facts.status,
            groups=groups,
            connections=self._connections(grouping),
            alarms=[self._alarm(one, told) for one in facts.incidents],
            failed_any=facts.open_counts.get("failed", 0) - len(facts.unrouted),
        )

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

    def _parts(self, counts: Counter[str], number: int, *, earlier: bool) -> list[str]:
        """`2 failed`, `10 waiting`."""
        words = self.words
        if self.facts.status.spooled:
            counts["spooled"] = self.facts.status.spooled
        kinds = ("failed", "unrouted", "pending", "later", "held", "spooled")
        parts = [words(f"today.part_{kind}", n=counts[kind]) for kind in kinds if counts[kind]]
        of_earlier = number - self.facts.status.not_arrived
        if earlier and of_earlier > 0:
            parts.append(words("today.of_earlier", n=of_earlier))
        return parts

    def _connections(self, grouping: Grouping) -> list[ConnectionLine]:
        lines = []
        for name, numbers in self.facts.status.connections.items():
            down = grouping.down.get(name)
            state = numbers["state"]
            if name in self.hub.connections and not self.facts.owners.get(name, False):
                state = "stopped"
            lines.append(
                ConnectionLine(
                    name=name,
                    title=grouping.crm(name),
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

    def _alarm(self, incident: Incident, told: set[str]) -> Alarm:
        """`told`: connections whose trouble a group tells already."""
        html = render(incident, self.words.style, self.words.now).html
        head, *lines = html.split("\n")
        above = incident.kind in _SHOWN_ABOVE or (incident.kind in _DOWN and incident.connection in told)
        return Alarm(
            id=incident.id,
            level=incident.level,
            head=markup(head.removeprefix("<b>").removesuffix("</b>").lstrip("🔴🟡🟢🟠 ")),
            lines=[] if above else [markup(line) for line in lines],
            acked_by=incident.acked_by,
            muted_until=incident.muted_until
            if incident.muted_until and incident.muted_until > self.words.now
            else None,
            since=incident.opened_at,
        )
