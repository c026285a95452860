"""What people do in the sandbox account of amoCRM meanwhile: they add, edit, delete, merge and link records."""

from typing import Any

from connectors.sandbox import amocrm_data as data
from connectors.sandbox.amocrm_account import Account
from connectors.sandbox.amocrm_data import Record

PERSON = data.USERS[1][0]


class People(Account):
    """Ids are text. Records are named as the vendor names them: leads, contacts, companies."""

    def put(self, entity: str, item: Record) -> str:
        """A person adds a record; `item` as the API would be given it."""
        record = self._make(entity, item)()
        record.update(created_by=PERSON, updated_by=PERSON)
        return str(record["id"])

    def edit(self, entity: str, record_id: str, item: Record) -> None:
        record = self._change(entity, record_id, item)()
        record["updated_by"] = PERSON

    def remove(self, entity: str, record_id: str) -> None:
        """Into the bin; the record is not shown any more."""
        record = self.stores[entity].records[record_id]
        self._seen(entity, record, is_deleted=True)
        self.happened("delete", entity, record)

    def merge(self, entity: str, kept_id: str, gone_id: str) -> None:
        """The kept one takes what it lacks, links included; the other is gone."""
        kept, gone = self.stores[entity].records[kept_id], self.stores[entity].records[gone_id]
        have = {row["field_id"]: row for row in kept["custom_fields_values"] or []}
        for row in gone["custom_fields_values"] or []:
            if row["field_id"] not in have:
                have[row["field_id"]] = row
            elif row["field_type"] == "multitext":
                known = {value["value"] for value in have[row["field_id"]]["values"]}
                have[row["field_id"]]["values"] += [one for one in row["values"] if one["value"] not in known]
        kept["custom_fields_values"] = list(have.values()) or None
        kept["name"] = kept["name"] or gone["name"]
        for to in ("leads", "contacts", "companies"):
            for link in list(gone["_embedded"].get(to, ())):
                other = self.stores[to].records[str(link["id"])]
                self.part((entity, gone), (to, other))
                if to != "companies" or not kept["_embedded"].get("companies"):
                    self.join((entity, kept), (to, other), main=bool(link.get("is_main")))
        self._seen(entity, kept)
        self.happened("update", entity, kept)
        self.remove(entity, gone_id)

    def connect(self, entity: str, record_id: str, to: str, to_id: str, *, off: bool = False) -> None:
        """Links two records, or parts them with `off`. The modification times stay."""
        one, other = (entity, self.stores[entity].records[record_id]), (to, self.stores[to].records[to_id])
        if off:
            self.part(one, other)
        else:
            self.join(one, other)

    def delete_deal(self, deal_id: str) -> None:
        self.remove("leads", deal_id)

    def merge_contacts(self, kept_id: str, gone_id: str) -> None:
        self.merge("contacts", kept_id, gone_id)

    def move_deal(self, deal_id: str, pipeline_id: int, status_id: int) -> None:
        deal = self.deals[deal_id]
        deal.update(pipeline_id=pipeline_id, status_id=status_id)
        deal["closed_at"] = self._now() if status_id in (142, 143) else None
        self._seen("leads", deal)
        self.happened("update", "leads", deal)

    def _seen(self, entity: str, record: Record, **more: Any) -> None:
        record.update(updated_at=self._now(), updated_by=PERSON, **more)
        self.stores[entity].touch(record, self.clock.monotonic())
