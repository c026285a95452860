"""Walks a parsed expression: only what is listed here may be in it, only names that exist may be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jinja2 import nodes

from mappings.filters import FILTERS, TESTS
from mappings.problems import allowed
from mappings.views import TIME_PARTS, Names, Parts

MAX_DEPTH: Final = 60


@dataclass(eq=False)
class ExpressionError(Exception):
    """An expression that cannot be compiled, or not computed for a lead. `offset` counts characters from 0."""

    message: str
    offset: int = 0
    hint: str = ""

    def __str__(self) -> str:
        return self.message


_PLAIN: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Const, nodes.Not, nodes.And),
    *(nodes.Or, nodes.Compare, nodes.Operand, nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Slice),
    *(nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword),
    nodes.Getitem,
)
_REFUSED: Final = {
    nodes.For: ("loops are not allowed", "for a list use a filter: lead.phones | join(', '), lead.extra | lines"),
    nodes.Call: ("calls are not allowed", "use a filter: lead.name | upper"),
    nodes.Assign: ("{% set %} is not allowed", ""),
    nodes.Pow: ("** is not allowed", ""),
}


def check(tree: nodes.Node, names: Names) -> None:
    """Raises ExpressionError for the first thing, in reading order, that an expression may not have.

    `names` are what it may read, as in `mappings.views.NAMES`.
    """
    _walk(tree, 0, names)


def _walk(node: nodes.Node, depth: int, names: Names) -> None:
    offset = max((node.lineno or 1) - 1, 0)
    if depth > MAX_DEPTH:
        raise ExpressionError("nested too deep", offset)
    for kind, (message, hint) in _REFUSED.items():
        if isinstance(node, kind):
            raise ExpressionError(message, offset, hint)
    match node:
        case nodes.Name():
            if node.name not in names:
                hint = f"a text stands in quotes: '{node.name}'. " + allowed(node.name, names, "names")
                raise ExpressionError(f'unknown name "{node.name}"', offset, hint)
        case nodes.Filter():
            _known(node.name, FILTERS, "filter", "filters", offset)
        case nodes.Test():
            _known(node.name, TESTS, "test", "after is", offset)
        case nodes.Getattr():
            _walk(node.node, depth + 1, names)
            kind_of(node, names)
            return
        case _ if not isinstance(node, _PLAIN):
            raise ExpressionError(f"{type(node).__name__.lower()} is not allowed", offset)
    if isinstance(node, nodes.Getitem):
        kind_of(node, names)
    for child in node.iter_child_nodes():
        _walk(child, depth + 1, names)


def _known(name: str, known: Mapping[str, object], word: str, label: str, offset: int) -> None:
    if name not in known:
        raise ExpressionError(f'unknown {word} "{name}"', offset, allowed(name, sorted(known), label))


def kind_of(node: nodes.Node, names: Names) -> Parts | str | None:
    """What `node` is, as far as its names tell: parts of a view, a kind, or None for "cannot say"."""
    if isinstance(node, nodes.Name):
        return names.get(node.name)
    if isinstance(node, nodes.Getattr):
        return _part(node.node, node.attr, node.lineno, names)  # the place of the dot: the part is one further
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return _part(node.node, node.arg.value, node.arg.lineno - 1, names)
    return None


def _part(owner: nodes.Node, part: str, offset: int, names: Names) -> Parts | str | None:
    kind = kind_of(owner, names)
    name = _name_of(owner)
    if isinstance(kind, Mapping):
        if part not in kind:
            raise ExpressionError(f'{name} has no "{part}"', offset, allowed(part, kind))
        return kind[part]
    if kind == "time" and part not in TIME_PARTS:
        raise ExpressionError(f'{name} is a time and has no "{part}"', offset, allowed(part, TIME_PARTS))
    if kind in ("text", "number", "list"):
        hint = f"use a filter: {name} | {part}" if part in FILTERS else ""
        raise ExpressionError(f'{name} is a {kind} and has no "{part}"', offset, hint)
    return None


def _name_of(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_name_of(node.node)}.{node.attr}"
    return "this"
