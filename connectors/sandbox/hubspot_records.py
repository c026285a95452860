"""The records of the sandbox account: unique values, links, recycle bin, merging."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from connectors.sandbox.hubspot_errors import RefusedError, exists, not_found, taken
from connectors.sandbox.hubspot_schema import (
    ASSOCIATIONS,
    LIFECYCLE,
    MODIFIED,
    SHOWN,
    SINGULAR,
    TYPES,
    Schema,
    derived,
    stamp,
)

Record = dict[str, Any]
FIRST_ID = 70_000_000_001


class Records:
    """`touched(type, id)` is called after every change: the search index follows later."""

    happened: Callable[..., None]
    """(type, event, id, more of the event): told of what people subscribe to."""

    def __init__(self, schema: Schema, now: Callable[[], datetime], touched: Callable[[str, str], None]) -> None:
        self.happened = lambda type_, what, id_, **more: None
        self.schema = schema
        self._now = now
        self._touched = touched
        self.live: dict[str, dict[str, Record]] = {type_: {} for type_ in TYPES}
        self.archived: dict[str, dict[str, Record]] = {type_: {} for type_ in TYPES}
        self.merged: dict[str, dict[str, str]] = {type_: {} for type_ in TYPES}
        self.links: dict[tuple[str, str], dict[str, dict[str, list[int]]]] = {}
        """(type, id) -> type of the other -> id of the other -> association types."""
        self.next_id = FIRST_ID
        self._by_value: dict[tuple[str, str], dict[str, str]] = {}
        """(type, unique property) -> value in lower case -> id."""

    # --- reading --------------------------------------------------------------------------

    def find(self, type_: str, id_: str, id_property: str = "", *, archived: bool = False) -> Record | None:
        if id_property and id_property != "hs_object_id":
            self._check_id_property(type_, id_property)
            id_ = self._by_value.get((type_, id_property), {}).get(id_.lower(), "")
        if archived:
            return self.archived[type_].get(id_)
        return self.live[type_].get(self.merged[type_].get(id_, id_))

    def get(self, type_: str, id_: str, id_property: str = "", *, archived: bool = False) -> Record:
        record = self.find(type_, id_, id_property, archived=archived)
        if record is None:
            raise not_found()
        return record

    def _check_id_property(self, type_: str, name: str) -> None:
        if (type_, name) != ("contacts", "email") and name not in self.schema.unique(type_):
            raise RefusedError(400, f"Unable to perform read by non-unique {type_} property {name}")

    def view(self, type_: str, record: Record, asked: Iterable[str] = (), links: Iterable[str] = ()) -> Record:
        """As an answer shows it: what was asked for, the undefined left out, the empty as null."""
        defined = self.schema.properties[type_]
        names = [*(list(asked) or SHOWN[type_]), "hs_object_id", "createdate", "hs_createdate", MODIFIED[type_]]
        shown = {name: record["properties"].get(name) for name in names if name in defined}
        answer = {**record, "properties": shown}
        found = {}
        for to in links:
            others = self.links.get((type_, record["id"]), {}).get(to, {})
            label = f"{SINGULAR[type_].lower()}_to_{SINGULAR[to].lower()}"
            if others:
                found[to] = {"results": [{"id": id_, "type": label} for id_ in others]}
        return {**answer, "associations": found} if found else answer

    def full(self, record: Record) -> Record:
        """As the answer to a write shows it: everything that is set."""
        return {**record, "properties": {k: v for k, v in record["properties"].items() if v is not None}}

    # --- writing ----------------------------------------------------------------------------

    def create(self, type_: str, given: Mapping[str, Any], links: list[Any]) -> Record:
        if not isinstance(given, Mapping):
            raise RefusedError(400, "Invalid input JSON: properties must be an object")
        clean = self.schema.check(type_, given, {})
        self.schema.check_required(type_, clean)
        clean.update(derived(clean))
        if clean.get("email"):
            clean["email"] = str(clean["email"]).lower()
        wanted = [self._read_link(type_, link) for link in links]
        self._check_unique(type_, clean, str(self.next_id))
        now = stamp(self._now())
        id_ = str(self.next_id)
        self.next_id += 1
        created = "createdate" if "createdate" in self.schema.properties[type_] else "hs_createdate"
        clean.setdefault(created, now)
        clean |= {"hs_object_id": id_, MODIFIED[type_]: now}
        record = {"id": id_, "properties": clean, "createdAt": now, "updatedAt": now, "archived": False}
        self.live[type_][id_] = record
        self._remember(type_, clean, id_)
        for to, to_id, types in wanted:
            self.link(type_, id_, to, to_id, types)
        self._touched(type_, id_)
        self.happened(type_, "creation", id_)
        return record

    def update(self, type_: str, record: Record, given: Mapping[str, Any]) -> Record:
        held = record["properties"]
        clean = self.schema.check(type_, given, held)
        clean.update(derived(clean))
        if clean.get("email"):
            clean["email"] = str(clean["email"]).lower()
        if "lifecyclestage" in clean and _goes_back(held.get("lifecyclestage"), clean["lifecyclestage"]):
            clean.pop("lifecyclestage")  # answered with success, and nothing changes
        self._check_unique(type_, clean, record["id"])
        self._forget(type_, {name: held.get(name) for name in clean}, record["id"])
        held.update(clean)
        self._remember(type_, clean, record["id"])
        self._modified(type_, record)
        for name in clean:
            self.happened(type_, "propertyChange", record["id"], propertyName=name, propertyValue=clean[name] or "")
        return record

    def archive(self, type_: str, id_: str) -> None:
        """Into the recycle bin; its unique values are free again."""
        record = self.live[type_].pop(id_, None)
        if record is None:
            return
        self._forget(type_, record["properties"], id_)
        now = stamp(self._now())
        self.archived[type_][id_] = {**record, "archived": True, "archivedAt": now}
        self._unlink_all(type_, id_)
        self._touched(type_, id_)
        self.happened(type_, "deletion", id_)

    def undo_create(self, type_: str, id_: str) -> None:
        """For a batch that succeeds as a whole or not at all."""
        record = self.live[type_].pop(id_)
        self._forget(type_, record["properties"], id_)
        self._unlink_all(type_, id_)
        self._touched(type_, id_)

    def merge(self, type_: str, primary_id: str, other_id: str) -> Record:
        """A new record with a new id replaces both; what the primary has wins."""
        primary, other = self.get(type_, primary_id), self.get(type_, other_id)
        if primary is other:
            return primary
        id_ = str(self.next_id)
        self.next_id += 1
        olds = [primary["id"], other["id"]]
        values = {name: value for name, value in other["properties"].items() if value is not None}
        values |= {name: value for name, value in primary["properties"].items() if value is not None}
        if type_ == "contacts" and other["properties"].get("email") not in (None, values.get("email")):
            values["hs_additional_emails"] = other["properties"]["email"]
        values |= {"hs_object_id": id_, "hs_merged_object_ids": ";".join(olds)}
        record = {**primary, "id": id_, "properties": values}
        for old in (primary, other):
            self._forget(type_, old["properties"], old["id"])
            self.live[type_].pop(old["id"])
        self.live[type_][id_] = record
        self._remember(type_, values, id_)
        for old in olds:
            for to, others in list(self.links.get((type_, old), {}).items()):
                for to_id, types in list(others.items()):
                    self.link(type_, id_, to, to_id, types)
            self._unlink_all(type_, old)
        for old in [*olds, *(key for key, new in self.merged[type_].items() if new in olds)]:
            self.merged[type_][old] = id_
            self._touched(type_, old)
        self._modified(type_, record)
        more = {"primaryObjectId": int(olds[0]), "mergedObjectIds": [int(olds[1])], "newObjectId": int(id_)}
        self.happened(type_, "merge", id_, **more)
        return record

    def _modified(self, type_: str, record: Record) -> None:
        now = stamp(self._now())
        record["updatedAt"] = now
        record["properties"][MODIFIED[type_]] = now
        self._touched(type_, record["id"])

    # --- unique values ------------------------------------------------------------------------

    def _check_unique(self, type_: str, clean: Mapping[str, str | None], id_: str) -> None:
        email = clean.get("email")
        if type_ == "contacts" and email:
            holder = self._by_value.get((type_, "email"), {}).get(email, id_)
            if holder != id_:
                raise exists(holder)
        for name in self.schema.unique(type_):
            value = clean.get(name)
            holder = self._by_value.get((type_, name), {}).get(value.lower(), id_) if value else id_
            if value and holder != id_:
                raise taken(SINGULAR[type_], name, value, id_, holder)

    def _held_values(self, type_: str, properties: Mapping[str, str | None]) -> list[tuple[str, str]]:
        names = [*self.schema.unique(type_), *(["email"] if type_ == "contacts" else [])]
        found = [(name, str(properties[name]).lower()) for name in names if properties.get(name)]
        if type_ == "contacts":
            more = str(properties.get("hs_additional_emails") or "").lower().split(";")
            found += [("email", one) for one in more if one]
        return found

    def _remember(self, type_: str, properties: Mapping[str, str | None], id_: str) -> None:
        for name, value in self._held_values(type_, properties):
            self._by_value.setdefault((type_, name), {})[value] = id_

    def _forget(self, type_: str, properties: Mapping[str, str | None], id_: str) -> None:
        for name, value in self._held_values(type_, properties):
            if self._by_value.get((type_, name), {}).get(value) == id_:
                del self._by_value[(type_, name)][value]

    def rebuild(self) -> None:
        """The table of unique values anew: after a restore."""
        self._by_value.clear()
        for type_, records in self.live.items():
            for id_, record in records.items():
                self._remember(type_, record["properties"], id_)
                self._touched(type_, id_)

    # --- links ----------------------------------------------------------------------------------

    def _read_link(self, type_: str, link: Any) -> tuple[str, str, list[int]]:
        """One of the `associations` of a create: (type of the other, its id, association types)."""
        try:
            to_id = str(link["to"]["id"])
            types = [int(item["associationTypeId"]) for item in link["types"]]
        except (KeyError, TypeError, ValueError):
            raise RefusedError(400, "Invalid input JSON: associations") from None
        for (from_, to), ids in ASSOCIATIONS.items():
            if from_ == type_ and types and set(types) <= set(filter(None, ids)):
                return to, self.linkable(to, to_id), types
        raise RefusedError(400, f"One or more association types {types} are not valid for {SINGULAR[type_]}")

    def linkable(self, type_: str, id_: str) -> str:
        """The id to link to; a merged record is linked by its new id only."""
        record = self.live[type_].get(id_)
        if record is None:
            raise RefusedError(400, f"Association is not valid: {SINGULAR[type_]} {id_} does not exist")
        return str(record["id"])

    def link(self, type_: str, id_: str, to: str, to_id: str, types: Iterable[int] = ()) -> None:
        unlabelled, primary = ASSOCIATIONS[(type_, to)]
        back, back_primary = ASSOCIATIONS[(to, type_)]
        is_primary = bool(primary) and primary in types
        there = self.links.setdefault((type_, id_), {}).setdefault(to, {})
        there[to_id] = [primary, unlabelled] if is_primary else [unlabelled]
        here = self.links.setdefault((to, to_id), {}).setdefault(type_, {})
        here[id_] = [back_primary, back] if is_primary and back_primary else [back]

    def unlink(self, type_: str, id_: str, to: str, to_id: str) -> None:
        self.links.get((type_, id_), {}).get(to, {}).pop(to_id, None)
        self.links.get((to, to_id), {}).get(type_, {}).pop(id_, None)

    def _unlink_all(self, type_: str, id_: str) -> None:
        for to, others in self.links.pop((type_, id_), {}).items():
            for to_id in others:
                self.links.get((to, to_id), {}).get(type_, {}).pop(id_, None)


def _goes_back(held: str | None, new: str | None) -> bool:
    if not held or not new or held not in LIFECYCLE or new not in LIFECYCLE:
        return False
    return LIFECYCLE.index(new) < LIFECYCLE.index(held)
