"""Every door of the hub: where it is, what it asks of its senders, what came today and what was refused."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from connectors.doors import DoorSettings
from connectors.proofs import Proof, configured
from connectors.registry import SOURCES
from jobs.alerts.words import Style
from jobs.config.loading import Settings
from jobs.reports import day_window
from jobs.sources.listening import KIND
from jobs.sources.texts import LOST, OPEN, UNREAD, in_words, refusal_text, trouble_of
from jobs.sources.try_source import address_of
from store import activity, incidents, refused

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Requests of today that were refused for one reason."""

    status: int
    reason: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source. `address` is "" where nothing is sent to the hub: it asks the vendor itself. `dropped`: refused ones
    of today that are not kept; `kept`: of any day that can be run again."""

    name: str
    title: str
    type: str
    vendor: str
    group: str
    address: str
    proofs: tuple[Proof, ...]
    is_open: bool
    last_at: datetime | None
    today: Mapping[str, int]
    refusals: tuple[Refusal, ...] = ()
    dropped: int = 0
    kept: int = 0
    unread_without: str = ""
    """The setting that is missing to read what its requests name."""
    let_in: int = 0
    """Of those refused today."""
    lost_since: datetime | None = None
    """Of a door that listens: since when it cannot."""

    @property
    def refused(self) -> int:
        return sum(one.count for one in self.refusals)

    @property
    def only_refuses(self) -> bool:
        """Since the first refusal of today nothing was let in: its leads do not arrive."""
        first = min((one.first_at for one in self.refusals), default=None)
        return first is not None and (self.last_at is None or self.last_at < first)

    def hints(self, style: Style, now: datetime) -> list[str]:
        """What is wrong, the most frequent first."""
        alike: dict[tuple[int, str], list[Refusal]] = defaultdict(list)
        for one in self.refusals if self.let_in < self.refused else ():  # else it was mended, and nothing is lost
            alike[one.status, trouble_of(one.status, one.reason)].append(one)
        found = []
        if self.lost_since:
            found.append(in_words(style.locale, LOST).format(style.time(self.lost_since, now)))
        for some in sorted(alike.values(), key=lambda some: -sum(one.count for one in some)):
            count, since = sum(one.count for one in some), min(one.first_at for one in some)
            found.append(refusal_text(style.locale, count, some[0].status, some[0].reason, style.time(since, now)))
        if self.unread_without:
            found.append(in_words(style.locale, UNREAD).format(self.unread_without))
        return [*found, in_words(style.locale, OPEN)] if self.is_open else found

    def to_json(self, style: Style, now: datetime) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "type": self.type,
            "vendor": self.vendor,
            "group": self.group,
            "address": self.address,
            "proofs": [{"kind": one.kind, "setting": one.setting} for one in self.proofs],
            "open": self.is_open,
            "last_at": self.last_at.isoformat() if self.last_at else None,
            "today": dict(self.today),
            "refused": {
                "count": self.refused,
                "dropped": self.dropped,
                "kept": self.kept,
                "reasons": [
                    {
                        "status": one.status,
                        "reason": one.reason,
                        "trouble": trouble_of(one.status, one.reason),
                        "count": one.count,
                        "first_at": one.first_at.isoformat(),
                        "last_at": one.last_at.isoformat(),
                    }
                    for one in self.refusals
                ],
            },
            "only_refuses": self.only_refuses,
            "hints": self.hints(style, now),
        }


def source_lines(
    conn: Connection, settings: Settings, now: datetime, *, show_secrets: bool = False
) -> list[SourceLine]:
    """A line for each configured source, in the order of the configuration."""
    zone = settings.hub.zone
    day = now.astimezone(zone).date()
    since, _ = day_window(day, zone)
    counts = activity.counts_since(conn, since)
    heard = activity.last_heard(conn, list(settings.sources), now)
    kept, let_in = activity.kept_refused(conn), activity.let_in_since(conn, since)
    by_source: dict[str, list[Any]] = {}
    for row in refused.tallies(conn, day.isoformat()):
        by_source.setdefault(row.source, []).append(row)
    lines = (
        _line(settings, name, counts.get(name), heard.get(name), by_source.get(name, ()), kept.get(name, 0))
        for name in settings.sources
    )
    lost = {one.connection: one.opened_at for one in incidents.open_incidents(conn) if one.kind == KIND}
    lines = (replace(line, let_in=let_in.get(line.name, 0), lost_since=lost.get(line.name)) for line in lines)
    if not show_secrets:
        return list(lines)
    return [replace(line, address=line.address and address_of(settings, line.name)) for line in lines]


def _line(
    settings: Settings,
    name: str,
    today: Mapping[str, int] | None,
    last_at: datetime | None,
    tallies: Sequence[Any],
    kept: int,
) -> SourceLine:
    source = settings.sources[name]
    door, own = SOURCES[source.type], source.settings
    assert isinstance(own, DoorSettings)
    proofs = configured(own)
    return SourceLine(
        name=name,
        title=own.title or name,
        type=source.type,
        vendor=door.title,
        group=door.group,
        address=address_of(settings, name, token=HIDDEN) if door.methods else "",
        proofs=proofs,
        is_open=not proofs and not own.open_is_usual and bool(door.methods),
        last_at=last_at,
        today=today or dict.fromkeys(activity.KINDS, 0),
        refusals=tuple(Refusal(row.status, row.reason, row.count, row.first_at, row.last_at) for row in tallies),
        dropped=sum(row.dropped for row in tallies),
        kept=kept,
        unread_without=own.reads_with if own.reads_with and not getattr(own, own.reads_with) else "",
    )
