"""What a person may do with leads: retry, release, discard. Every action leaves an audit entry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from leads.clock import Clock
from leads.ids import new_id
from store.lanes import lanes_of, lock_persons
from store.outbox import BACKLOG, free_lane, refresh_lead_status, tell_due
from store.partial import HAS_NOT_ARRIVED
from store.tables import t_audit_entry, t_delivery, t_lead

DISCARDED = "it is discarded already"


@dataclass(slots=True)
class Done:
    """What became of the leads that were named.

    `refused`: lead id -> why nothing was done: for `retry` a word ("no such lead", "unrouted",
    "claimed", "discarded", "delivered"), for `discard` a sentence.
    """

    changed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    connections: set[str] = field(default_factory=set)
    """Where something became due."""


def failed_leads(conn: Connection) -> list[str]:
    """Ids of all leads with a delivery that gave up, oldest first."""
    query = select(t_lead.c.id).where(HAS_NOT_ARRIVED, t_lead.c.status == "failed").order_by(t_lead.c.received_at)
    return list(conn.execute(query).scalars())


def retry(conn: Connection, lead_ids: Sequence[str], *, actor: str, clock: Clock) -> Done:
    """Everything of these leads that is owed becomes due now. Doing it twice does nothing more.

    A delivery that gave up starts anew in age; what was sent before is still looked up first.
    """
    done, now = Done(), clock.now()
    for lead_id in lead_ids:
        rows = _deliveries(conn, lead_id)
        if rows is None:
            done.refused[lead_id] = "no such lead"
            continue
        states = {row.state for row in rows}
        if not rows:
            done.refused[lead_id] = "unrouted"
            continue
        if not states & {"dead", "held", "ready", "waiting"}:
            done.refused[lead_id] = next(word for word in ("claimed", "discarded", "delivered") if word in states)
            continue
        for row in rows:
            if row.state in ("dead", "held"):
                _revive(conn, row, now)
            elif row.state == "ready":
                conn.execute(
                    update(t_delivery)
                    .where(t_delivery.c.id == row.id, t_delivery.c.state == "ready")
                    .values(due_at=now, error_kind="")
                )
            done.connections.add(row.connection)
        refresh_lead_status(conn, lead_id, now)
        record_action(conn, clock, actor=actor, action="lead.retry", subject=lead_id)
        done.changed.append(lead_id)
    tell_due(conn, done.connections)
    return done


def _revive(conn: Connection, row: Any, now: datetime) -> None:
    _, busy = lanes_of(conn, {row.lane}).get((row.lane, row.connection), (0, False))
    state = "waiting" if busy else "ready"
    conn.execute(
        update(t_delivery)
        .where(t_delivery.c.id == row.id)
        .values(state=state, due_at=now, age_from=now, priority=BACKLOG, attempts=0, settled_at=None, error_kind="")
    )


def discard(conn: Connection, lead_id: str, *, why: str, actor: str, clock: Clock) -> Done:
    """A person decides that the lead need not arrive. Not while it is being written to a CRM."""
    done, now = Done(), clock.now()
    rows = _deliveries(conn, lead_id)
    if rows is None:
        done.refused[lead_id] = "no such lead"
        return done
    lock_persons(conn, {row.lane for row in rows})
    states = {row.state for row in _deliveries(conn, lead_id) or []}
    if "claimed" in states:
        done.refused[lead_id] = "it is being delivered at this moment; try again in a few seconds"
        return done
    if conn.execute(select(t_lead.c.status).where(t_lead.c.id == lead_id)).scalar() == "discarded":
        done.refused[lead_id] = DISCARDED
        return done
    if states and states <= {"delivered", "discarded"}:
        done.refused[lead_id] = "nothing of it is owed"
        return done
    for row in rows:
        if row.state not in ("delivered", "discarded"):
            conn.execute(
                update(t_delivery)
                .where(t_delivery.c.id == row.id)
                .values(state="discarded", settled_at=now, last_error=why)
            )
            free_lane(conn, row.lane, row.connection, now)
            done.connections.add(row.connection)
    conn.execute(update(t_lead).where(t_lead.c.id == lead_id).values(status="discarded", status_why=why, status_at=now))
    record_action(conn, clock, actor=actor, action="lead.discard", subject=lead_id, why=why)
    done.changed.append(lead_id)
    return done


def _deliveries(conn: Connection, lead_id: str) -> list[Any] | None:
    """The lead's deliveries; None when there is no such lead."""
    if conn.execute(select(t_lead.c.id).where(t_lead.c.id == lead_id)).first() is None:
        return None
    query = select(t_delivery.c.id, t_delivery.c.lane, t_delivery.c.connection, t_delivery.c.state)
    return list(conn.execute(query.where(t_delivery.c.lead_id == lead_id).order_by(t_delivery.c.connection)))


def record_action(
    conn: Connection,
    clock: Clock,
    *,
    actor: str,
    action: str,
    subject: str,
    why: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    conn.execute(
        insert(t_audit_entry).values(
            id=new_id(clock),
            at=clock.now(),
            actor=actor,
            action=action,
            subject=subject,
            why=why,
            data=data or {},
        )
    )
