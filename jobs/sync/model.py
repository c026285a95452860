"""One sync at run time: its two sides, what is compared, what may go where."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.errors import ConnectorError
from connectors.records import LINKS, Record, RecordCapabilities, RecordObject, RecordPort
from jobs.config.syncs import SyncSettings
from jobs.sync.packing import pack
from leads.merge import OTHER, Flow, Side
from mappings.accounts import Account
from mappings.expressions import Condition, compile_condition, scope
from mappings.names import RecordView, labels_read
from mappings.pairs import FieldPair
from mappings.records import RecordMapping
from store.sync_records import Seen

SIDES: Final[tuple[Side, Side]] = ("left", "right")
WEAK: Final = ("phone", "email", "url")
"""Types of keys that two people or firms may share."""
WEAK_NAMES: Final = ("name", "first_name", "last_name", "title")
LONGEST_TITLE: Final = 80
OWN: Final = "own"
"""Kind of the key that leadhub itself wrote into a record: the same in both CRMs only for the same thing."""


@dataclass(frozen=True, slots=True)
class End:
    """One side: an open connection and what is known of its account. `look_again_s` as connectors.base.Capabilities."""

    connection: str
    port: RecordPort
    account: Account = field(default_factory=Account)
    look_again_s: tuple[float, ...] = ()
    title: str = ""
    address: str = ""

    @property
    def can(self) -> RecordCapabilities:
        return self.port.capabilities


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another sync between the same two connections: its pairs are ends of links. `swapped`: its left is our right."""

    sync: str
    object: RecordObject
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class Sync:
    """Frozen; `mapping` is bound to the two accounts."""

    name: str
    settings: SyncSettings
    mapping: RecordMapping
    left: End
    right: End
    siblings: tuple[Sibling, ...] = ()
    conditions: Mapping[Side, Condition] = field(default_factory=dict)
    others: Mapping[Side, tuple[tuple[str, Side], ...]] = field(default_factory=dict)
    """Side -> other syncs that write the same kind of record into its CRM, and on which side of theirs that is."""
    _keys: dict[Side, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def object(self) -> RecordObject:
        return self.settings.object

    def end(self, side: Side) -> End:
        return self.left if side == "left" else self.right

    def keys(self, side: Side) -> tuple[str, ...]:
        """All that is read of a record of this side."""
        if side not in self._keys:
            self._keys[side] = self._read_of(side)
        return self._keys[side]

    def _read_of(self, side: Side) -> tuple[str, ...]:
        asked = labels_read((self.settings.left_when if side == "left" else self.settings.right_when) or "", side)
        account = self.end(side).account
        more = ((known.key if (known := account.field(label)) else label) for label in asked)
        lead = self.lead_field(side)
        return tuple(dict.fromkeys((*self.mapping.keys(side), *more, *([lead] if lead else []))))

    def lead_field(self, side: Side) -> str:
        """Which value names the lead that a record of this side came out of, "" for none."""
        return self.end(side).can.lead_field if self.object == "deal" else ""

    def flow(self, pair: FieldPair) -> Flow | None:
        """Where this field's values go: what both the sync and the pair allow, None for nowhere."""
        way, own = self.settings.direction, pair.direction
        if way == "both" or way == own:
            return own
        return way if own == "both" else None

    def goes(self, to: Side) -> bool:
        """Whether records are carried to this side at all."""
        return self.settings.direction in ("both", "left_to_right" if to == "right" else "right_to_left")

    @property
    def strong(self) -> frozenset[str]:
        pairs = (self.mapping.pair(name) for name in self.mapping.match)
        names = {pair.name for pair in pairs if pair.type not in WEAK and pair.name not in WEAK_NAMES}
        return frozenset(names | {OWN})

    @property
    def linked(self) -> tuple[Sibling, ...]:
        """The syncs whose records ours own links to."""
        return tuple(one for one in self.siblings if one.object in LINKS[self.object])

    def passes(self, side: Side, values: Mapping[str, Any]) -> bool:
        """Whether the record is one of those that are synced. Raises mappings.checker.ExpressionError."""
        condition = self.conditions.get(side)
        if condition is None:
            return True
        view = RecordView(values, self.end(side).account)
        return condition(scope({side: view, OTHER[side]: {}}))

    def known_by(self, side: Side, values: Mapping[str, Any], own_key: str = "") -> tuple[str, tuple[str, ...]]:
        """The digest of what is synced: the same for values that are equal by the rules. And the match keys.

        What a condition reads counts too.
        """
        forms: dict[str, Any] = self.mapping.comparables(values, side)
        texts = self.mapping.keys_among(forms)
        if side in self.conditions:
            forms["?"] = _passes(self, side, values)
        whole = json.dumps(forms, sort_keys=True, ensure_ascii=False)
        mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        keys = [key_of(name, text) for name, some in texts.items() for text in some if text]
        return mark, tuple(dict.fromkeys([*keys, *([key_of(OWN, own_key)] if own_key else [])]))

    def seen(self, side: Side, record: Record) -> Seen:
        """A record as the store keeps it."""
        if record.deleted or record.merged_into:
            merged = record.merged_into if record.merged_into != record.id else ""
            return Seen(record.id, gone=True, merged_into=merged, modified_at=record.modified_at)
        wanted = self.keys(side)
        values = {name: value for name, value in record.values.items() if name in wanted}
        linked = {one.object for one in self.linked}
        links = record.links
        mark, keys = self.known_by(side, values, record.key)
        return Seen(
            record.id,
            mark=mark,
            keys=keys,
            content=pack(values),
            links=None if links is None else {to: list(ids) for to, ids in links.items() if to in linked},
            modified_at=record.modified_at,
            modified_by=record.modified_by,
            own_key=record.key,
        )


def blame(title: str, error: ConnectorError) -> None:
    """Says which CRM it was: `jobs.alerts.parts.cause_text` reads it."""
    if not error.operation.startswith(title):
        error.operation = f"{title}: {error.operation}"


def title_of(values: Mapping[str, Any]) -> str:
    """How people call the record, "" when that is not among its synced values."""
    whole = " ".join(str(one) for name in ("first_name", "middle_name", "last_name") if (one := values.get(name)))
    return str(values.get("title") or whole or values.get("name") or "")[:LONGEST_TITLE]


def _passes(sync: Sync, side: Side, values: Mapping[str, Any]) -> str:
    try:
        return str(sync.passes(side, values))
    except Exception as error:  # only told apart here; whoever decides meets it again and says so
        return type(error).__name__


def key_of(kind: str, text: str) -> str:
    """A match key as it is kept: nobody's phone stands in the index."""
    return f"{kind}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def conditions_of(settings: SyncSettings) -> dict[Side, Condition]:
    """Raises mappings.checker.ExpressionError."""
    texts: dict[Side, str | None] = {"left": settings.left_when, "right": settings.right_when}
    return {side: compile_condition(text, "records") for side, text in texts.items() if text}


@dataclass(frozen=True, slots=True)
class Clocks:
    """How far the two CRMs' clocks are from ours: theirs minus ours."""

    left: timedelta = timedelta(0)
    right: timedelta = timedelta(0)

    def ours(self, side: Side, at: datetime | None) -> datetime | None:
        return None if at is None else at - (self.left if side == "left" else self.right)

    def with_(self, side: Side, offset: timedelta) -> "Clocks":
        return replace(self, left=offset) if side == "left" else replace(self, right=offset)
