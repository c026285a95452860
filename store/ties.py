"""Two known persons who turn out to be one: keys, touches, leads, conversations and what is owed go to one of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Any

from sqlalchemy import Connection, insert, select, update

from leads import identity
from leads.clock import Clock
from leads.ids import new_id
from leads.records import Lead
from store.conversation_tables import t_conversation
from store.lanes import line_up
from store.tables import t_audit_entry, t_delivery, t_identity, t_lead, t_link, t_person, t_touch

TIED = "person.tied"
"""The action of the audit trail; its subjects are the persons who went, their leads, and the lead that tied them."""
ACTOR = "hub"


@dataclass(frozen=True, slots=True)
class KnownDeal:
    """The newest of a person's in one connection; ids are "" until it is there."""

    lead_id: str
    deal_id: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class Tie:
    """`gone` became `kept` by `lead`. The deals by connection, as they were before."""

    gone: str
    kept: str
    lead: Lead
    gone_deals: Mapping[str, KnownDeal]
    kept_deals: Mapping[str, KnownDeal]


def tie(conn: Connection, clock: Clock, lead: Lead, persons: Sequence[str]) -> list[Tie]:
    """Makes the owners of one lead's keys one person, unless a person has to decide: then nothing changes.

    The caller has locked them (store.lanes.lock_persons) and has nothing of them uninserted.
    """
    kinds: dict[str, set[str]] = {person: set() for person in persons}
    query = select(t_identity.c.person_id, t_identity.c.kind).where(t_identity.c.person_id.in_(persons))
    for row in conn.execute(query):
        kinds[row.person_id].add(row.kind)
    kept = identity.turns_out_to_be(persons, kinds)
    if kept is None:
        return []
    made = []
    for gone in persons:
        if gone != kept:
            made.append(Tie(gone, kept, lead, newest_deals(conn, gone), newest_deals(conn, kept)))
            join(conn, clock, gone, kept, lead.id, lead.source)
    return made


def join(
    conn: Connection,
    clock: Clock,
    gone: str,
    kept: str,
    lead_id: str,
    source: str,
    *,
    action: str = TIED,
    actor: str = ACTOR,
    why: str = "",
) -> None:
    """`gone` becomes `kept`, because of this lead; the audit trail keeps which keys and leads were his."""
    keys = conn.execute(select(t_identity.c.kind, t_identity.c.value).where(t_identity.c.person_id == gone)).all()
    leads = list(conn.execute(select(t_lead.c.id).where(t_lead.c.person_id == gone).order_by(t_lead.c.id)).scalars())
    for table in (t_identity, t_touch, t_lead, t_conversation):
        conn.execute(update(table).where(table.c.person_id == gone).values(person_id=kept))
    conn.execute(update(t_person).where(t_person.c.id == gone).values(merged_into=kept))
    _move_links(conn, gone, kept)
    _move_deliveries(conn, gone, kept, clock.now())
    said: dict[str, Any] = {"person": gone, "into": kept, "lead": lead_id, "source": source}
    for subject in dict.fromkeys((gone, *leads, lead_id)):
        entry = {"id": new_id(clock), "at": clock.now(), "actor": actor, "action": action, "subject": subject}
        data = {**said, "keys": [list(key) for key in keys]} if subject == gone else said
        conn.execute(insert(t_audit_entry).values(**entry, why=why, data=data))


def newest_deals(conn: Connection, person_id: str) -> dict[str, KnownDeal]:
    """Connection -> the newest of the person's leads that go there and was not discarded."""
    columns = (t_delivery.c.connection, t_delivery.c.lead_id, t_delivery.c.record_id, t_delivery.c.contact_id)
    query = select(*columns).where(t_delivery.c.lane == person_id, t_delivery.c.state != "discarded")
    rows = conn.execute(query.order_by(t_delivery.c.place))
    return {row.connection: KnownDeal(row.lead_id, row.record_id, row.contact_id) for row in rows}


def _move_links(conn: Connection, gone: str, kept: str) -> None:
    """Where the person who stays has no contact yet, the other's is his; else he keeps his own."""
    has = select(t_link.c.connection).where(t_link.c.kind == "contact", t_link.c.our_id == kept).scalar_subquery()
    moved = (t_link.c.kind == "contact", t_link.c.our_id == gone, t_link.c.connection.not_in(has))
    conn.execute(update(t_link).where(*moved).values(our_id=kept))


def _move_deliveries(conn: Connection, gone: str, kept: str, now: datetime) -> None:
    """One lane of two, in the order in which the leads came; each keeps its own order whatever the clock said."""
    lanes: dict[str, dict[str, list[Any]]] = {}
    columns = (t_delivery.c.id, t_delivery.c.lane, t_delivery.c.connection, t_delivery.c.created_at)
    query = select(*columns).where(t_delivery.c.lane.in_((gone, kept))).order_by(t_delivery.c.place)
    for row in conn.execute(query):
        lanes.setdefault(row.connection, {}).setdefault(row.lane, []).append(row)
    for connection, both in lanes.items():
        if gone not in both:
            continue
        in_order = merge(*both.values(), key=lambda row: row.created_at)
        for place, row in enumerate(in_order, 1):
            conn.execute(update(t_delivery).where(t_delivery.c.id == row.id).values(lane=kept, place=place))
        line_up(conn, kept, connection, now)


def whose(
    conn: Connection, links: Iterable[tuple[str, str, str]], gone: str, kept: str, connection: str
) -> tuple[tuple[str, str, str], ...]:
    """(kind, our id, vendor's id) that a delivery of `gone` made; a contact that `kept` has already stays his."""
    query = select(t_link.c.vendor_id).where(
        t_link.c.connection == connection, t_link.c.kind == "contact", t_link.c.our_id == kept
    )
    to = gone if conn.execute(query).first() else kept
    return tuple((kind, to if our_id == gone else our_id, vendor_id) for kind, our_id, vendor_id in links)
