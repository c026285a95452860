"""What deliveries of leads know of two CRMs' records: which are one person's or lead's, and which are still owed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from leads.identity import Key
from store.lanes import OPEN_STATES
from store.sync_keys import chunks
from store.tables import t_delivery, t_identity, t_link, to_us

SHARED = ("contact", "company")
"""Kinds of links that any CRM's record may get: a deal that no lead is delivered to is nobody's in `link`."""


@dataclass(frozen=True, slots=True)
class Known:
    """`partners`: record id -> its only partner in the other CRM. `owed`: a delivery there may make the partner yet."""

    partners: Mapping[str, str] = field(default_factory=dict)
    owed: frozenset[str] = frozenset()


def known(
    conn: Connection, kind: str, here: str, there: str, records: Mapping[str, tuple[str, Sequence[Key]]]
) -> Known:
    """`here` and `there` are connections; `records`: id -> (our key in it, phones and e-mails). `kind` as of a link."""
    ours = _ours(conn, kind, here, records)
    ids = {our_id for some in ours.values() for our_id in some}
    partners: dict[str, str] = {}
    theirs = dict(_links(conn, there, kind, ids))
    for record_id, some in ours.items():
        found = {theirs[our_id] for our_id in some if our_id in theirs}
        if len(found) == 1:
            partners[record_id] = found.pop()
    if kind == "contact":
        persons = _persons(conn, records)
        owed_ids = _owed(conn, there, "lane", {*ids, *(one for some in persons.values() for one in some)})
        owed = {id for id in records if owed_ids & {*ours.get(id, ()), *persons.get(id, ())}}
    elif kind == "deal":
        owed_ids = _owed(conn, there, "lead_id", ids)
        owed = {id for id in records if owed_ids & ours.get(id, set())}
    else:
        owed = _owed_companies(conn, here, there, records)
    return Known(partners, frozenset(owed - partners.keys()))


def share(conn: Connection, same: Iterable[tuple[str, str, str, str, str]], now: datetime) -> None:
    """(kind, connection, record id, another connection, its record id): who is known by the one is known by the other.

    So a lead of that person finds the contact that the sync made. What was known already stays.
    """
    at = to_us(now)
    rows = [
        (there, there_id, at, here, kind, here_id) for kind, here, here_id, there, there_id in same if kind in SHARED
    ]
    if rows:
        conn.exec_driver_sql(_SHARE if conn.dialect.paramstyle == "qmark" else _SHARE.replace("?", "%s"), rows)


_SHARE = (
    "INSERT INTO link (connection, kind, our_id, vendor_id, created_at) "
    "SELECT ?, kind, our_id, ?, ? FROM link WHERE connection = ? AND kind = ? AND vendor_id = ? "
    "ON CONFLICT (connection, kind, our_id) DO NOTHING"
)


def _ours(
    conn: Connection, kind: str, here: str, records: Mapping[str, tuple[str, Sequence[Key]]]
) -> dict[str, set[str]]:
    """Record id -> ids of ours: as linked, else as the record itself says, unless that id is linked to another one."""
    found: dict[str, set[str]] = defaultdict(set)
    c = t_link.c
    for some in chunks(records):
        query = select(c.vendor_id, c.our_id).where(c.connection == here, c.kind == kind, c.vendor_id.in_(some))
        for vendor_id, our_id in conn.execute(query):
            found[vendor_id].add(our_id)
    claimed = {id: own_key for id, (own_key, _) in records.items() if own_key and id not in found}
    elsewhere = dict(_links(conn, here, kind, set(claimed.values())))
    for id, own_key in claimed.items():
        if own_key not in elsewhere:
            found[id].add(own_key)
    return found


def _links(conn: Connection, connection: str, kind: str, our_ids: Collection[str]) -> Iterable[tuple[str, str]]:
    c = t_link.c
    for some in chunks(our_ids):
        query = select(c.our_id, c.vendor_id).where(c.connection == connection, c.kind == kind, c.our_id.in_(some))
        yield from ((row.our_id, row.vendor_id) for row in conn.execute(query))


def _persons(conn: Connection, records: Mapping[str, tuple[str, Sequence[Key]]]) -> dict[str, set[str]]:
    """Record id -> persons who have one of its phones or e-mails."""
    c = t_identity.c
    bearers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for id, (_, keys) in records.items():
        for key in keys:
            bearers[key.kind][key.value].add(id)
    found: dict[str, set[str]] = defaultdict(set)
    for kind, by_value in bearers.items():
        for some in chunks(by_value):
            query = select(c.value, c.person_id).where(c.kind == kind, c.value.in_(some))
            for value, person_id in conn.execute(query):
                for id in by_value[value]:
                    found[id].add(person_id)
    return found


def _owed(conn: Connection, connection: str, column: str, ids: Collection[str]) -> set[str]:
    c = t_delivery.c
    found: set[str] = set()
    for some in chunks(ids):
        query = select(c[column]).where(c[column].in_(some), c.connection == connection, c.state.in_(OPEN_STATES))
        found |= set(conn.execute(query).scalars())
    return found


def _owed_companies(conn: Connection, here: str, there: str, ids: Collection[str]) -> set[str]:
    """Companies of leads that were delivered here and are on their way there."""
    made, owed = t_delivery.alias("made"), t_delivery.alias("owed")
    found: set[str] = set()
    for some in chunks(ids):
        query = (
            select(made.c.company_id)
            .join(owed, owed.c.lead_id == made.c.lead_id)
            .where(owed.c.connection == there, owed.c.state.in_(OPEN_STATES))
            .where(made.c.connection == here, made.c.company_id.in_(some))
        )
        found |= set(conn.execute(query).scalars())
    return found
