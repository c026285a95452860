"""Reading parts of a YAML tree that all kinds of mappings have: values, conditions, transforms, dictionaries."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from phonenumbers import SUPPORTED_REGIONS

from mappings.expressions import (
    About,
    Condition,
    ExpressionError,
    Value,
    compile_condition,
    compile_path,
    compile_value,
)
from mappings.nodes import Leaf, Node, Place, Sequence, Table
from mappings.problems import Problem, allowed, nearest
from mappings.transforms import BOUNDS, DATE_PARTS, TRANSFORMS, Transform

Compiled = TypeVar("Compiled", Value, Condition)


class TreeReader:
    """Reads a merged tree; `problems` fills up on the way."""

    about: About = "lead"

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.dictionaries: dict[str, Mapping[str, Any]] = {}

    def report(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(place.problem(message, hint))

    def unknown(self, table: Table, known: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> None:
        """Reports each key that is not known. `elsewhere`: key -> where it belongs."""
        names = list(known)
        for key in table.items:
            if key not in names:
                hint = (elsewhere or {}).get(key) or _where(key, table.place.path, names)
                self.report(table.keys[key], f'unknown part "{key}"', hint)

    def value(self, node: Node) -> Value | tuple[Value, ...] | None:
        """A text, an expression in braces, true or false, or a list of these."""
        if isinstance(node, Sequence):
            parts = [self.value(item) for item in node.items]
            return tuple(part for part in parts if isinstance(part, Value))
        if isinstance(node, Table):
            self.report(node.place, "is one value, not a section")
            return None
        if node.kind == "bool":
            flag = node.text.lower() == "true"
            return Value(node.text, constant=True, run=lambda _: flag)
        return self._compiled(node, partial(compile_value, about=self.about))

    def one_value(self, node: Node | None) -> Value | None:
        value = self.value(node) if node is not None else None
        if node is not None and isinstance(value, tuple):
            self.report(node.place, "is one value, not a list")
            return None
        return value if isinstance(value, Value) else None

    def path(self, node: Node) -> Value | None:
        if not (isinstance(node, Leaf) and node.text):
            self.report(node.place, "is a path", "for example: path: lead.extra.city")
            return None
        if "{{" in node.text or "{%" in node.text:
            self.report(node.place, "a path is written without braces", "or write value: instead of path:")
            return None
        return self._compiled(node, partial(compile_path, about=self.about))

    def condition(self, node: Node | None) -> Condition | None:
        if node is None:
            return None
        if not isinstance(node, Leaf):
            self.report(node.place, "is a condition", "for example: when: \"lead.utm_source == 'yandex'\"")
            return None
        return self._compiled(node, partial(compile_condition, about=self.about))

    def _compiled(self, leaf: Leaf, compile_text: Callable[[str], Compiled]) -> Compiled | None:
        try:
            return compile_text(leaf.text)
        except ExpressionError as error:
            self.problems.append(leaf.at(error.offset).problem(error.message, error.hint))
            return None

    def flag(self, node: Node | None) -> bool:
        if node is None:
            return False
        if not (isinstance(node, Leaf) and node.kind == "bool"):
            self.report(node.place, "is true or false")
            return False
        return node.text.lower() == "true"

    def choice(self, node: Node | None, known: Iterable[str], default: Any) -> Any:
        if node is None:
            return default
        text = node.text if isinstance(node, Leaf) else ""
        if text not in known:
            self.report(node.place, f'"{text}" is not allowed here' if text else "is one word", allowed(text, known))
            return default
        return text

    # --- transforms -----------------------------------------------------------------------------

    def read_dictionaries(self, node: Node | None) -> None:
        """`dictionaries:` of the mapping, to be used by name."""
        if node is None:
            return
        if not isinstance(node, Table):
            self.report(node.place, "is a section of dictionaries", "for example: cities: {msk: Москва}")
            return
        for name, part in node.items.items():
            self.dictionaries[name] = self.table(part) or {}

    def table(self, node: Node) -> dict[str, Any] | None:
        """A dictionary: text -> text."""
        if not isinstance(node, Table):
            self.report(node.place, "is a dictionary", "for example: {yandex: Яндекс, google: Google}")
            return None
        found: dict[str, Any] = {}
        for key, part in node.items.items():
            if isinstance(part, Leaf):
                found[key] = part.text
            else:
                self.report(part.place, "is one text")
        return found

    def transforms(self, node: Node | None) -> tuple[Transform, ...]:
        """`strip`, `[strip, phone]`, `[{truncate: 60}, {map: {a: b}, default: c}]`."""
        if node is None:
            return ()
        parts = node.items if isinstance(node, Sequence) else (node,)
        return tuple(found for part in parts if (found := self._transform(part)))

    def _transform(self, node: Node) -> Transform | None:
        if isinstance(node, Leaf):
            return self._named(node, node.text)
        if not isinstance(node, Table) or not node.items:
            hint = "for example: transform: [strip, {truncate: 60}]"
            self.report(node.place, "is a transform by its name", hint)
            return None
        name = next(iter(node.items))
        if name not in TRANSFORMS:
            name = next((key for key in node.items if key in TRANSFORMS), name)
        if name not in TRANSFORMS:
            self.report(node.keys[name], f'unknown transform "{name}"', allowed(name, TRANSFORMS, "transforms"))
            return None
        options = self._options(name, node)
        return None if options is None else Transform(name, options)

    def _named(self, node: Leaf, name: str) -> Transform | None:
        if name not in TRANSFORMS:
            self.report(node.place, f'unknown transform "{name}"', allowed(name, TRANSFORMS, "transforms"))
            return None
        if TRANSFORMS[name].needs:
            self.report(node.place, f"{name} needs a dictionary", f"for example: {{{name}: {{yandex: Яндекс}}}}")
            return None
        return Transform(name)

    def _options(self, name: str, node: Table) -> dict[str, Any] | None:
        known = TRANSFORMS[name]
        before = len(self.problems)
        found: dict[str, Any] = {}
        parts: dict[str, tuple[Node, Place]] = {}
        inside = node.items[name]
        if isinstance(inside, Table) and not known.needs:
            parts |= {key: (part, inside.keys[key]) for key, part in inside.items.items()}
        elif known.main and not (isinstance(inside, Leaf) and inside.kind == "null"):
            parts[known.main] = (inside, node.keys[name])
        elif not (isinstance(inside, Leaf) and inside.kind == "null"):
            self.report(inside.place, f"{name} has no options", f"write: {name}")
        parts |= {key: (part, node.keys[key]) for key, part in node.items.items() if key != name}
        for key, (part, place) in parts.items():
            if key not in known.options:
                self.report(place, f'{name} has no option "{key}"', allowed(key, known.options))
            else:
                found[key] = self._option(known.options[key], part)
        return found if len(self.problems) == before else None

    def _option(self, kind: str, node: Node) -> Any:
        if kind == "table":
            return self._table_or_name(node)
        if not isinstance(node, Leaf):
            self.report(node.place, "is one value")
            return None
        text = node.text
        match kind:
            case "decimals" | "length":
                low, most = BOUNDS[kind]
                if node.kind != "int" or not text.isascii() or not text.isdigit() or not low <= int(text) <= most:
                    self.report(node.place, f"is a whole number from {low} to {most}")
                    return None
                return int(text)
            case "zone":
                return self._zone(node)
            case "region":
                if text.upper() not in SUPPORTED_REGIONS:
                    self.report(node.place, f'"{text}" is not a country of two letters such as RU, KZ or DE')
                return text.upper()
            case "dates":
                if not DATE_PARTS.fullmatch(text):
                    self.report(node.place, "date knows %d %m %y %Y %H %M %S %j %p %A %a %B %b")
                elif "%" not in text and text not in ("date", "time"):
                    self.report(node.place, f'"{text}" is not a form of dates', "date, time, or a form: %d.%m.%Y")
                return text
        if "|" in kind and text not in kind.split("|"):
            self.report(node.place, f'"{text}" is not allowed here', allowed(text, kind.split("|")))
        return text

    def _zone(self, node: Leaf) -> str:
        try:
            ZoneInfo(node.text)
        except (ValueError, OSError, KeyError):
            self.report(node.place, f'time zone "{node.text}" is not known', "write for example Europe/Moscow")
        return node.text

    def _table_or_name(self, node: Node) -> Mapping[str, Any]:
        if isinstance(node, Leaf):
            if node.text not in self.dictionaries:
                hint = allowed(node.text, self.dictionaries, "dictionaries")
                self.report(node.place, f'there is no dictionary "{node.text}"', hint)
            return self.dictionaries.get(node.text, {})
        return self.table(node) or {}


def _where(key: str, path: str, known: list[str]) -> str:
    """What is allowed; and where a key that exists elsewhere belongs."""
    hint = allowed(key, known)
    if "fields" in known and not nearest(key, known):
        hint += f" Fields of the CRM stand under {path}.fields."
    return hint
