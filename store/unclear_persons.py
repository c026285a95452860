"""Leads that tie two persons with contact data of their own, and what a person decides about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, literal, select, type_coerce, update
from sqlalchemy.types import Text

from leads.clock import Clock
from store.lanes import lock_persons
from store.operator import record_action
from store.tables import t_identity, t_lead, t_person
from store.ties import KnownDeal, join, newest_deals

FLAG: Final = "identity_conflict"
JOINED: Final = "person.joined"
APART: Final = "person.apart"


@dataclass(frozen=True, slots=True)
class Known:
    """One of the persons. `keys` are (kind, value): phones, e-mails and the like; `deals` by connection."""

    id: str
    name: str
    keys: tuple[tuple[str, str], ...]
    deals: dict[str, KnownDeal]


@dataclass(frozen=True, slots=True)
class Unclear:
    """A lead that waits for a decision. `persons`: whose lead it is first; he stays if they are joined."""

    lead_id: str
    source: str
    received_at: datetime
    persons: tuple[Known, ...]


def unclear(conn: Connection, lead_id: str = "") -> list[Unclear]:
    """All of them, the oldest first; or only that of one lead, [] where it has none."""
    flags = literal(" ") + type_coerce(t_lead.c.flags, Text) + literal(" ")
    query = select(t_lead.c.id, t_lead.c.source, t_lead.c.received_at, t_lead.c.person_id, t_lead.c.data)
    query = query.where(flags.like(f"% {FLAG} %")).order_by(t_lead.c.received_at)
    rows = conn.execute(query.where(t_lead.c.id == lead_id) if lead_id else query).all()
    found = []
    for row in rows:
        ids = dict.fromkeys(_now(conn, id) for id in (row.person_id, *row.data.get("other_persons", ())))
        found.append(Unclear(row.id, row.source, row.received_at, tuple(_known(conn, id) for id in ids)))
    return found


def join_persons(conn: Connection, clock: Clock, lead_id: str, *, actor: str, why: str = "") -> Unclear | None:
    """The persons of this lead become one: keys, touches, leads, conversations and what is owed go to the first.

    Returns what they were, None where nothing waits for a decision. Doing it twice does nothing more.
    """
    return _decide(conn, clock, lead_id, JOINED, actor, why)


def keep_apart(conn: Connection, clock: Clock, lead_id: str, *, actor: str, why: str = "") -> Unclear | None:
    """They are different: the lead stays where it is and is not asked about any more."""
    return _decide(conn, clock, lead_id, APART, actor, why)


def _decide(conn: Connection, clock: Clock, lead_id: str, action: str, actor: str, why: str) -> Unclear | None:
    for one in unclear(conn, lead_id):
        if lock_persons(conn, [person.id for person in one.persons]):
            one = replace(one, persons=unclear(conn, lead_id)[0].persons)  # somebody was joined in this moment
        kept, *others = one.persons
        if action == JOINED:
            for gone in others:
                join(conn, clock, gone.id, kept.id, lead_id, one.source, action=JOINED, actor=actor, why=why)
            _forget_settled(conn)
        else:
            data = {"persons": [person.id for person in one.persons]}
            record_action(conn, clock, actor=actor, action=APART, subject=lead_id, why=why, data=data)
        _unflag(conn, [lead_id])
        return one
    return None


def _forget_settled(conn: Connection) -> None:
    """Other leads that tied the same persons tie nobody any more."""
    _unflag(conn, [one.lead_id for one in unclear(conn) if len(one.persons) == 1])


def _unflag(conn: Connection, lead_ids: Sequence[str]) -> None:
    for row in conn.execute(select(t_lead.c.id, t_lead.c.flags).where(t_lead.c.id.in_(lead_ids))).all():
        flags = tuple(flag for flag in row.flags if flag != FLAG)
        conn.execute(update(t_lead).where(t_lead.c.id == row.id).values(flags=flags))


def _now(conn: Connection, person_id: str) -> str:
    """Whom he has become since."""
    seen: set[str] = set()
    while person_id not in seen:
        seen.add(person_id)
        into = conn.execute(select(t_person.c.merged_into).where(t_person.c.id == person_id)).scalar()
        person_id = into or person_id
    return person_id


def _known(conn: Connection, person_id: str) -> Known:
    name = conn.execute(select(t_person.c.name).where(t_person.c.id == person_id)).scalar() or ""
    query = select(t_identity.c.kind, t_identity.c.value).where(t_identity.c.person_id == person_id)
    keys = tuple((row.kind, row.value) for row in conn.execute(query.order_by(t_identity.c.kind, t_identity.c.value)))
    return Known(person_id, name, keys, newest_deals(conn, person_id))
