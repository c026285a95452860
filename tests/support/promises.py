"""The promises of delivery, checked against what the CRMs really hold and what the hub's database says of it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import create_engine

from store.engines import postgres_url
from store.tables import t_delivery, t_lead, t_person
from tests.support.crm_views import contact_phones, deal_keys, note_comments


@dataclass(frozen=True)
class Sent:
    """One lead as its sender knows it. `to` are the connections that it is routed to; `lead_id` from the answer.

    `number` counts the enquiries of one person, each sent when the one before was taken.
    """

    uid: str
    comment: str
    phone: str
    to: tuple[str, ...]
    lead_id: str = ""
    number: int = 0


@dataclass
class Verdict:
    """Each list names leads or records; all empty: the promises were kept."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    first_touch: list[str] = field(default_factory=list)
    split_persons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Enquiries whose text is not in the CRM, or is there more than once."""
    incomplete: list[str] = field(default_factory=list)
    """Records that still lack something that the CRM would not take at the time."""
    untrue: list[str] = field(default_factory=list)
    """The hub says something about a record that is not so."""

    def problems(self) -> list[str]:
        return [f"{name}: {one}" for name in self.__dataclass_fields__ for one in getattr(self, name)]


def rows(url: str, table: Any) -> list[Any]:
    """All rows of a table, read by an engine that is closed again."""
    engine = create_engine(url if url.startswith("sqlite") else postgres_url(url))
    try:
        with engine.connect() as conn:
            return list(conn.execute(table.select()))
    finally:
        engine.dispose()


def owed(url: str) -> list[str]:
    """Deliveries that are neither delivered nor discarded."""
    return [
        f"{row.lead_id} to {row.connection}: {row.state} {row.last_error}"
        for row in rows(url, t_delivery)
        if row.state not in ("delivered", "discarded")
    ]


def incomplete(url: str) -> list[str]:
    """Deliveries made without some of what belongs to them, to be completed later."""
    return [
        f"{row.lead_id} to {row.connection}: {', '.join(one['field'] for one in row.incomplete)}"
        for row in rows(url, t_delivery)
        if row.incomplete
    ]


def judge(url: str, vendors: Mapping[str, Any], sent: Collection[Sent]) -> Verdict:
    """`vendors` by connection; `sent` every lead that was answered below 300."""
    verdict = Verdict(owed=owed(url), incomplete=incomplete(url))
    leads = rows(url, t_lead)
    deliveries = rows(url, t_delivery)
    by_uid = {row.lead_uid: row for row in leads}
    by_comment = {row.data.get("comment", ""): row.id for row in leads}
    uid_of = {row.id: row.lead_uid for row in leads}
    places = {(row.lead_id, row.connection): row for row in deliveries}
    for name, vendor in vendors.items():
        made: dict[str, list[str]] = defaultdict(list)
        for record_id, key in deal_keys(vendor, by_comment):
            made[key].append(record_id)
        for key, records in made.items():
            if len(records) > 1:
                verdict.doubled.append(f"{uid_of.get(key, key)} in {name}: {', '.join(records)}")
        for phone, contacts in contact_phones(vendor).items():
            if len(contacts) > 1:
                verdict.split_persons.append(f"{phone[-4:]} in {name}: {', '.join(contacts)}")
        told = Counter(note_comments(vendor))
        for one in sent:
            row = by_uid.get(one.uid)
            if name not in one.to:
                continue
            if row is None:
                verdict.lost.append(f"{one.uid} was answered {one.lead_id} and is nowhere")
            elif not made[row.id] and places[row.id, name].outcome != "joined":
                verdict.lost.append(f"{one.uid} is not in {name}")
            elif made[row.id] and places[row.id, name].record_id != made[row.id][0]:
                found = places[row.id, name]
                verdict.untrue.append(f"{one.uid} in {name} is {made[row.id]}, not {found.record_id} ({found.state})")
            if told[one.comment] != 1:
                verdict.notes.append(f"{one.uid} in {name}: {told[one.comment]} notes")
    _order(verdict, deliveries, uid_of, {one.uid: one.number for one in sent})
    _first_touch(verdict, leads, rows(url, t_person))
    return verdict


def _order(verdict: Verdict, deliveries: list[Any], uid_of: Mapping[str, str], number_of: Mapping[str, int]) -> None:
    """Leads of one person are taken in in the order of sending, and arrive in each CRM in that order."""
    lanes: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in deliveries:
        lanes[row.lane, row.connection].append(row)
    for (_, connection), lane in lanes.items():
        lane.sort(key=lambda row: row.place)
        uids = [uid_of[row.lead_id] for row in lane]
        sent = [number_of[uid] for uid in uids if uid in number_of]
        if sent != sorted(sent):
            verdict.disordered.append(f"{uids} were taken in in this order for {connection}")
        numbers = [int(row.record_id) for row in lane if row.outcome == "created"]
        if numbers != sorted(numbers):
            verdict.disordered.append(f"{uids} became {numbers} in {connection}")


def _first_touch(verdict: Verdict, leads: list[Any], persons: list[Any]) -> None:
    by_id = {row.id: row for row in leads}
    for person in persons:
        first = by_id.get(person.first_lead_id)
        if first is None or (first.data.get("touch") or {}) != person.first_touch:
            verdict.first_touch.append(person.id)
