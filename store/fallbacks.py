"""Leads that the CRM has not taken for too long and that people were not told of yet."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from store.lateness import on_its_way
from store.partial import IS_OWED
from store.tables import t_delivery, t_lead


def waiting_for_fallback(conn: Connection, before: datetime, *, limit: int) -> list[Any]:
    """Rows of `lead` with `connection`, `last_error` and `delivery_id`; oldest first. Not those that a person holds.

    One for each lead, however many CRMs do not take it.
    """
    other = t_delivery.alias("other")
    told = select(other.c.id).where(other.c.lead_id == t_delivery.c.lead_id, other.c.fallback_at.is_not(None))
    query = (
        select(t_lead, t_delivery.c.connection, t_delivery.c.last_error, t_delivery.c.id.label("delivery_id"))
        .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
        .where(
            IS_OWED,
            t_delivery.c.created_at <= before,
            t_delivery.c.fallback_at.is_(None),
            or_(on_its_way(), t_delivery.c.state == "dead"),
            ~told.exists(),
        )
        .order_by(t_delivery.c.created_at)
        .limit(limit)
    )
    return list({row.id: row for row in reversed(conn.execute(query).all())}.values())[::-1]


def mark_sent(conn: Connection, delivery_id: str, now: datetime) -> None:
    conn.execute(update(t_delivery).where(t_delivery.c.id == delivery_id).values(fallback_at=now))
