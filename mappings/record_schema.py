"""What a mapping for records kept equal may say, and reading it from a YAML tree."""

from collections.abc import Mapping
from typing import Any, Final

from mappings.accounts import FIELD_TYPES
from mappings.attributes import ATTRIBUTES, OBJECTS, Attribute, RecordObject
from mappings.nodes import Leaf, Node, Place, Sequence, Table
from mappings.pairs import DIRECTIONS, ON_MISSING, RULES, SIDES, End, FieldPair, Side
from mappings.problems import allowed
from mappings.reading import TreeReader
from mappings.transforms import Transform
from mappings.values import is_empty

SECTIONS: Final = ("extends", "object", "left", "right", "match", "direction", "conflict", "dictionaries", "fields")
PAIR_PARTS: Final = (
    *("left", "right", "type", "several", "direction", "conflict", "on_missing", "required", "default", "when"),
    *("map", "to_left", "to_right", "optional", "decimals"),
)
EXAMPLE: Final = 'for example: "Город": {left: "Город", right: city, conflict: newest}'


class RecordReader(TreeReader):
    """Reads a merged tree into the parts of a `RecordMapping`; only to be used when there are no `problems`."""

    about = "records"

    def parts(self, tree: Table) -> dict[str, Any]:
        self.unknown(tree, SECTIONS)
        self.read_dictionaries(tree.items.get("dictionaries"))
        about: RecordObject = self.choice(tree.items.get("object"), OBJECTS, "contact")
        if "object" not in tree.items:
            self.report(tree.place, "has no object", f"object: {', '.join(OBJECTS)}")
        self._direction = self.choice(tree.items.get("direction"), DIRECTIONS, "both")
        self._conflict = self.choice(tree.items.get("conflict"), RULES, "newest")
        pairs = self._pairs(tree.items.get("fields"), ATTRIBUTES[about])
        return {
            "object": about,
            "types": (self._word(tree.items.get("left")), self._word(tree.items.get("right"))),
            "pairs": pairs,
            "match": self._match(tree.items.get("match"), pairs),
        }

    def _word(self, node: Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, Leaf):
            self.report(node.place, "is the type of a connection", "for example: left: amocrm")
            return ""
        return node.text

    def _pairs(self, node: Node | None, known: Mapping[str, Attribute]) -> tuple[FieldPair, ...]:
        if node is None:
            return ()
        if not isinstance(node, Table):
            self.report(node.place, "is a section of fields", EXAMPLE)
            return ()
        found = (self._pair(name, part, node.keys[name], known) for name, part in node.items.items())
        pairs = tuple(pair for pair in found if pair)
        self._twice(pairs)
        return pairs

    def _pair(self, name: str, node: Node, place: Place, known: Mapping[str, Attribute]) -> FieldPair | None:
        """`city: "Город"` (left: right) or a section."""
        if isinstance(node, Leaf) and node.text:
            return self._checked(self._plain(name, node.text, place, known))
        if not isinstance(node, Table):
            self.report(node.place, "is a pair of fields", EXAMPLE)
            return None
        self.unknown(node, PAIR_PARTS)
        items = node.items
        left, right = self._end(items.get("left"), name), self._end(items.get("right"), name)
        plain = self._plain(name, right.label, place, known, left=left.label)
        table, places = self._map(items.get("map"))
        return self._checked(
            FieldPair(
                name=name,
                left=self._arriving(left, items.get("to_left")),
                right=self._arriving(right, items.get("to_right")),
                place=place,
                type=self.choice(items.get("type"), FIELD_TYPES, plain.type),
                several=self.flag(items["several"]) if "several" in items else plain.several,
                direction=self.choice(items.get("direction"), DIRECTIONS, self._direction),
                conflict=self.choice(items.get("conflict"), RULES, self._conflict),
                on_missing=self.choice(items.get("on_missing"), ON_MISSING, "clear"),
                required=self.flag(items.get("required")),
                optional=self.flag(items.get("optional")),
                when=self.condition(items.get("when")),
                table=table,
                table_places=places,
                default=self.one_value(items.get("default")),
                decimals=self._decimals(items.get("decimals")),
            )
        )

    def _plain(self, name: str, right: str, place: Place, known: Mapping[str, Attribute], left: str = "") -> FieldPair:
        left = left or name
        attribute = known.get(left) or known.get(right) or Attribute()
        return FieldPair(
            name=name,
            left=End(left, left),
            right=End(right, right),
            place=place,
            type=attribute.type,
            several=attribute.several,
            direction=self._direction,
            conflict=self._conflict,
        )

    def _end(self, node: Node | None, name: str) -> End:
        """The field of one side; the pair's own name where none is given."""
        if node is None:
            return End(name, name)
        if isinstance(node, Leaf) and node.text and node.kind != "null":
            return End(node.text, node.text)
        self.report(node.place, "is a field of the CRM by name, code or id", EXAMPLE)
        return End(name, name)

    def _arriving(self, end: End, node: Node | None) -> End:
        """`to_right: [strip, translit]`, or a value: `to_right: "{{ left.first_name }} {{ left.last_name }}"`."""
        if node is None:
            return end
        if isinstance(node, Leaf) and ("{{" in node.text or "{%" in node.text):
            return End(end.label, end.key, value=self.one_value(node))
        if isinstance(node, Table) and "value" in node.items:
            self.unknown(node, ("value", "transform"))
            value = self.one_value(node.items["value"])
            return End(end.label, end.key, steps=self.transforms(node.items.get("transform")), value=value)
        steps: tuple[Transform, ...] = self.transforms(node)
        return End(end.label, end.key, steps=steps)

    def _map(self, node: Node | None) -> tuple[Mapping[str, str], Mapping[str, Place]]:
        """The dictionary, and where each of its lines stands."""
        if node is None:
            return {}, {}
        if isinstance(node, Leaf):
            if node.text not in self.dictionaries:
                hint = allowed(node.text, self.dictionaries, "dictionaries")
                self.report(node.place, f'there is no dictionary "{node.text}"', hint)
            named = {key: str(one) for key, one in self.dictionaries.get(node.text, {}).items()}
            return named, dict.fromkeys(named, node.place)
        places = dict(node.keys) if isinstance(node, Table) else {}
        return {key: str(one) for key, one in (self.table(node) or {}).items()}, places

    def _decimals(self, node: Node | None) -> int:
        if node is None:
            return -1
        text = node.text if isinstance(node, Leaf) and node.kind == "int" else ""
        if text not in ("0", "1", "2", "3", "4", "5", "6"):
            self.report(node.place, "is a whole number from 0 to 6")
            return -1
        return int(text)

    def _checked(self, pair: FieldPair) -> FieldPair:
        """What fits each alone and not together."""
        message, hint = pair.misfit() if pair.type != "text" else ("", "")  # text may turn out to be something else
        if message:
            self.report(pair.place, message, hint)
        if pair.type == "stage" and (pair.left.label, pair.right.label) != ("stage", "stage"):
            self.report(pair.place, "the type stage is for stage on both sides", "the pipeline goes with it")
        for side in SIDES:
            end = pair.end(side)
            if end.value is not None and pair.goes(_away(side)) and not pair.end(_away(side)).value:
                hint = f"set direction: {'left_to_right' if side == 'right' else 'right_to_left'}"
                self.report(pair.place, f"what is computed for the {side} side cannot go back", hint)
        return pair

    def _twice(self, pairs: tuple[FieldPair, ...]) -> None:
        """A field that two pairs write would flip between them."""
        seen: dict[tuple[Side, str], FieldPair] = {}
        for pair in pairs:
            for side in SIDES:
                if not pair.goes(side):
                    continue
                first = seen.setdefault((side, pair.end(side).label.casefold()), pair)
                if first is not pair:
                    message = f'the {side} field "{pair.end(side).label}" is already written by {first.place.path}'
                    self.report(pair.place, message, "null removes a pair of the extended mapping")

    def _match(self, node: Node | None, pairs: tuple[FieldPair, ...]) -> tuple[str, ...]:
        """Names of the pairs by which records of the two sides are recognised, the surest first."""
        if node is None:
            return ()
        parts = node.items if isinstance(node, Sequence) else (node,)
        names = [pair.name for pair in pairs]
        found: list[str] = []
        for part in parts:
            text = part.text if isinstance(part, Leaf) else ""
            if is_empty(text) or text not in names:
                self.report(part.place, f'there is no field "{text}" to match by', allowed(text, names, "fields"))
            else:
                found.append(text)
        return tuple(found)


def _away(side: Side) -> Side:
    return "left" if side == "right" else "right"
