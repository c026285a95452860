"""Links of the sandbox account's records: of one record, and of many in one request."""

from typing import Any

from connectors.sandbox.amocrm_account import ENTITIES, Account
from connectors.sandbox.amocrm_data import Record
from connectors.sandbox.amocrm_records import Invalid


def links_of(entity: str, record: Record) -> list[Record]:
    rows = []
    for kind in ENTITIES:
        for link in record["_embedded"].get(kind, []):
            meta = {"main_contact": bool(link.get("is_main"))} if kind == "contacts" else None
            row = {"entity_id": record["id"], "entity_type": entity, "to_entity_id": link["id"]}
            rows.append({**row, "to_entity_type": kind, "metadata": meta})
    return rows


def change_links(account: Account, entity: str, items: Any, *, off: bool, entity_id: str = "") -> None:
    """Checks all items, then does them; raises Invalid for the first that names nothing."""
    if not isinstance(items, list) or not items:
        raise Invalid(("InvalidType", ""))
    pairs: list[tuple[Record, str, Record, bool]] = []
    for item in items:
        to = str(item.get("to_entity_type"))
        record = account.stores[entity].get(entity_id or str(item.get("entity_id")))
        target = account.stores[to].get(str(item.get("to_entity_id"))) if to in account.stores else None
        if record is None or target is None:
            raise Invalid(("NotSupportedChoice", "entity_id" if record is None else "to_entity_id"))
        pairs.append((record, to, target, bool((item.get("metadata") or {}).get("is_main"))))
    for record, to, target, main in pairs:
        if off:
            account.part((entity, record), (to, target))
        else:
            account.join((entity, record), (to, target), main=main)
