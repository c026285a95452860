"""Jinja2 with everything taken away that a one-line expression does not need."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError, Undefined
from jinja2.lexer import TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mappings.checker import ExpressionError
from mappings.filters import FILTERS, TESTS
from mappings.problems import allowed
from mappings.values import text_of
from mappings.views import TIME_PARTS, View


class Environment(ImmutableSandboxedEnvironment):
    """Reads parts of views, tables, lists and times by name or number; no other attribute exists.

    Tokens carry their offset where Jinja2 keeps the line, so that every node and error
    of a text knows its place: `offset + 1`.
    """

    intercepted_binops = frozenset({"+", "*", "%", "**"})

    def __init__(self) -> None:
        super().__init__(autoescape=False, trim_blocks=True, lstrip_blocks=True, finalize=text_of, cache_size=0)
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The part `argument` of `obj`; what is not there is empty, what cannot be there is an error."""
        if isinstance(obj, View):
            if argument in obj.parts:
                return obj.parts[argument]
            raise ExpressionError(f'has no "{argument}"', 0, allowed(str(argument), obj.parts))
        if isinstance(obj, Mapping):
            return obj.get(argument, "") if isinstance(argument, str | int) else ""
        if isinstance(obj, datetime):
            return _time_part(obj, argument)
        if isinstance(obj, str | list | tuple) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else ""
        if isinstance(obj, Undefined) or obj in (None, ""):
            return ""
        raise ExpressionError("a text or number has no named parts", 0)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers only, so that no text can be multiplied or formatted to any size."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return left + right
        if not (_is_number(left) and _is_number(right)):
            raise TypeError("unlike operands")
        if isinstance(left, float) or isinstance(right, float):
            left, right = Decimal(str(left)), Decimal(str(right))
        return super().call_binop(context, operator, left, right)

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        tokens = self._placed_tokens(source, name, filename, state)
        return TokenStream(self.lexer.wrap(tokens, name, filename), name, filename)

    def _placed_tokens(
        self, source: str, name: str | None, filename: str | None, state: str | None
    ) -> Iterator[tuple[int, str, str]]:
        offset = 0
        try:
            for _line, token, text in self.lexer.tokeniter(source, name, filename, state):
                found = source.find(text, offset)  # white space that a block strips is in no token
                offset = found if found >= 0 else offset
                yield offset + 1, token, text
                offset += len(text)
        except TemplateSyntaxError as error:
            told = re.search(r" at (\d+)$", error.message or "")
            error.lineno = (int(told.group(1)) if told else offset) + 1
            raise


def _time_part(time: datetime, part: object) -> int:
    if part == "weekday":
        return time.isoweekday()
    if part in TIME_PARTS:
        return int(getattr(time, str(part)))
    raise ExpressionError(f'a time has no "{part}"', 0, allowed(str(part), TIME_PARTS))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


ENVIRONMENT: Final = Environment()

_TOKEN_NAMES: Final = (
    ("end of print statement", '"}}"'),
    ("end of statement block", '"%}"'),
    ("begin of statement block", '"{%"'),
    ("end of template", "the end of the text"),
)


def explain(error: TemplateError, text: str) -> ExpressionError:
    """A syntax problem as Jinja2 found it, in words for someone who has never heard of Jinja2."""
    message = error.message or "cannot be read"
    offset = max(0, min((error.lineno if isinstance(error, TemplateSyntaxError) else 1) - 1, len(text)))
    for ours, words in _REWORDED:
        found = ours.search(message)
        if found:
            reworded, hint = words
            return ExpressionError(reworded.format(*found.groups()), offset, hint)
    for theirs, name in _TOKEN_NAMES:
        message = message.replace(f"'{theirs}'", name).replace(theirs, name)
    return ExpressionError(message.rstrip(".").replace("'", '"'), offset)


_REWORDED: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"unexpected '=' after", ('unexpected "="', "to compare, write ==")),
        (r"got '='$", ('unexpected "="', "to compare, write ==")),
        (r"unexpected char '&'", ('unexpected "&"', "write and")),
        (r"unexpected '\|'|expected token 'name', got '\|'", ('unexpected "|"', "for either of two, write or")),
        (r"unexpected char '!'", ('unexpected "!"', "write not, or != for unequal")),
        (r"unexpected char '[“”«»„‘’]' at", ("a quote that is not ' or \"", "write 'text' or \"text\"")),
        (r"unexpected char (?:\"'\"|'\"') at", ("a quote is opened and never closed", "")),
        (r"unexpected char (['\"].+['\"]) at", ("unexpected {0}", "texts stand in quotes: 'text'")),
        (r"unexpected '(.+)' after the expression", ('unexpected "{0}" after the expression', "")),
        (r"[Ee]xpected token 'end of (?:print statement|statement block)', got '(.+)'$", ('unexpected "{0}"', "")),
        (r"[Uu]nexpected end of template.*'endif'", ("{{% if %}} without {{% endif %}}", "")),
        (r"unknown tag 'end(\w+)'", ("{{% end{0} %}} without a beginning", "")),
        (r"unknown tag '(\w+)'", ('unknown tag "{0}"', "allowed: if, elif, else, endif")),
        (r"expected token 'end of (?:print|state).*got 'end of template'", ("the braces are not closed", "")),
        (r"nexpected 'end of template'|nexpected end of template|got 'end of template'", ("ends too early", "")),
    )
)
