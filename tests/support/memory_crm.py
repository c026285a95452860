"""A CRM in memory that keeps the protocol of connectors.records, with the faults that real ones have."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import AuthError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.records import (
    LINKS,
    OBJECTS,
    Change,
    LinkChange,
    NewRecord,
    Page,
    Record,
    RecordCapabilities,
    RecordField,
    RecordObject,
    Stub,
    StubPage,
    Written,
)
from leads import normalize, phones
from leads.clock import Clock
from leads.identity import Key


class Died(BaseException):
    """Our process ended between two writes of this CRM."""


EVERYTHING = RecordCapabilities(
    objects=frozenset(OBJECTS),
    read_batch=10,
    create_batch=5,
    update_batch=5,
    remove_batch=5,
    link_batch=5,
    overlap_s=30.0,
    sees_deleted=False,
    finds_by=frozenset({"phone", "email"}),
    archives=frozenset(OBJECTS),
    deletes=frozenset(OBJECTS),
    tags=frozenset(OBJECTS),
)

LISTS = ("phones", "emails", "tags")
FIELDS: Mapping[RecordObject, tuple[str, ...]] = {
    "contact": (
        "name",
        "first_name",
        "last_name",
        "position",
        "phones",
        "emails",
        "responsible",
        "tags",
        "external_id",
    ),
    "company": ("name", "phones", "emails", "website", "inn", "responsible", "tags", "external_id"),
    "deal": ("title", "price", "currency", "pipeline", "stage", "responsible", "tags", "comment", "external_id"),
    "lead": ("title", "price", "currency", "stage", "responsible", "tags", "comment", "external_id"),
}


@dataclass(slots=True)
class Stored:
    """One record as the CRM itself keeps it."""

    id: str
    object: RecordObject
    values: dict[str, Any]
    modified_at: datetime
    visible_at: float
    modified_by: str = "person"
    links: dict[RecordObject, list[str]] = field(default_factory=dict)
    deleted: bool = False
    merged_into: str = ""
    key: str = ""


@dataclass
class MemoryCrm:
    """`skew_s`: its clock against ours. `lag_s`: how long a change stays invisible to `changed` and `find`.

    `lose_replies`: so many of the next writes happen and answer nothing; `refuse_next`: so many of the next calls are
    refused before anything happens. `die_after`: so many records are still written, then our process is dead.
    `bad`: a record that this is true of is refused in its batch, alone. `normalise`: what the CRM makes of a value
    that is written. `unique_email`: as HubSpot has it.
    """

    name: str
    clock: Clock
    capabilities: RecordCapabilities = EVERYTHING
    skew_s: float = 0.0
    lag_s: float = 0.0
    page: int = 3
    precision_s: float = 1.0
    lose_replies: int = 0
    refuse_next: int = 0
    die_after: int | None = None
    bad: Callable[[Mapping[str, Any]], bool] = lambda values: False
    normalise: Callable[[str, Any], Any] = lambda name, value: value
    unique_email: bool = False
    unauthorized: bool = False
    tells_time: bool = True
    links_in_records: bool = True
    moves_on_link: bool = False
    records: dict[tuple[RecordObject, str], Stored] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    writes: list[tuple[str, str]] = field(default_factory=list)
    """(operation, record id) of everything that we made it write."""
    _number: int = 0

    # --- what people do in it --------------------------------------------------------------------------------

    def put(self, object: RecordObject, /, **values: Any) -> str:
        """A person makes a record; returns its id."""
        return self._make(object, values, by="person").id

    def edit(self, object: RecordObject, id: str, /, **values: Any) -> None:
        stored = self.records[object, id]
        stored.values.update({name: self.normalise(name, value) for name, value in values.items()})
        self._touched(stored, "person")

    def remove(self, object: RecordObject, id: str) -> None:
        stored = self.records[object, id]
        stored.deleted = True
        self._touched(stored, "person")

    def merge(self, object: RecordObject, survivor: str, loser: str) -> None:
        """A person merges two: the survivor takes what it lacks, links included."""
        kept, gone = self.records[object, survivor], self.records[object, loser]
        for name, value in gone.values.items():
            if isinstance(value, tuple):
                kept.values[name] = tuple(dict.fromkeys((*kept.values.get(name, ()), *value)))
            elif not kept.values.get(name):
                kept.values[name] = value
        gone.deleted, gone.merged_into = True, survivor
        for each in self.records.values():
            for to, ids in each.links.items():
                if to == object and loser in ids:
                    each.links[to] = list(dict.fromkeys(survivor if one == loser else one for one in ids))
        self._touched(kept, "person")

    def connect(self, object: RecordObject, id: str, to: RecordObject, to_id: str, *, off: bool = False) -> None:
        """A person links two records, or parts them with `off`."""
        self._set_link(self.records[object, id], to, to_id, off=off, by="person")

    def alive(self, object: RecordObject) -> dict[str, Stored]:
        return {id: one for (kind, id), one in self.records.items() if kind == object and not one.deleted}

    def time(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.skew_s)

    # --- the protocol ------------------------------------------------------------------------------------------

    async def server_time(self) -> datetime | None:
        return self.time() if self.tells_time else None

    async def fields(self, object: RecordObject) -> tuple[RecordField, ...]:
        self._called("fields")
        return tuple(RecordField(name, name, several=name in LISTS) for name in FIELDS[object])

    async def changed(
        self, object: RecordObject, since: datetime | None, fields: Sequence[str], cursor: str = ""
    ) -> Page:
        self._called("changed")
        visible = self.clock.monotonic() - self.lag_s
        found = [
            one
            for one in self._of(object)
            if one.visible_at <= visible
            and (since is None or one.modified_at >= since)
            and (not one.deleted or (self.capabilities.sees_deleted and since is not None))
        ]
        found.sort(key=lambda one: (one.modified_at, int(one.id)))
        if cursor:
            at, id = cursor.split("|")
            found = [one for one in found if (one.modified_at.isoformat(), int(one.id)) > (at, int(id))]
        shown, more = found[: self.page], len(found) > self.page
        next_cursor = f"{shown[-1].modified_at.isoformat()}|{shown[-1].id}" if more else ""
        return Page(tuple(self._record(one, fields) for one in shown), next_cursor)

    async def listing(self, object: RecordObject, cursor: str = "") -> StubPage:
        self._called("listing")
        found = sorted((one for one in self._of(object) if not one.deleted), key=lambda one: int(one.id))
        found = [one for one in found if int(one.id) > int(cursor or 0)]
        shown = found[: self.page]
        return StubPage(
            tuple(Stub(one.id, one.modified_at) for one in shown),
            shown[-1].id if len(found) > self.page else "",
        )

    async def count(self, object: RecordObject) -> int | None:
        return sum(not one.deleted for one in self._of(object))

    async def read(self, object: RecordObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        self._called("read", ids, self.capabilities.read_batch)
        found = {}
        for id in ids:
            one = self.records.get((object, id))
            while one is not None and one.merged_into:
                one = self.records.get((object, one.merged_into))
            if one is not None and not one.deleted:
                found[id] = self._record(one, fields)
        return found

    async def find(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        self._called("find")
        visible = self.clock.monotonic() - self.lag_s
        found: dict[Key, tuple[str, ...]] = {}
        for key in keys:
            ids = [
                one.id
                for one in self._of(object)
                if not one.deleted and one.visible_at <= visible and key in _keys_of(one.values)
            ]
            if ids:
                found[key] = tuple(ids)
        return found

    async def create(self, object: RecordObject, records: Sequence[NewRecord]) -> list[Written]:
        self._called("create", records, self.capabilities.create_batch)
        done = []
        for new in records:
            if self.bad(new.values):
                done.append(Written(error=PermanentError("refused", "create", 400)))
                continue
            owner = self._owner_of_email(object, new.values) if self.unique_email else None
            if owner is not None:
                done.append(Written(owner.id, existed=True))
                continue
            made = self._make(object, new.values, by="leadhub", key=new.key)
            for to, ids in new.links.items():
                made.links[to] = list(ids)
            self._wrote("create", made.id)
            done.append(Written(made.id, modified_at=made.modified_at))
        self._answer("create")
        return done

    async def find_created(self, object: RecordObject, keys: Sequence[str], sent_at: datetime) -> dict[str, str]:
        self._called("find_created")
        return {one.key: one.id for one in self._of(object) if one.key in keys and not one.deleted}

    async def update(self, object: RecordObject, changes: Sequence[Change]) -> list[Written]:
        self._called("update", changes, self.capabilities.update_batch)
        done = []
        for change in changes:
            one = self.records.get((object, change.id))
            if one is None or one.deleted:
                done.append(Written(change.id, error=PermanentError("not found", "update", 404, gone=True)))
            elif self.bad(change.values):
                done.append(Written(change.id, error=PermanentError("refused", "update", 400)))
            else:
                one.values.update({name: self.normalise(name, value) for name, value in change.values.items()})
                self._touched(one, "leadhub")
                self._wrote("update", one.id)
                done.append(Written(one.id, values=dict(one.values), modified_at=one.modified_at))
        self._answer("update")
        return done

    async def archive(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        return self._removed("archive", object, ids)

    async def delete(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        return self._removed("delete", object, ids)

    async def tag(self, object: RecordObject, ids: Sequence[str], tag: str) -> list[Written]:
        self._called("tag", ids, self.capabilities.remove_batch)
        for id in ids:
            one = self.records[object, id]
            one.values["tags"] = tuple(dict.fromkeys((*one.values.get("tags", ()), tag)))
            self._touched(one, "leadhub")
            self._wrote("tag", id)
        self._answer("tag")
        return [Written(id) for id in ids]

    async def links(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        self._called("links")
        found = {id: self.records.get((object, id)) for id in ids}
        return {id: tuple(one.links.get(to, ())) for id, one in found.items() if one is not None and one.links.get(to)}

    async def link(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        self._called("link", changes, self.capabilities.link_batch)
        for change in changes:
            self._set_link(self.records[object, change.id], change.to, change.to_id, off=change.remove, by="leadhub")
            self._wrote("unlink" if change.remove else "link", change.id)
        self._answer("link")
        return [Written(change.id) for change in changes]

    async def deleted(self, object: RecordObject, since: datetime) -> tuple[Record, ...]:
        self._called("deleted")
        if not self.capabilities.sees_deleted:
            return ()
        return tuple(self._record(one, ()) for one in self._of(object) if one.deleted and one.modified_at >= since)

    # --- inside --------------------------------------------------------------------------------------------------

    def _of(self, object: RecordObject) -> Iterable[Stored]:
        return [one for (kind, _), one in self.records.items() if kind == object]

    def _called(self, operation: str, batch: Sequence[object] = (), at_most: int = 0) -> None:
        self.calls[operation] += 1
        assert not at_most or len(batch) <= at_most, f"{operation}: {len(batch)} in one call"
        if self.unauthorized:
            raise AuthError("the token is refused", operation, 401)
        if self.refuse_next > 0:
            self.refuse_next -= 1
            raise RetryableError("refused before anything happened", operation, 503)

    def _wrote(self, operation: str, id: str) -> None:
        self.writes.append((operation, id))
        if self.die_after is not None:
            self.die_after -= 1
            if self.die_after < 0:
                self.die_after = None
                raise Died

    def _answer(self, operation: str) -> None:
        if self.lose_replies > 0:
            self.lose_replies -= 1
            raise UnknownOutcomeError("ReadTimeout", operation)

    def _make(self, object: RecordObject, values: Mapping[str, Any], *, by: str, key: str = "") -> Stored:
        self._number += 1
        stored = Stored(
            str(self._number),
            object,
            {name: self.normalise(name, value) for name, value in values.items()},
            self.time(),
            0.0,
            links={to: [] for to in LINKS[object]},
            key=key,
        )
        self.records[object, stored.id] = stored
        self._touched(stored, by)
        return stored

    def _touched(self, stored: Stored, by: str) -> None:
        at = self.time()
        if self.precision_s >= 1:
            at = at.replace(microsecond=0)
        stored.modified_at, stored.modified_by, stored.visible_at = at, by, self.clock.monotonic()

    def _set_link(self, stored: Stored, to: RecordObject, to_id: str, *, off: bool, by: str) -> None:
        ids = stored.links.setdefault(to, [])
        if off and to_id in ids:
            ids.remove(to_id)
        elif not off and to_id not in ids:
            ids.append(to_id)
        if self.moves_on_link:
            self._touched(stored, by)

    def _removed(self, operation: str, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        self._called(operation, ids, self.capabilities.remove_batch)
        for id in ids:
            one = self.records.get((object, id))
            if one is not None and not one.deleted:
                one.deleted = True
                self._touched(one, "leadhub")
                self._wrote(operation, id)
        self._answer(operation)
        return [Written(id) for id in ids]

    def _owner_of_email(self, object: RecordObject, values: Mapping[str, Any]) -> Stored | None:
        wanted = {normalize.email(text) for text in values.get("emails", ())} - {""}
        for one in self._of(object):
            if not one.deleted and wanted & {normalize.email(text) for text in one.values.get("emails", ())}:
                return one
        return None

    def _record(self, stored: Stored, fields: Sequence[str]) -> Record:
        record = Record(
            stored.id,
            stored.object,
            {name: value for name, value in stored.values.items() if name in fields},
            stored.modified_at,
            stored.modified_by,
            deleted=stored.deleted,
            merged_into=stored.merged_into,
            key=stored.key,
        )
        if not self.links_in_records:
            return record
        return replace(record, links={to: tuple(ids) for to, ids in stored.links.items()})


def _keys_of(values: Mapping[str, Any]) -> set[Key]:
    found = {Key("email", address) for text in values.get("emails", ()) if (address := normalize.email(text))}
    for text in values.get("phones", ()):
        found |= {Key("phone", number) for number in phones.phones(text, "RU").found}
    return found
