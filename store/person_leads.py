"""How often a person has asked."""

from datetime import datetime

from sqlalchemy import Connection, Text, bindparam, func, select, type_coerce

from store.prepared import Prepared
from store.tables import t_lead

_COUNT = Prepared(
    select(func.count()).where(
        t_lead.c.person_id == bindparam("of_person"),
        t_lead.c.received_at >= bindparam("since"),
        t_lead.c.received_at <= bindparam("until"),
        ~type_coerce(t_lead.c.flags, Text).contains("contact_shared"),  # given in a conversation: no enquiry
    )
)


def count_person_leads(conn: Connection, person_id: str, since: datetime, until: datetime) -> int:
    """Leads of one person received in [since, until]."""
    return int(_COUNT.scalar(conn, {"of_person": person_id, "since": since, "until": until}))
