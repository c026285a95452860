"""Which account a connection's records belong to: ids of one account name something else in another.

What is known of an account that a connection does not point at any more keeps its address in the connection's name:
`b24@old.bitrix24.ru`. So nothing finds it by mistake, people see where it is, and it is there again if the old address
comes back.
"""

from sqlalchemy import Connection, update

from store import cursors
from store.partial import IS_OWED
from store.tables import t_assignment, t_delivery, t_follow_up, t_link


def address(conn: Connection, connection: str) -> str:
    """Where this connection's records are; "" before it was first used."""
    known = cursors.load(conn, _cursor(connection))
    return str(known["address"]) if known else ""


def remember(conn: Connection, connection: str, address: str) -> None:
    cursors.save(conn, _cursor(connection), {"address": address})


def put_aside(conn: Connection, connection: str, before: str, now: str) -> None:
    """What is settled stays with the address `before`; what is owed goes to `now`, and nothing is known to be there."""
    anew = {"progress": {}, "record_id": "", "contact_id": "", "company_id": "", "assigned_to": ""}
    conn.execute(update(t_delivery).where(t_delivery.c.connection == connection, IS_OWED).values(**anew))
    _rename(conn, connection, f"{connection}@{before}")
    _rename(conn, f"{connection}@{now}", connection)


def _rename(conn: Connection, old: str, new: str) -> None:
    settled = t_delivery.c.state.in_(("delivered", "discarded"))
    conn.execute(update(t_delivery).where(t_delivery.c.connection == old, settled).values(connection=new))
    for table in (t_link, t_assignment, t_follow_up):
        conn.execute(update(table).where(table.c.connection == old).values(connection=new))


def _cursor(connection: str) -> str:
    return f"account:{connection}"
