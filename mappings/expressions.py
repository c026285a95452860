"""The one expression language for people: conditions, mapped values, texts. Jinja2 without loops and calls.

An expression can read the names of `mappings.views` and use the filters of `mappings.filters`, nothing
else. Names, parts and filters are checked when it is compiled, so that a typo is found by `leadhub check`
and not by a lead. What is absent is empty and makes no error; what cannot be computed raises ExpressionError.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar

from jinja2 import TemplateError, Undefined, nodes
from jinja2.environment import Template
from jinja2.lexer import TOKEN_EOF
from jinja2.parser import Parser
from jinja2.runtime import Context as Scope

from mappings.checker import ExpressionError, check
from mappings.filters import FilterError
from mappings.sandbox import ENVIRONMENT, explain
from mappings.values import TEXT_CAP
from mappings.views import EMPTY, NAMES, RECORD_NAMES, Names, View

__all__ = [
    "About",
    "Condition",
    "Context",
    "ExpressionError",
    "Value",
    "compile_condition",
    "compile_path",
    "compile_value",
    "scope",
]

About = Literal["lead", "records"]
"""What an expression is about: that decides which names it may read."""
_NAMES: Final[Mapping[About, Names]] = {"lead": NAMES, "records": RECORD_NAMES}

SOURCE_CAP: Final = 10_000
"""Characters of one expression or template: bounds both compiling and what a value can grow to."""

_BROKEN_SOURCE = (RecursionError, SyntaxError, MemoryError, ValueError, OverflowError)
_RESULT = "result"
Node = TypeVar("Node", bound=nodes.Node)

Context = Mapping[str, object] | Scope
"""Variables as `mappings.views.variables` gives them; where many values are computed of one lead, `scope` of them."""


def scope(variables: Mapping[str, object]) -> Scope:
    """The variables, made ready once; names that are not given are empty."""
    return ENVIRONMENT.context_class(ENVIRONMENT, {**EMPTY, **variables}, None, {})


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition: call it with the variables of a lead. May raise ExpressionError."""

    text: str
    run: Callable[[Context], Any]

    def __call__(self, context: Context) -> bool:
        return bool(self.run(context))


@dataclass(frozen=True, slots=True)
class Value:
    """A compiled value: call it with the variables of a lead. May raise ExpressionError.

    `constant` means that it is a plain text, the same for every lead.
    """

    text: str
    constant: bool
    run: Callable[[Context], Any]

    def __call__(self, context: Context) -> Any:
        return self.run(context)


@lru_cache(256)
def compile_condition(text: str, about: About = "lead") -> Condition:
    """An expression without braces that is true or false, such as `lead.utm_source == 'yandex'`."""
    if "{{" in text or "{%" in text:
        raise ExpressionError("a condition is written without braces", max(text.find("{{"), text.find("{%"), 0))
    return Condition(text, _typed(_parse_expression(text, _NAMES[about])))


@lru_cache(512)
def compile_value(text: str, about: About = "lead") -> Value:
    """A value: plain text as it is; one `{{ expression }}` alone keeps its type; a mixture becomes a text."""
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return Value(text, constant=True, run=lambda _: text)
    tree = _parse_template(text, _NAMES[about])
    alone = _only_expression(tree)
    return Value(text, constant=False, run=_part(_typed(alone)) if alone is not None else _rendered(tree))


@lru_cache(256)
def compile_path(text: str, about: About = "lead") -> Value:
    """A path such as `lead.extra.city` or `lead.extra["Ваш город"]`: names and parts, nothing computed."""
    tree = _parse_expression(text, _NAMES[about])
    node: nodes.Node = tree
    while not isinstance(node, nodes.Name):
        match node:
            case nodes.Getattr() | nodes.Getitem(arg=nodes.Const()):
                node = node.node
            case _:
                hint = f'write it as an expression: "{{{{ {text} }}}}"'
                raise ExpressionError("is more than a path", max((node.lineno or 1) - 1, 0), hint)
    return Value(text, constant=False, run=_part(_typed(tree)))


def _parse_expression(text: str, names: Names) -> nodes.Expr:
    def parse() -> nodes.Expr:
        parser = Parser(ENVIRONMENT, text, state="variable")
        if parser.stream.eos:
            raise ExpressionError("the expression is empty", 0)
        tree = parser.parse_expression()
        token = parser.stream.current
        if token.type != TOKEN_EOF:
            parser.fail(f"unexpected {token.value!r} after the expression", token.lineno)
        return tree

    return _checked(text, parse, names)


def _parse_template(text: str, names: Names) -> nodes.Template:
    return _checked(text, lambda: ENVIRONMENT.parse(text), names)


def _checked(text: str, parse: Callable[[], Node], names: Names) -> Node:
    """Parses and checks; every way in which a text can be wrong comes out as ExpressionError."""
    if len(text) > SOURCE_CAP:
        raise ExpressionError(f"longer than {SOURCE_CAP} characters", SOURCE_CAP)
    try:
        tree = parse()
        check(tree, names)
    except TemplateError as error:
        raise explain(error, text) from error
    except ExpressionError:
        raise
    except _BROKEN_SOURCE as error:
        raise ExpressionError("cannot be read: too deep, or a number too large", 0) from error
    return tree


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    """The expression of a template that is one `{{ … }}` and blanks."""
    parts = [part for output in tree.body for part in (output.nodes if isinstance(output, nodes.Output) else [output])]
    real = [part for part in parts if not (isinstance(part, nodes.TemplateData) and not part.data.strip())]
    return real[0] if len(real) == 1 and isinstance(real[0], nodes.Expr) and not _is_data(real[0]) else None


def _is_data(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData)


def _typed(expression: nodes.Expr) -> Callable[[Context], Any]:
    expression.set_environment(ENVIRONMENT)
    assign = nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=1)
    template = _code(nodes.Template([assign], lineno=1))

    def run(context: Context) -> Any:
        ready = context if isinstance(context, Scope) else scope(context)
        with _FriendlyErrors():
            for _ in template.root_render_func(ready):
                pass
        result = ready.vars[_RESULT]
        return "" if isinstance(result, Undefined) else result

    return run


def _part(run: Callable[[Context], Any]) -> Callable[[Context], Any]:
    """Refuses a whole record: that can be asked whether it is there, but not be written anywhere."""

    def run_part(context: Context) -> Any:
        result = run(context)
        if isinstance(result, View):
            raise ExpressionError("is a whole record; name one part of it")
        return result

    return run_part


def _rendered(tree: nodes.Template) -> Callable[[Context], str]:
    template = _code(tree)

    def run(context: Context) -> str:
        ready = context if isinstance(context, Scope) else scope(context)
        chunks, size = [], 0
        with _FriendlyErrors():
            for chunk in template.root_render_func(ready):
                chunks.append(chunk)
                size += len(chunk)
                if size > TEXT_CAP:
                    return "".join(chunks)[: TEXT_CAP - 1] + "…"
        return "".join(chunks)

    return run


def _code(tree: nodes.Template) -> Template:
    try:
        return ENVIRONMENT.from_string(tree)
    except _BROKEN_SOURCE as error:
        raise ExpressionError("cannot be read: too deep, or a number too large", 0) from error


class _FriendlyErrors:
    """Turns what can go wrong while computing into ExpressionError, without the lead's values in the text."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case None | ExpressionError():
                return
            case FilterError():
                raise ExpressionError(str(error), 0) from error
            case ZeroDivisionError():
                raise ExpressionError("divides by zero", 0) from error
            case TypeError():
                raise ExpressionError(_mismatch(str(error)), 0) from error
            case TemplateError() | ArithmeticError() | ValueError() | LookupError() | RecursionError():
                raise ExpressionError("cannot be computed from this lead", 0) from error


def _mismatch(text: str) -> str:
    """Python's words for values of unlike types (which hold types only) in the reader's."""
    if "whole record" in text:
        return "is a whole record; name one part of it"
    if "not supported between" in text:
        return "compares a text with a number; use the filter number: lead.extra.amount | number > 1000"
    if "argument" in text:
        return "a filter has too many or too few arguments"
    return "adds or multiplies a text and a number; join texts with ~, make numbers with the filter number"
