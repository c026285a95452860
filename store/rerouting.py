"""Leads that no route took when they came, and that are given a way now."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from leads.clock import Clock
from leads.ids import new_id
from store.intake import PlannedDelivery
from store.lanes import lanes_of
from store.operator import record_action
from store.outbox import BACKLOG, refresh_lead_status, tell_due
from store.tables import t_delivery, t_lead


def unrouted_among(conn: Connection, lead_ids: Sequence[str]) -> list[Any]:
    """Rows of `lead` of those that have no delivery at all and are not discarded, oldest first."""
    found: list[Any] = []
    for start in range(0, len(lead_ids), 400):
        query = select(t_lead).where(t_lead.c.id.in_(lead_ids[start : start + 400]), t_lead.c.status == "failed")
        found.extend(conn.execute(query.where(~_has_delivery()).order_by(t_lead.c.received_at)))
    return found


def _has_delivery() -> Any:
    return select(t_delivery.c.id).where(t_delivery.c.lead_id == t_lead.c.id).exists()


def route_anew(
    conn: Connection, lead_id: str, planned: Sequence[PlannedDelivery], *, actor: str, clock: Clock
) -> tuple[str, ...]:
    """Gives the lead its deliveries, due now; returns their connections, () if somebody else was first."""
    now = clock.now()
    query = select(t_lead.c.person_id, t_lead.c.received_at).where(t_lead.c.id == lead_id, t_lead.c.status == "failed")
    lead = conn.execute(query).first()
    if lead is None:
        return ()
    lanes = lanes_of(conn, {lead.person_id})
    if conn.execute(select(t_lead.c.id).where(t_lead.c.id == lead_id, _has_delivery())).first():
        return ()
    if conn.execute(select(t_lead.c.person_id).where(t_lead.c.id == lead_id)).scalar() != lead.person_id:
        return route_anew(conn, lead_id, planned, actor=actor, clock=clock)  # he became another one in this moment
    for one in planned:
        place, busy = lanes.get((lead.person_id, one.connection), (0, False))
        conn.execute(
            insert(t_delivery).values(
                id=new_id(clock),
                lead_id=lead_id,
                connection=one.connection,
                lane=lead.person_id,
                place=place + 1,
                state="waiting" if one.state == "ready" and busy else one.state,
                priority=BACKLOG,
                created_at=lead.received_at,
                due_at=now,
                age_from=now,
                route=one.route,
            )
        )
    conn.execute(update(t_lead).where(t_lead.c.id == lead_id).values(route=planned[0].route))
    refresh_lead_status(conn, lead_id, now)
    record_action(conn, clock, actor=actor, action="lead.retry", subject=lead_id)
    connections = tuple(one.connection for one in planned)
    tell_due(conn, connections)
    return connections
