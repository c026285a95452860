"""What is owed after a delivery was settled: looking for doubles, completing a record, closing the task of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from leads.calls import Call
from store.leases import Held, assert_held
from store.outbox import remember_links, tell_due
from store.prepared import Prepared
from store.tables import t_call, t_delivery, t_follow_up, t_lead

CALLED_BACK: Final = "called_back"
ENRICH: Final = "enrich"
_CLOSING = "called-back:"


@dataclass(frozen=True, slots=True)
class FollowUp:
    id: str
    kind: str
    delivery_id: str
    lead_id: str
    record_id: str
    created_at: datetime
    """When the lead came in."""
    tries: int
    data: dict[str, Any]
    incomplete: list[dict[str, Any]]
    contact_id: str = ""
    settled_at: datetime | None = None
    state: str = "delivered"
    """Of the delivery."""
    task_id: str = ""
    person_id: str = ""


# Asked several times a second, and mostly for nothing.
_DUE = Prepared(
    select(
        t_follow_up,
        t_delivery.c.lead_id,
        t_delivery.c.record_id,
        t_delivery.c.incomplete,
        t_delivery.c.contact_id,
        t_delivery.c.settled_at,
        t_delivery.c.state,
        t_delivery.c.progress,
        t_delivery.c.lane,
        t_lead.c.received_at,
    )
    .join(t_delivery, t_delivery.c.id == t_follow_up.c.delivery_id)
    .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
    .where(t_follow_up.c.connection == bindparam("at_connection"), t_follow_up.c.due_at <= bindparam("now"))
    .order_by(t_follow_up.c.due_at)
    .limit(bindparam("at_most"))
)


def due_follow_ups(conn: Connection, connection: str, now: datetime, *, limit: int) -> list[FollowUp]:
    """Oldest first."""
    return [
        FollowUp(
            row.id,
            row.kind,
            row.delivery_id,
            row.lead_id,
            row.record_id,
            row.received_at,
            row.tries,
            row.data,
            row.incomplete,
            row.contact_id,
            row.settled_at,
            row.state,
            row.progress.get("task", {}).get("id", ""),
            row.lane,
        )
        for row in _DUE.all(conn, {"at_connection": connection, "now": now, "at_most": limit})
    ]


def owe_closing(conn: Connection, call_id: str, talked: Call, now: datetime) -> list[str]:
    """The client of this missed call was talked to: its tasks are done. Returns the connections that owe it."""
    query = (
        select(t_delivery.c.id, t_delivery.c.connection)
        .join(t_call, t_call.c.lead_id == t_delivery.c.lead_id)
        .where(t_call.c.id == call_id, t_delivery.c.state != "discarded")
        .where(~select(t_follow_up.c.id).where(t_follow_up.c.id == _CLOSING + t_delivery.c.id).exists())
    )
    rows = conn.execute(query).all()
    data = {"call": replace(talked, client="", recording_url="").to_json()}
    for row in rows:
        values = {"id": f"{_CLOSING}{row.id}", "connection": row.connection, "kind": CALLED_BACK, "due_at": now}
        conn.execute(insert(t_follow_up).values(**values, delivery_id=row.id, tries=0, data=data))
    names = sorted({row.connection for row in rows})
    tell_due(conn, names)
    return names


def finish_follow_up(conn: Connection, held: Held, follow_up_id: str) -> None:
    assert_held(conn, held)
    conn.execute(delete(t_follow_up).where(t_follow_up.c.id == follow_up_id))


def postpone_follow_up(conn: Connection, held: Held, follow_up_id: str, due_at: datetime) -> None:
    assert_held(conn, held)
    conn.execute(
        update(t_follow_up).where(t_follow_up.c.id == follow_up_id).values(due_at=due_at, tries=t_follow_up.c.tries + 1)
    )


def mark_doubled(conn: Connection, held: Held, follow_up_id: str, records: list[str]) -> None:
    """The lead stands in the CRM more than once: it is looked at again until a person removed what is too much."""
    assert_held(conn, held)
    conn.execute(
        update(t_follow_up).where(t_follow_up.c.id == follow_up_id).values(kind="doubled", data={"records": records})
    )


_DOUBLED = Prepared(
    select(t_follow_up.c.delivery_id, t_follow_up.c.data)
    .where(t_follow_up.c.connection == bindparam("of_connection"), t_follow_up.c.kind == "doubled")
    .order_by(t_follow_up.c.id)
)


def doubled(conn: Connection, connection: str) -> list[list[str]]:
    """Record ids of each lead that stands in the CRM more than once, in the order in which they were found."""
    rows = _DOUBLED.all(conn, {"of_connection": connection})
    by_delivery = {row.delivery_id: row.data["records"] for row in rows}
    return list(by_delivery.values())


def keep_left(
    conn: Connection,
    held: Held,
    delivery_id: str,
    left: Sequence[Mapping[str, str]],
    links: Sequence[tuple[str, str, str]],
    now: datetime,
) -> None:
    """What of the refused is still not in the CRM; nothing: the record is complete. `links`: as `outbox.settle`."""
    assert_held(conn, held)
    values: dict[str, Any] = {
        "incomplete": [dict(one) for one in left],
        "error_kind": "incomplete" if left else "",
        **{f"{kind}_id": vendor_id for kind, _, vendor_id in links},
    }
    remember_links(conn, held.name, links, now)
    conn.execute(update(t_delivery).where(t_delivery.c.id == delivery_id).values(values))


def keep_progress(conn: Connection, held: Held, delivery_id: str, progress: dict[str, Any]) -> None:
    """What is about to be written for a delivery that was settled, or was written: as `outbox.intend`."""
    assert_held(conn, held)
    conn.execute(
        update(t_delivery)
        .where(t_delivery.c.id == delivery_id, t_delivery.c.state == "delivered")
        .values(progress=progress)
    )
