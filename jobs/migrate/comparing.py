"""Both sides after a move, or the old one before it: counted, summed, compared record by record."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from connectors.errors import AuthError, ConnectorError
from connectors.records import Record, RecordObject
from jobs.migrate.model import Step
from jobs.migrate.opening import Ready
from jobs.sync.looking import gently
from jobs.sync.model import End, Sync
from leads.merge import OTHER, same
from mappings.accounts import AccountField
from mappings.checker import ExpressionError
from mappings.compare import time_of
from mappings.names import stage_of
from mappings.pairs import FieldPair, NotCarried
from mappings.values import is_empty
from store import sync_pairs, sync_records
from store.sync_pairs import Pair

SHOWN: Final = 20
"""Examples kept of each kind of difference."""
MORE_FIELDS: Final = 100
A_DAY: Final = timedelta(days=1)
"""Some CRMs keep the day where others keep the moment, each in its own zone."""


@dataclass(slots=True)
class Money:
    """Sums of one currency ("" where the CRM does not say). `expected`: what is to come of `old`, rounded as there."""

    old: Decimal = Decimal(0)
    expected: Decimal = Decimal(0)
    new: Decimal = Decimal(0)


@dataclass(slots=True)
class Tally:
    """One kind of record. `there`: those whose partner stands in the new CRM. `new_total` None: that does not tell.
    `keeps_currency`: the new CRM has a field for what the old one tells of it."""

    object: RecordObject
    old: int = 0
    there: int = 0
    new_total: int | None = None
    absent: Counter[str] = field(default_factory=Counter)
    absent_ids: list[dict[str, str]] = field(default_factory=list)
    filtered: int = 0
    stages: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """(old stage, stage that it becomes) -> records, those that stand there."""
    keeps_currency: bool = True
    money: dict[str, Money] = field(default_factory=lambda: defaultdict(Money))
    links: int = 0
    links_there: int = 0
    orphans: list[dict[str, str]] = field(default_factory=list)
    orphan_count: int = 0
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(field, value that the new CRM does not have) -> records."""
    left_behind: Counter[str] = field(default_factory=Counter)
    """Fields that the dictionary does not name -> records where they hold something."""
    fields_compared: int = 0
    differences: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    """Fields in which the new CRM kept what it had before the move."""

    @property
    def found(self) -> dict[str, int]:
        """What is not as it should be, and how often; without zeros."""
        counts = {
            "absent": sum(self.absent.values()),
            "stages": sum(all_ - there for all_, there in self.stages.values()),
            "sums": sum(one.expected != one.new for one in self.money.values()),
            "links": self.orphan_count,
            "unmapped": sum(self.unmapped.values()),
            "fields": sum(self.differences.values()),
        }
        return {name: count for name, count in counts.items() if count}


async def survey(ready: Ready, *, both: bool) -> list[Tally]:
    """`both`: also what stands in the new CRM. Raises ConnectorError."""
    return [await _Walk(ready, step, both).whole() for step in ready.move.steps]


class _Walk:
    def __init__(self, ready: Ready, step: Step, both: bool) -> None:
        self._ready, self._step, self._both = ready, step, both
        self._sync: Sync = ready.sync(step)
        self._old: End = ready.source(step)
        self._new: End = ready.target(step)
        self._to = OTHER[step.source]
        self._tally = Tally(step.object)
        self._seen: set[str] = set()
        mapped = self._sync.keys(step.source)
        known = {one.key for one in self._old.account.fields or ()}
        rest = (one.key for one in self._old.account.fields or () if one.key not in mapped and _worth_telling(one))
        self._more = list(rest)[:MORE_FIELDS]
        money = [key for key in ("price", "currency", "stage", "pipeline") if key in known]
        self._keys = tuple(dict.fromkeys((*mapped, *money, *self._more)))
        there = {one.key for one in self._new.account.fields or ()}
        wanted = [key for key in ("price", "currency", "stage", "pipeline") if key in there]
        self._tally.keeps_currency = "currency" in there or "currency" not in known
        self._new_keys = tuple(dict.fromkeys((*self._sync.keys(self._to), *wanted)))

    async def whole(self) -> Tally:
        async for records in self._pages():
            await self._page(records)
        if self._both:
            self._tally.new_total = await self._count()
        return self._tally

    async def _count(self) -> int | None:
        try:
            found: int | None = await self._ask(self._new, lambda: self._new.port.count(self._step.object))
            return found if found is None or found >= self._tally.there else None  # an index that lags behind
        except AuthError:
            raise
        except ConnectorError:
            return None

    async def _pages(self) -> AsyncIterator[list[Record]]:
        cursor = ""
        while True:
            page = await self._ask(
                self._old, lambda cursor=cursor: self._old.port.changed(self._step.object, None, self._keys, cursor)
            )
            fresh = {one.id: one for one in page.records if not one.deleted and not one.merged_into}
            records = [one for id, one in fresh.items() if id not in self._seen]
            self._seen.update(one.id for one in records)
            if records:
                yield records
            cursor = page.cursor
            if not cursor:
                return

    async def _page(self, records: Sequence[Record]) -> None:
        records = [one for one in records if self._passes(one)]
        pairs: dict[str, Pair] = {}
        partners: dict[str, Record] = {}
        if self._both:
            ids = [one.id for one in records]
            side = self._step.source
            pairs = await self._ready.db.read(sync_pairs.partners, self._step.sync, side, ids)
            partners = await self._read([pair.on(self._to) for pair in pairs.values()])
        for one in records:
            self._one(one, pairs.get(one.id), partners)
        if self._both:
            await self._absent([one.id for one in records if self._partner(one, pairs, partners) is None])
            there = {one.id: pairs[one.id] for one in records if self._partner(one, pairs, partners) is not None}
            await self._links({one.id: one for one in records if one.id in there}, there)

    def _passes(self, one: Record) -> bool:
        try:
            passes = self._sync.passes(self._step.source, one.values)
        except ExpressionError:
            passes = False
        self._tally.filtered += not passes
        return passes

    def _partner(self, one: Record, pairs: Mapping[str, Pair], partners: Mapping[str, Record]) -> Record | None:
        pair = pairs.get(one.id)
        found = partners.get(pair.on(self._to)) if pair else None
        return None if found is None or found.deleted else found

    # --- one record ----------------------------------------------------------------------------------------------

    def _one(self, one: Record, pair: Pair | None, partners: Mapping[str, Record]) -> None:
        tally, partner = self._tally, self._partner(one, {one.id: pair} if pair else {}, partners)
        tally.old += 1
        tally.there += partner is not None
        expected = self._expected(one)
        for key in self._more:
            if not is_empty(one.values.get(key)) and one.values.get(key) is not False:
                known = self._old.account.field(key)
                tally.left_behind[(known.name or known.code if known else "") or key] += 1
        kept = self._compare(one, pair, partner) if partner is not None and pair is not None else frozenset()
        if self._step.object == "deal":
            self._stage(one, expected, partner, "stage" in kept)
            self._sum(one, expected, partner, "price" in kept)

    def _expected(self, one: Record) -> dict[str, Any]:
        """What the partner shall hold; what cannot be carried is noted."""
        values: dict[str, Any] = {}
        for pair in self._sync.mapping.pairs:
            if not pair.goes(self._to):
                continue
            try:
                values |= pair.carry(one.values, self._to)
            except NotCarried:
                if not pair.optional:
                    self._tally.unmapped[pair.name, self._told(pair, one)] += 1
        return values

    def _told(self, pair: FieldPair, one: Record) -> str:
        """The value as people call it, where it is one of a list; no person's data."""
        if pair.type not in ("stage", "enum", "user"):
            return ""
        value = pair.comparable(one.values, self._step.source)
        return value if isinstance(value, str) else ", ".join(value)

    def _compare(self, one: Record, pair: Pair, partner: Record) -> frozenset[str]:
        """Returns the names of fields that are as the new CRM had them before."""
        kept = set()
        for fields in self._sync.mapping.pairs:
            if not fields.goes(self._to):
                continue
            self._tally.fields_compared += 1
            sides = (one.values, partner.values) if self._step.source == "left" else (partner.values, one.values)
            if fields.same(*sides) or self._close(fields, one, partner) or self._not_carried(fields, one):
                continue
            forms = [fields.comparable(one.values, self._step.source), fields.comparable(partner.values, self._to)]
            if not forms[0]:
                continue  # nothing to carry; the new CRM filled it by itself
            base = (pair.base or {}).get(fields.name)
            agreed = [base.left, base.right] if base and self._step.source == "left" else []
            agreed = [base.right, base.left] if base and self._step.source == "right" else agreed
            found_there = not pair.key or partner.key != pair.key
            if agreed and found_there and all(same(was, now) for was, now in zip(agreed, forms, strict=True)):
                self._tally.kept[fields.name] += 1
                kept.add(fields.name)
                continue
            self._tally.differences[fields.name] += 1
            if len(self._tally.examples) < SHOWN:
                self._tally.examples.append(
                    {"field": fields.name, "old_id": one.id, "new_id": partner.id, "old": forms[0], "new": forms[1]}
                )
        return frozenset(kept)

    def _not_carried(self, fields: FieldPair, one: Record) -> bool:
        try:
            fields.carry(one.values, self._to)
        except NotCarried:
            return True
        return False

    def _close(self, fields: FieldPair, one: Record, partner: Record) -> bool:
        if fields.type not in ("date", "datetime"):
            return False
        zone = self._old.account.zone
        times = [
            time_of(record.values.get(fields.end(side).key), zone)
            for record, side in ((one, self._step.source), (partner, self._to))
        ]
        days = [time.date() if isinstance(time, datetime) else time for time in times if time is not None]
        return len(days) == 2 and abs(days[0] - days[1]) <= A_DAY

    def _stage(self, one: Record, expected: Mapping[str, Any], partner: Record | None, kept: bool) -> None:
        stage = stage_of(one.values, self._old.account)
        become = stage_of(expected, self._new.account) if "stage" in expected else None
        counts = self._tally.stages[_name(stage, one.values), _name(become, {})]
        counts[0] += 1
        if partner is not None:
            now = stage_of(partner.values, self._new.account)
            counts[1] += kept or become is None or (now is not None and _name(now, {}) == _name(become, {}))

    def _sum(self, one: Record, expected: Mapping[str, Any], partner: Record | None, kept: bool) -> None:
        money = self._tally.money[str(one.values.get("currency") or "")]
        has = _number(partner.values.get("price")) if partner is not None else Decimal(0)
        money.old += _number(one.values.get("price"))
        money.new += has
        money.expected += has if kept else _number(expected.get("price"))

    # --- what is not there ---------------------------------------------------------------------------------------

    async def _absent(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        side, name = self._step.source, self._step.sync
        rows = await self._ready.db.read(sync_records.rows, name, side, ids)
        for id in ids:
            status = rows[id].status if id in rows else ""
            why = status if status in ("ambiguous", "refused", "creating") else "absent"
            self._tally.absent[why] += 1
            if len(self._tally.absent_ids) < SHOWN:
                self._tally.absent_ids.append({"id": id, "why": why})

    async def _links(self, records: Mapping[str, Record], pairs: Mapping[str, Pair]) -> None:
        for sibling in self._sync.linked:
            side = OTHER[self._step.source] if sibling.swapped else self._step.source
            old = await self._linked(self._old, list(records), sibling.object, records)
            wanted = {id for ids in old.values() for id in ids}
            if not wanted:
                continue
            known = await self._ready.db.read(sync_pairs.partners, sync=sibling.sync, side=side, ids=wanted)
            new = await self._linked(self._new, [pairs[id].on(self._to) for id in old], sibling.object, {})
            for id, linked in old.items():
                there = new.get(pairs[id].on(self._to), ())
                for one in linked:
                    self._tally.links += 1
                    partner = known[one].on(OTHER[side]) if one in known else ""
                    if partner and partner in there:
                        self._tally.links_there += 1
                        continue
                    self._tally.orphan_count += 1
                    if len(self._tally.orphans) < SHOWN:
                        why = "not linked" if partner else f"the {sibling.object} is not there"
                        self._tally.orphans.append({"id": id, "to": sibling.object, "to_id": one, "why": why})

    async def _linked(
        self, end: End, ids: Sequence[str], to: RecordObject, known: Mapping[str, Record]
    ) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        rest = []
        for id in ids:
            links = known[id].links if id in known else None
            if links is None:
                rest.append(id)
            elif links.get(to):
                found[id] = tuple(links[to])
        size = end.can.link_batch

        async def some(batch: Sequence[str]) -> None:
            answer = await self._ask(end, lambda: end.port.links(self._step.object, batch, to))
            found.update({id: tuple(linked) for id, linked in answer.items() if linked})

        batches = [rest[start : start + size] for start in range(0, len(rest), size)]
        await gently([lambda batch=batch: some(batch) for batch in batches], end.can.parallel)
        return found

    async def _read(self, ids: Collection[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        wanted, end = list(ids), self._new

        async def some(batch: Sequence[str]) -> None:
            found.update(await self._ask(end, lambda: end.port.read(self._step.object, batch, self._new_keys)))

        size = end.can.read_batch
        batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        await gently([lambda batch=batch: some(batch) for batch in batches], end.can.parallel)
        return found

    async def _ask(self, end: End, call: Any) -> Any:
        return await self._ready.ask(call, of_new=end is self._new)


def _worth_telling(one: AccountField) -> bool:
    """Of a field that is left behind: not what a CRM keeps for itself."""
    key = one.key.casefold()
    ours = key.startswith("hs_") or key.endswith(("_id", "_ids")) or key in ("name", "pipeline", "created_at")
    return not one.read_only and not ours


def _name(stage: Any, values: Mapping[str, Any]) -> str:
    return f"{stage.pipeline}/{stage.name}" if stage else str(values.get("stage") or "")


def _number(value: Any) -> Decimal:
    try:
        found = Decimal(str(value or 0))
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)
