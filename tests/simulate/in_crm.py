"""What must be true of one CRM once all is delivered."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.crm_views import (
    contact_phones,
    contacts_of_deals,
    deal_keys,
    is_comment,
    note_comments,
    task_comments,
)


def broken_in(connection: str, vendor: Any, leads: Mapping[str, Any], deliveries: Sequence[Any]) -> Iterator[str]:
    """What is not as promised. `leads` by id."""
    by_comment = {row.data.get("comment", ""): row.id for row in leads.values()}
    delivered = [row for row in deliveries if row.connection == connection and row.state == "delivered"]
    made = defaultdict(list)
    for record_id, key in deal_keys(vendor, by_comment):
        made[key].append(record_id)
    ids = {record_id for records in made.values() for record_id in records}
    for key, records in made.items():
        if len(records) > 1:
            yield f"doubled: {leads[key].lead_uid if key in leads else key} in {connection}: {records}"
    for row in delivered:
        uid = leads[row.lead_id].lead_uid
        if row.record_id not in ids:
            yield f"not in {connection}: {uid} as {row.record_id}"
        if row.outcome == "created" and made[row.lead_id] != [row.record_id]:
            yield f"not its own record in {connection}: {uid}"
        if row.outcome == "joined" and made[row.lead_id]:
            yield f"joined and made as well in {connection}: {uid}"
    yield from _told(connection, vendor, leads, delivered)
    yield from _contacts(connection, vendor, leads, delivered)


def _told(connection: str, vendor: Any, leads: Mapping[str, Any], delivered: Sequence[Any]) -> Iterator[str]:
    """Each enquiry has one note and one task."""
    notes, tasks = Counter(note_comments(vendor)), Counter(task_comments(vendor))
    for row in delivered:
        lead = leads[row.lead_id]
        said = lead.data.get("comment", "")
        if is_comment(said) and notes[said] != 1:
            yield f"{lead.lead_uid} in {connection}: {notes[said]} notes"
        if is_comment(said) and tasks[said] != 1:
            yield f"{lead.lead_uid} in {connection}: {tasks[said]} tasks"


def _contacts(connection: str, vendor: Any, leads: Mapping[str, Any], delivered: Sequence[Any]) -> Iterator[str]:
    """Each person has one contact, and it is that of his deals.

    But for who wrote and called before it was known that both are one: a repeat of his joins the deal of either.
    """
    phones, linked = contact_phones(vendor), contacts_of_deals(vendor)
    for phone, contacts in phones.items():
        if len(contacts) > 1:
            yield f"one person, several contacts in {connection}: {phone} {contacts}"
    for row in delivered:
        lead = leads[row.lead_id]
        if row.outcome != "created":
            continue
        his = phones.get(lead.phones[0][-10:], []) if lead.phones else linked.get(row.record_id, [])
        if not set(his) & set(linked.get(row.record_id, [])):
            yield f"{lead.lead_uid} in {connection}: deal {row.record_id} is of {linked.get(row.record_id)}, not {his}"
