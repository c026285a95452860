"""How often a person has asked."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from store.prepared import Prepared
from store.tables import t_lead

_COUNT = Prepared(
    select(func.count()).where(
        t_lead.c.person_id == bindparam("of_person"),
        t_lead.c.received_at >= bindparam("since"),
        t_lead.c.received_at <= bindparam("until"),
    )
)


def count_person_leads(conn: Connection, person_id: str, since: datetime, until: datetime) -> int:
    """Leads of one person received in [since, until]."""
    return int(_COUNT.scalar(conn, {"of_person": person_id, "since": since, "until": until}))
