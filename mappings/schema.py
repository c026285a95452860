"""What a mapping may say, and reading it from a YAML tree: all that is wrong with it is found at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from leads.records import CLICK_KEYS, UTM_KEYS
from mappings.checker import ExpressionError
from mappings.expressions import Condition, Context, Value, compile_condition, compile_value
from mappings.nodes import Leaf, Node, Place, Sequence, Table, join_path
from mappings.problems import MappingProblem, allowed, nearest
from mappings.values import is_empty

SECTIONS: Final = ("extends", "contact", "company", "deal", "note", "task")
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "contact": ("name", "fields"),
    "company": ("name", "fields", "when"),
    "deal": ("title", "pipeline", "stage", "price", "source", "comment", "tags", "utm", "fields"),
    "task": ("text", "due", "when"),
}
UTM_PARTS: Final = (*UTM_KEYS, *CLICK_KEYS, "referrer")
ENTRY_PARTS: Final = ("value", "when", "default", "optional")
DEFAULT_DUE: Final = timedelta(minutes=15)

Compiled = TypeVar("Compiled", Value, Condition)

_DUE = re.compile(r"(?:(\d{1,4})d)?\s*(?:(\d{1,4})h)?\s*(?:(\d{1,5})m)?\s*(?:(\d{1,6})s)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One target of a mapping. `optional`: left out in silence where the CRM has no such field."""

    label: str
    place: Place
    value: Value | tuple[Value, ...]
    when: Condition | None = None
    default: Value | None = None
    optional: bool = False

    def compute(self, context: Context) -> Any:
        """The value for one lead, None for "write nothing". Raises ExpressionError."""
        if self.when is not None and not self.when(context):
            return None
        value = tuple(one(context) for one in self.value) if isinstance(self.value, tuple) else self.value(context)
        if is_empty(value) and self.default is not None:
            value = self.default(context)
        return None if is_empty(value) else value


@dataclass(frozen=True, slots=True)
class Section:
    """What one record gets: its own attributes, custom fields by the label as written, UTM and tags."""

    values: Mapping[str, Entry] = field(default_factory=dict)
    fields: tuple[Entry, ...] = ()
    utm: tuple[Entry, ...] = ()
    tags: tuple[Entry, ...] = ()
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


class Reader:
    """Reads a merged tree; `problems` fills up on the way."""

    def __init__(self) -> None:
        self.problems: list[MappingProblem] = []

    def mapping(self, name: str, tree: Table) -> LeadMapping:
        """The mapping; only to be used when there are no `problems` afterwards."""
        self._unknown(tree, SECTIONS)
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
        if (
            isinstance(node, Leaf)
            and node.kind == "bool"
            and node.text.lower() == "false"
            and key in ("company", "task")
        ):
            return None
        if not isinstance(node, Table):
            self._report(node.place, "is a section", f"its parts: {', '.join(PARTS[key])}")
            return None
        self._unknown(node, PARTS[key])
        special = ("fields", "utm", "tags", "when", "due")
        values = {
            name: entry
            for name, part in node.items.items()
            if name in PARTS[key] and name not in special and (entry := self._entry(name, part))
        }
        return Section(
            values,
            fields=self._entries(node.items.get("fields")),
            utm=self._utm(node.items.get("utm")),
            tags=self._tags(node.items.get("tags")),
            when=self._condition(node.items.get("when")),
        )

    def _entries(self, node: Node | None) -> tuple[Entry, ...]:
        if node is None:
            return ()
        if not isinstance(node, Table):
            self._report(node.place, "is a section of fields", 'for example: "Источник": "{{ lead.utm_source }}"')
            return ()
        entries = (self._entry(label, part, node.keys[label]) for label, part in node.items.items())
        return tuple(entry for entry in entries if entry)

    def _utm(self, node: Node | None) -> tuple[Entry, ...]:
        if isinstance(node, Table):
            self._unknown(node, UTM_PARTS)
        return self._entries(node)

    def _tags(self, node: Node | None) -> tuple[Entry, ...]:
        parts = node.items if isinstance(node, Sequence) else () if node is None else (node,)
        entries = (self._entry("tags", part) for part in parts)
        return tuple(entry for entry in entries if entry)

    def _entry(self, label: str, node: Node, key: Place | None = None) -> Entry | None:
        """`text`, `[text, text]` or `{value: text, when: …, default: …, optional: true}`."""
        place = key or node.place
        if not isinstance(node, Table):
            value = self._value(node)
            return Entry(label, place, value) if value is not None else None
        self._unknown(node, ENTRY_PARTS)
        if "value" not in node.items:
            self._report(node.place, "has no value", 'write: {value: "{{ lead.name }}"}')
            return None
        value = self._value(node.items["value"])
        default = self._value(node.items["default"]) if "default" in node.items else None
        if isinstance(default, tuple):
            self._report(node.items["default"].place, "is one value, not a list")
            default = None
        when = self._condition(node.items.get("when"))
        optional = self._flag(node.items.get("optional"))
        return Entry(label, place, value, when, default, optional) if value is not None else None

    def _value(self, node: Node) -> Value | tuple[Value, ...] | None:
        if isinstance(node, Sequence):
            parts = [self._value(item) for item in node.items]
            return tuple(part for part in parts if isinstance(part, Value))
        if isinstance(node, Table):
            self._report(node.place, "is one value, not a section")
            return None
        if node.kind == "bool":
            flag = node.text.lower() == "true"
            return Value(node.text, constant=True, run=lambda _: flag)
        return self._compiled(node, compile_value)

    def _condition(self, node: Node | None) -> Condition | None:
        if node is None:
            return None
        if not isinstance(node, Leaf):
            self._report(node.place, "is a condition", "for example: when: \"lead.utm_source == 'yandex'\"")
            return None
        return self._compiled(node, compile_condition)

    def _compiled(self, leaf: Leaf, compile_text: Callable[[str], Compiled]) -> Compiled | None:
        try:
            return compile_text(leaf.text)
        except ExpressionError as error:
            self.problems.append(leaf.at(error.offset).problem(error.message, error.hint))
            return None

    def _flag(self, node: Node | None) -> bool:
        if node is None:
            return False
        if not (isinstance(node, Leaf) and node.kind == "bool"):
            self._report(node.place, "is true or false")
            return False
        return node.text.lower() == "true"

    def _due(self, task: Node | None) -> timedelta:
        node = task.items.get("due") if isinstance(task, Table) else None
        if node is None:
            return DEFAULT_DUE
        found = _DUE.fullmatch(node.text.strip()) if isinstance(node, Leaf) and node.text.strip() else None
        if found is None:
            self._report(node.place, "is not a time span", "for example: 15m, 2h, 1h 30m, 1d")
            return DEFAULT_DUE
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

    def _unknown(self, table: Table, known: tuple[str, ...]) -> None:
        for key in table.items:
            if key not in known:
                self._report(table.keys[key], f'unknown part "{key}"', _where(key, table.place.path, known))

    def _report(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(place.problem(message, hint))


def _where(key: str, path: str, known: tuple[str, ...]) -> str:
    """What is allowed; and where a key that exists elsewhere belongs."""
    hint = allowed(key, known)
    if "fields" in known and not nearest(key, known):
        hint += f" Fields of the CRM stand under {join_path(path, 'fields')}."
    return hint
