"""What a mapping of enquiries may say, and reading it from a YAML tree: all that is wrong with it is found at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from leads.records import CLICK_KEYS, UTM_KEYS
from mappings.checker import ExpressionError
from mappings.expressions import Condition, Context, Value
from mappings.nodes import Leaf, Node, Place, Sequence, Table
from mappings.reading import TreeReader
from mappings.transforms import Around, Transform, TransformError, apply
from mappings.values import is_empty

SECTIONS: Final = ("extends", "dictionaries", "contact", "company", "deal", "note", "task")
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "contact": ("name", "phones", "emails", "responsible", "fields"),
    "company": ("name", "responsible", "fields", "when"),
    "deal": ("title", "pipeline", "stage", "price", "source", "comment", "responsible", "tags", "utm", "fields"),
    "task": ("text", "due", "when"),
}
LISTS: Final = ("tags", "phones", "emails")
"""Parts that are lists of values, each of which may give several."""
UTM_PARTS: Final = (*UTM_KEYS, *CLICK_KEYS, "referrer")
ENTRY_PARTS: Final = ("value", "path", "transform", "when", "default", "required", "on_missing", "optional")
OnMissing = Literal["skip", "report"]
ON_MISSING: Final[tuple[OnMissing, ...]] = ("skip", "report")
DEFAULT_DUE: Final = timedelta(minutes=15)
_FOR_SYNC: Final = dict.fromkeys(
    ("direction", "conflict"), "it is for records kept equal: mappings/sync/*.yaml; an enquiry goes one way"
)
_OF_CONTACT: Final = dict.fromkeys(("phones", "emails"), "phones and e-mails belong to the contact: contact.phones")
_DUE = re.compile(r"(?:(\d{1,4})d)?\s*(?:(\d{1,4})h)?\s*(?:(\d{1,5})m)?\s*(?:(\d{1,6})s)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One target of a mapping. `optional`: left out in silence where the CRM has no such field.

    `on_missing`: what to do when there is nothing to write: `skip` it, or `report` it as a problem.
    """

    label: str
    place: Place
    value: Value | tuple[Value, ...]
    when: Condition | None = None
    default: Value | None = None
    optional: bool = False
    steps: tuple[Transform, ...] = ()
    on_missing: OnMissing = "skip"

    @property
    def fits(self) -> bool:
        """Whether the value is to be cut to what the CRM's field can hold."""
        return any(step.name == "truncate" and "length" not in step.options for step in self.steps)

    def compute(self, context: Context, around: Around) -> Any:
        """The value for one lead, None for "write nothing". Raises ExpressionError."""
        if self.when is not None and not self.when(context):
            return None
        value = tuple(one(context) for one in self.value) if isinstance(self.value, tuple) else self.value(context)
        if self.steps:
            try:
                value = apply(self.steps, value, around)
            except TransformError as error:
                if self.default is None:
                    raise ExpressionError(str(error)) from error
                value = None
        if is_empty(value) and self.default is not None:
            value = self.default(context)
        if not is_empty(value):
            return value
        if self.on_missing == "report":
            raise ExpressionError("is required and empty")
        return None


@dataclass(frozen=True, slots=True)
class Section:
    """What one record gets: its own attributes, custom fields by the label as written, UTM and lists."""

    values: Mapping[str, Entry] = field(default_factory=dict)
    fields: tuple[Entry, ...] = ()
    utm: tuple[Entry, ...] = ()
    lists: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    """Of LISTS: name -> its entries."""
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class LeadMapping:
    """A mapping, compiled once at start. `due` is working time until the call task is due."""

    name: str
    contact: Section = field(default_factory=Section)
    company: Section | None = None
    deal: Section = field(default_factory=Section)
    note: Entry | None = None
    task: Section | None = None
    due: timedelta = DEFAULT_DUE


class Reader(TreeReader):
    """Reads a merged tree; `problems` fills up on the way."""

    def mapping(self, name: str, tree: Table) -> LeadMapping:
        """The mapping; only to be used when there are no `problems` afterwards."""
        self.unknown(tree, SECTIONS)
        self.read_dictionaries(tree.items.get("dictionaries"))
        sections = {key: self._section(key, tree.items[key]) for key in PARTS if key in tree.items}
        note = self._entry("note", tree.items["note"]) if "note" in tree.items else None
        due = self._due(tree.items.get("task"))
        return LeadMapping(
            name,
            contact=sections.get("contact") or Section(),
            company=sections.get("company"),
            deal=sections.get("deal") or Section(),
            note=note,
            task=sections.get("task"),
            due=due,
        )

    def _section(self, key: str, node: Node) -> Section | None:
        if isinstance(node, Leaf) and node.is_false and key in ("company", "task"):
            return None
        if not isinstance(node, Table):
            self.report(node.place, "is a section", f"its parts: {', '.join(PARTS[key])}")
            return None
        self.unknown(node, PARTS[key], {} if key == "contact" else _OF_CONTACT)
        special = ("fields", "utm", "when", "due", *LISTS)
        values = {
            name: entry
            for name, part in node.items.items()
            if name in PARTS[key] and name not in special and (entry := self._entry(name, part))
        }
        lists: dict[str, tuple[Entry, ...]] = {
            name: self._list(name, part) for name, part in node.items.items() if name in LISTS and name in PARTS[key]
        }
        return Section(
            values,
            fields=self._entries(node.items.get("fields")),
            utm=self._utm(node.items.get("utm")),
            lists=lists,
            when=self.condition(node.items.get("when")),
        )

    def _entries(self, node: Node | None) -> tuple[Entry, ...]:
        if node is None:
            return ()
        if not isinstance(node, Table):
            self.report(node.place, "is a section of fields", 'for example: "Источник": "{{ lead.utm_source }}"')
            return ()
        entries = (self._entry(label, part, node.keys[label]) for label, part in node.items.items())
        return tuple(entry for entry in entries if entry)

    def _utm(self, node: Node | None) -> tuple[Entry, ...]:
        if isinstance(node, Table):
            self.unknown(node, UTM_PARTS)
        return self._entries(node)

    def _list(self, name: str, node: Node) -> tuple[Entry, ...]:
        parts = node.items if isinstance(node, Sequence) else (node,)
        entries = (self._entry(name, part) for part in parts)
        return tuple(entry for entry in entries if entry)

    def _entry(self, label: str, node: Node, key: Place | None = None) -> Entry | None:
        """`text`, `[text, text]` or `{value: text, transform: …, when: …, default: …, optional: true}`."""
        place = key or node.place
        if not isinstance(node, Table):
            value = self.value(node)
            return Entry(label, place, value) if value is not None else None
        items = node.items
        self.unknown(node, ENTRY_PARTS, _FOR_SYNC)
        if "value" in items and "path" in items:
            self.report(node.keys["path"], "has a value and a path", "write one of them")
        elif "value" not in items and "path" not in items:
            self.report(node.place, "has no value", 'write: {value: "{{ lead.name }}"} or {path: lead.name}')
            return None
        value = self.value(items["value"]) if "value" in items else self.path(items["path"])
        required = self.flag(items.get("required"))
        entry = {
            "when": self.condition(items.get("when")),
            "default": self.one_value(items.get("default")),
            "optional": self.flag(items.get("optional")),
            "steps": self.transforms(items.get("transform")),
            "on_missing": self.choice(items.get("on_missing"), ON_MISSING, "report" if required else "skip"),
        }
        return Entry(label, place, value, **entry) if value is not None else None

    def _due(self, task: Node | None) -> timedelta:
        node = task.items.get("due") if isinstance(task, Table) else None
        if node is None:
            return DEFAULT_DUE
        found = _DUE.fullmatch(node.text.strip()) if isinstance(node, Leaf) and node.text.strip() else None
        if found is None:
            self.report(node.place, "is not a time span", "for example: 15m, 2h, 1h 30m, 1d")
            return DEFAULT_DUE
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
