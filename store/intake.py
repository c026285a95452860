"""The first commit: raw request, lead, person, touch and deliveries, all or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, Dialect, update
from sqlmodel import SQLModel

from leads import attribution, identity
from leads.calls import Call
from leads.clock import Clock
from leads.ids import new_id
from leads.records import Lead
from store import tables, ties
from store.columns import table_of
from store.lanes import BULK, hurry, lock_persons, read_lanes
from store.prepared import as_array, execute, fetch
from store.repeats import keep_differences
from store.tables import t_lead

CHANNEL = "leadhub_due"
"""PostgreSQL channel on which processes tell each other of connections where something became due."""
ROWS_AT_ONCE = 64
"""Rows in one INSERT: at most 1,000 values."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """What came in. `headers` with secrets masked; `url` without the token of the path."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    remote_ip: str = ""


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    connection: str
    route: str = ""
    state: str = "ready"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One lead as intake hands it over.

    `dedup_keys`: under the first the lead is stored; a lead stored under any of them at or
    after `duplicates_since` (None: ever) makes this one a duplicate. What that says otherwise than the
    first is kept with it where `keep_differences`.
    """

    lead: Lead
    raw: RawRequest
    dedup_keys: tuple[str, ...]
    duplicates_since: datetime | None = None
    deliveries: tuple[PlannedDelivery, ...] = ()
    status: str = "pending"
    status_why: str = ""
    spooled: bool = False
    keep_differences: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    lead_id: str
    duplicate: bool
    connections: tuple[str, ...] = ()


Row = tuple[str | int | bytes | bool, ...]


TellTie = Callable[[Connection, ties.Tie], tuple[str, ...]]
"""Returns the connections where something became due."""


@dataclass(slots=True)
class _Rows:
    """What one transaction inserts. Driver-level values in the order of COLUMNS: this is the hot path.

    Instants are microseconds, JSON and word lists are texts; columns left out have defaults in the schema.
    """

    by_table: dict[type[SQLModel], list[Row]] = field(default_factory=dict)

    def add(self, table: type[SQLModel], *values: str | int | bytes | bool) -> None:
        self.by_table.setdefault(table, []).append(values)

    def insert(self, conn: Connection) -> None:
        """Many rows in one statement: each statement of SQLite lets the event loop's thread in between. Empty after it.

        PostgreSQL gets all tables at once and a list for each column, so that the statement is always the same; for
        SQLite the numbers of rows are powers of two, so that there are few statements and each is prepared once.
        """
        if conn.dialect.name == "postgresql" and self.by_table:
            lists = [as_array(values) for rows in self.by_table.values() for values in zip(*rows, strict=True)]
            execute(conn, _insert_lists(tuple(self.by_table), conn.dialect), lists)
            self.by_table.clear()
        for table, rows in self.by_table.items():
            at = 0
            while at < len(rows):
                count = min(ROWS_AT_ONCE, 1 << (len(rows) - at).bit_length() - 1)
                execute(conn, _insert_rows(table, count), tuple(chain.from_iterable(rows[at : at + count])))
                at += count
        self.by_table.clear()


COLUMNS: dict[type[SQLModel], tuple[str, ...]] = {
    tables.Lead: (
        *("id", "source", "received_at", "lead_uid", "dedup_key", "person_id", "name", "phones", "emails"),
        *("flags", "data", "status", "status_why", "route", "spooled"),
    ),
    tables.RawRequest: ("lead_id", "method", "url", "headers", "body", "remote_ip"),
    tables.Person: ("id", "created_at", "name", "first_touch", "first_lead_id"),
    tables.Identity: ("kind", "value", "person_id", "since"),
    tables.Touch: ("id", "person_id", "lead_id", "at", "data"),
    tables.Delivery: (
        *("id", "lead_id", "connection", "lane", "place", "state", "priority"),
        *("created_at", "due_at", "age_from", "route"),
    ),
}


@cache
def _insert_rows(table: type[SQLModel], count: int) -> str:
    columns = COLUMNS[table]
    row = f"({', '.join(['?'] * len(columns))})"
    return f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608  # our own names


@cache
def _insert_lists(tables: tuple[type[SQLModel], ...], dialect: Dialect) -> str:
    inserts = []
    for table in tables:
        columns = COLUMNS[table]
        lists = ", ".join(f"%s::{table_of(table).c[name].type.compile(dialect)}[]" for name in columns)
        inserts.append(f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) SELECT * FROM unnest({lists})")  # noqa: S608  # our own names
    *others, last = inserts
    named = ", ".join(f"of_{place} AS ({one})" for place, one in enumerate(others))
    return f"WITH {named} {last}" if named else last


def _json(value: Any) -> str:
    """Compact JSON; four times as quick as the standard library's."""
    return to_json(value).decode()


def notify(conn: Connection, names: str) -> None:
    """PostgreSQL: other processes hear of these connections, between commas, when this is committed."""
    execute(conn, "SELECT pg_notify(%s, %s)", (CHANNEL, names))


class Intake:
    """Bound to a clock for ids; `accept` is the work handed to `Database.write_in_batch`."""

    def __init__(self, clock: Clock, tell_tie: TellTie | None = None) -> None:
        """`tell_tie` lets people know of two persons who turned out to be one."""
        self._clock = clock
        self._tell_tie = tell_tie

    def accept(self, conn: Connection, items: Sequence[Acceptance]) -> list[Accepted]:
        """Stores all that are new, in order; a duplicate gets the id of the first.

        Raises IntegrityError when another process stored the same lead or person in this
        moment: then each item is tried alone and finds what the other stored.
        """
        known = _stored_before(conn, items)
        keys = [identity.keys_of(item.lead) for item in items]
        persons = _persons_of(conn, keys)
        while lock_persons(conn, set(persons.values())):  # one of them became another in this moment
            persons = _persons_of(conn, keys)
        rows = _Rows()
        results: list[Accepted] = []
        fresh: list[tuple[Acceptance, str]] = []
        new_persons: set[str] = set()
        for item, lead_keys in zip(items, keys, strict=True):
            first = next((known[key] for key in item.dedup_keys if _repeats(item, known.get(key))), None)
            if first is not None:
                results.append(Accepted(first[0], duplicate=True))
                continue
            lead = item.lead
            known[item.dedup_keys[0]] = (lead.id, lead.received_at)
            touch = _json(attribution.touch_to_json(lead.touch)) if lead.touch else ""
            found = identity.resolve(lead_keys, persons)
            told: tuple[str, ...] = ()
            if found.person_id and found.conflicts and not _is_held(item):
                self._flush(conn, rows, fresh, new_persons)
                told = self._tie(conn, lead, (found.person_id, *found.conflicts), persons)
                found = identity.resolve(lead_keys, persons)
            person_id = found.person_id or self._add_person(rows, lead, touch)
            if found.person_id is None:
                new_persons.add(person_id)
            at = tables.to_us(lead.received_at)
            for kind, value in found.attach:
                persons[identity.Key(kind, value)] = person_id
                rows.add(tables.Identity, kind, value, person_id, at)
            _add_lead(rows, item, person_id, found.conflicts, touch)
            if lead.touch is not None:
                rows.add(tables.Touch, new_id(self._clock), person_id, lead.id, tables.to_us(lead.touch.at), touch)
            fresh.append((item, person_id))
            results.append(Accepted(lead.id, duplicate=False, connections=(*_ready(item), *told)))
        self._flush(conn, rows, fresh, new_persons)
        _count_duplicates(conn, results)
        self._keep_differences(conn, items, results)
        if conn.dialect.name == "postgresql":
            names = sorted({name for result in results for name in result.connections})
            if names:
                notify(conn, ",".join(names))
        return results

    def _flush(self, conn: Connection, rows: _Rows, fresh: list[tuple[Acceptance, str]], new_persons: set[str]) -> None:
        """Inserts what was gathered so far; nothing is gathered after it."""
        self._add_deliveries(conn, rows, fresh, new_persons)
        rows.insert(conn)
        fresh.clear()
        new_persons.clear()

    def _tie(
        self, conn: Connection, lead: Lead, owners: tuple[str, ...], persons: dict[identity.Key, str]
    ) -> tuple[str, ...]:
        """The owners of this lead's keys become one where nothing speaks against it, in `persons` too."""
        due: dict[str, None] = {}
        for tie in ties.tie(conn, self._clock, lead, owners):
            persons.update({key: tie.kept for key, owner in persons.items() if owner == tie.gone})
            if self._tell_tie is not None:
                due |= dict.fromkeys(self._tell_tie(conn, tie))
        return tuple(due)

    def _keep_differences(self, conn: Connection, items: Sequence[Acceptance], results: Sequence[Accepted]) -> None:
        repeats = [
            (result.lead_id, item.lead, _lead_data(item.lead))
            for item, result in zip(items, results, strict=True)
            if result.duplicate and item.keep_differences
        ]
        if repeats:
            keep_differences(conn, repeats, self._clock)

    def _add_person(self, rows: _Rows, lead: Lead, touch: str) -> str:
        person_id = new_id(self._clock)
        first = attribution.first_touch(None, lead.touch, browser=lead.browser_first_touch)
        if first is not lead.touch:
            touch = _json(attribution.touch_to_json(first)) if first else ""
        rows.add(tables.Person, person_id, tables.to_us(lead.received_at), lead.name, touch or "{}", lead.id)
        return person_id

    def _add_deliveries(
        self, conn: Connection, rows: _Rows, fresh: list[tuple[Acceptance, str]], new_persons: set[str]
    ) -> None:
        lanes = read_lanes(conn, {person_id for _, person_id in fresh} - new_persons)
        busy_before = {key for key, (_, busy) in lanes.items() if busy}
        hurried: dict[tuple[str, str], None] = {}
        for item, person_id in fresh:
            at = tables.to_us(item.lead.received_at)
            for planned in item.deliveries:
                key = (person_id, planned.connection)
                if key in busy_before and planned.priority != BULK:
                    hurried[key] = None
                place, busy = lanes.get(key, (0, False))
                state = planned.state
                if state == "ready":
                    state = "waiting" if busy else "ready"
                    busy = True
                lanes[key] = (place + 1, busy)
                rows.add(
                    tables.Delivery,
                    *(new_id(self._clock), item.lead.id, planned.connection, person_id, place + 1, state),
                    *(planned.priority, at, at, at, planned.route),
                )
        hurry(conn, hurried, self._clock.now())


def _add_lead(rows: _Rows, item: Acceptance, person_id: str, others: tuple[str, ...], touch: str) -> None:
    """`touch`: the JSON of the lead's touch, made once for three rows."""
    lead = item.lead
    data = _lead_data(lead)
    flags = lead.flags
    if others:
        data["other_persons"] = list(others)
        flags = (*flags, "identity_conflict")
    if touch:
        data["touch"] = ""
    text = _json(data)
    if touch:
        text = f"{text[:-3]}{touch}}}"  # in the place of the empty one, which is the last
    rows.add(
        tables.Lead,
        *(lead.id, lead.source, tables.to_us(lead.received_at), lead.lead_uid, item.dedup_keys[0], person_id),
        *(lead.name, " ".join(lead.phones), " ".join(lead.emails), " ".join(flags), text),
        *(item.status, item.status_why, item.deliveries[0].route if item.deliveries else "", item.spooled),
    )
    raw = item.raw
    rows.add(tables.RawRequest, lead.id, raw.method, raw.url, _json(raw.headers), raw.body, raw.remote_ip)


def _repeats(item: Acceptance, first: tuple[str, datetime] | None) -> bool:
    return first is not None and (item.duplicates_since is None or first[1] >= item.duplicates_since)


def _is_held(item: Acceptance) -> bool:
    """What may be spam ties nobody before a person has let it go."""
    return any(planned.state == "held" for planned in item.deliveries)


def _ready(item: Acceptance) -> tuple[str, ...]:
    return tuple(planned.connection for planned in item.deliveries if planned.state == "ready")


def _stored_before(conn: Connection, items: Sequence[Acceptance]) -> dict[str, tuple[str, datetime]]:
    keys = list(dict.fromkeys(key for item in items for key in item.dedup_keys))
    if conn.dialect.name == "sqlite":
        rows = fetch(conn, _BEFORE_SQLITE, (_json(keys),))
    else:
        rows = fetch(conn, _BEFORE_POSTGRES, (as_array(keys),))
    return {key: (lead_id, tables.from_us(received_at)) for key, lead_id, received_at in rows}


def _persons_of(conn: Connection, keys: list[tuple[identity.Key, ...]]) -> dict[identity.Key, str]:
    wanted = list(dict.fromkeys(key for lead_keys in keys for key in lead_keys))
    if not wanted:
        return {}
    if conn.dialect.name == "sqlite":
        rows = fetch(conn, _PERSONS_SQLITE, (_json(wanted),))
    else:
        lists = [as_array(values) for values in zip(*wanted, strict=True)]
        rows = fetch(conn, _PERSONS_POSTGRES, lists)
    return {identity.Key(kind, value): person_id for kind, value, person_id in rows}


# Lists are one parameter, so that a statement is always the same.
_BEFORE_SQLITE = "SELECT dedup_key, id, received_at FROM lead WHERE dedup_key IN (SELECT value FROM json_each(?))"
_BEFORE_POSTGRES = "SELECT dedup_key, id, received_at FROM lead WHERE dedup_key = ANY(%s::text[])"
_PERSONS_SQLITE = (
    "SELECT kind, value, person_id FROM identity "
    "WHERE (kind, value) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"
)
# Each by itself, not joined: where PostgreSQL takes the table for empty, it would read all of it.
_PERSONS_POSTGRES = (
    "SELECT wanted.kind, wanted.value, known.person_id FROM unnest(%s::text[], %s::text[]) AS wanted (kind, value),"
    " LATERAL (SELECT person_id FROM identity WHERE kind = wanted.kind AND value = wanted.value LIMIT 1) AS known"
)


def _count_duplicates(conn: Connection, results: list[Accepted]) -> None:
    for result in results:
        if result.duplicate:
            conn.execute(update(t_lead).where(t_lead.c.id == result.lead_id).values(duplicates=t_lead.c.duplicates + 1))


def _lead_data(lead: Lead) -> dict[str, Any]:
    """Everything understood that has no column of its own, except the touch."""
    data: dict[str, Any] = {
        "messengers": [list(pair) for pair in lead.messengers],
        "external_id": lead.external_id,
        "company": lead.company,
        "comment": lead.comment,
        "form": lead.form,
        "page_url": lead.page_url,
        "referrer": lead.referrer,
        "utm": lead.utm,
        "click_ids": lead.click_ids,
        "extra": lead.extra,
        "call": lead.call.to_json() if lead.call else None,
    }
    return {name: value for name, value in data.items() if value}


def lead_from_row(row: Any) -> Lead:
    """A Lead from a row of table `lead`."""
    data = row.data
    touch = data.get("touch")
    return Lead(
        id=row.id,
        source=row.source,
        received_at=row.received_at,
        lead_uid=row.lead_uid,
        name=row.name,
        phones=tuple(row.phones),
        emails=tuple(row.emails),
        messengers=tuple((vendor, sender) for vendor, sender in data.get("messengers", ())),
        external_id=data.get("external_id", ""),
        company=data.get("company", ""),
        comment=data.get("comment", ""),
        form=data.get("form", ""),
        page_url=data.get("page_url", ""),
        referrer=data.get("referrer", ""),
        utm=data.get("utm", {}),
        click_ids=data.get("click_ids", {}),
        extra=data.get("extra", {}),
        flags=tuple(row.flags),
        call=Call.from_json(data["call"]) if "call" in data else None,
        touch=attribution.touch_from_json(touch) if touch else None,
    )
