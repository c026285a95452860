"""After a restore: what the backup calls owed may have been delivered since it was made, so it is looked up first."""

from collections.abc import Iterator

from sqlalchemy import Connection, bindparam, select, update

from connectors.base import Kind
from jobs.delivery.progress import Progress
from store import outbox
from store.delivery_records import Claimed
from store.partial import IS_OWED
from store.tables import t_delivery

AT_ONCE = 500


def look_up_first(conn: Connection, connection: str = "") -> int:
    """Marks every record that is still to be written (there) as one whose fate is unknown; returns of how many
    deliveries."""
    marked = 0
    for claimed in _owed(conn, connection):
        progress = Progress.from_json(claimed.progress)
        for kind in _unsure(claimed):
            step = progress.step(kind)
            if not step.id and step.sent_at is None:
                step.sent_at = claimed.created_at  # it cannot have been sent earlier
        conn.execute(update(t_delivery).where(t_delivery.c.id == claimed.id).values(progress=progress.to_json()))
        marked += 1
    return marked


def _owed(conn: Connection, connection: str) -> Iterator[Claimed]:
    after, query = "", select(t_delivery.c.id).where(IS_OWED, t_delivery.c.id > bindparam("after"))
    if connection:
        query = query.where(t_delivery.c.connection == connection)
    while ids := list(conn.execute(query.order_by(t_delivery.c.id).limit(AT_ONCE), {"after": after}).scalars()):
        yield from outbox.load(conn, ids)
        after = ids[-1]


def _unsure(claimed: Claimed) -> tuple[Kind, ...]:
    """A contact with a phone or an e-mail is looked for by these before it is made, and a company by its name."""
    lead = claimed.lead
    known = lead.phones or lead.emails or claimed.person.contact_id
    return ("deal", "call", "note", "task") if known else ("contact", "deal", "call", "note", "task")
