"""What pydantic found wrong, told in the words and at the places of the file."""

import re
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from jobs.config.env import Expanded
from jobs.config.errors import Problem, YamlPath, choices, quote
from jobs.yaml_positions import Document

Model = TypeVar("Model", bound=BaseModel)

MESSAGE_CHARS = 300
"""A validator's text may quote what it was given."""
LONG_SECRET_CHARS = 8
"""Shorter values are too common as parts of words to be taken out of a whole message."""
_WORD = re.compile(r"[a-z]+(?:[_-][a-z]+)*")


class Reader:
    """Reads sections of one document into models and gathers what is wrong with them."""

    def __init__(self, document: Document, expanded: Expanded) -> None:
        self.document = document
        self.expanded = expanded
        self.problems: list[Problem] = []

    def report(self, path: YamlPath, message: str, hint: str = "", *, key: bool = False, offset: int = 0) -> None:
        """Notes a problem, unless the value at or above `path` is an undefined variable and has been reported."""
        if not any(path[: len(known)] == known for known in self.expanded.undefined):
            self.problems.append(
                self.document.problem(path, self._scrubbed(message, path), self._hint(hint), key=key, offset=offset)
            )

    def _scrubbed(self, message: str, path: YamlPath) -> str:
        """Without values that may be secrets; short ones only where one is quoted that is not written there."""
        written = self.document.scalars.get(path)
        hidden = path in self.expanded.secret_places or path in self.expanded.from_environment
        shown = "" if written is None or hidden else written.text
        for secret in self._secrets():
            if len(secret) >= LONG_SECRET_CHARS:
                message = _masked(message, secret)
            elif secret != shown:
                message = re.sub(rf'"([^"]*)(?<!\w){re.escape(secret)}(?!\w)([^"]*)"', r'"\1***\2"', message)
        return message

    def _hint(self, hint: str) -> str:
        """Without secrets, unless one is a plain word: hints are made of names, and "sandbox" is one of them."""
        for secret in self._secrets():
            if len(secret) >= LONG_SECRET_CHARS and not _WORD.fullmatch(secret):
                hint = _masked(hint, secret)
        return hint

    def _secrets(self) -> list[str]:
        return sorted(filter(None, self.expanded.secrets), key=len, reverse=True)

    def model(self, model: type[Model], value: Any, path: YamlPath) -> Model | None:
        """`value` as `model`; None when it is not, and then at least one problem is known."""
        if not isinstance(value, dict):
            self.report(path, f"must be a section of settings, not {kind(value)}", settings_of(model))
            return None
        try:
            return model.model_validate(value)
        except ValidationError as first:
            # A token or a number of letters only in the writer's eyes: 12345 where text is meant.
            mended = self._numbers_as_text(value, path, first.errors(include_url=False, include_context=False))
            try:
                return model.model_validate(mended)
            except ValidationError as error:
                self._explain(model, value, path, error.errors(include_url=False))
                return None
        except Exception as error:  # a vendor's validator met what nobody foresaw: still not a reason for a traceback
            self.report(path, f"cannot be read ({type(error).__name__})")
            return None

    def _numbers_as_text(self, value: Any, path: YamlPath, errors: Iterable[ErrorDetails]) -> Any:
        for error in errors:
            where = existing(value, error["loc"])
            scalar = self.document.scalars.get((*path, *where))
            number = isinstance(error["input"], int | float) and not isinstance(error["input"], bool)
            if error["type"] == "string_type" and number and scalar is not None:
                value = replaced(value, where, scalar.text)
        return value

    def _explain(self, model: type[BaseModel], value: Any, path: YamlPath, errors: list[ErrorDetails]) -> None:
        told: set[YamlPath] = set()
        for error in _deepest_first(value, errors):
            where = existing(value, error["loc"])
            if error["type"] == "missing":
                where = (*where, str(error["loc"][-1]))
            if any(where == known[: len(where)] for known in told):
                continue  # another branch of a union, or the section around what was already told
            if any((*path, *where) == known[: len(path) + len(where)] for known in self.expanded.undefined):
                continue
            told.add(where)
            self._tell(model, path, where, error)

    def _tell(self, model: type[BaseModel], path: YamlPath, where: YamlPath, error: ErrorDetails) -> None:
        here = (*path, *where)
        if error["type"] == "missing":
            empty = self.expanded.empty.get(here)
            hint = f"the environment variable {empty} is empty" if empty else describe(model, where)
            self.report(here, "is required", hint, key=True)
        elif error["type"] == "extra_forbidden":
            around = sorted(names_at(model, where[:-1]))
            self.report(here, "unknown setting", choices(str(where[-1]), around), key=True)
        else:
            secret = is_secret(model, where) or here in self.expanded.from_environment
            if secret and isinstance(error["input"], str | int):
                self.expanded.secrets.add(str(error["input"]))
            message, hint = wording(error, secret=secret)
            self.report(here, message, hint or self._left_out(here) or describe(model, where))

    def _left_out(self, path: YamlPath) -> str:
        """Which settings of a section are missing because their variable is empty."""
        inside = {where[-1]: name for where, name in self.expanded.empty.items() if where[:-1] == path}
        return "\n".join(f"{key} was left out: environment variable {name} is empty" for key, name in inside.items())


def _masked(text: str, secret: str) -> str:
    """Also without the beginning of `secret` where the quoted value was cut."""
    text = text.replace(secret, "***")
    if "…" in text:
        for length in range(len(secret) - 1, 3, -1):
            text = text.replace(f"{secret[:length]}…", "***…")
    return text


def wording(error: ErrorDetails, *, secret: bool) -> tuple[str, str]:
    """Message and hint for one pydantic error; the value itself is shown only when it is no secret."""
    value, context = error["input"], error.get("ctx", {})
    found = kind(value) if secret or isinstance(value, list | dict | None) else quote(value)
    if value is None:
        return "is empty: give a value or remove the line", ""
    match error["type"]:
        case "literal_error" | "enum":
            names = [name.strip("'") for name in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
            shown = "this value" if secret else found
            return f"{shown} is not allowed here", choices("" if secret else str(value), names)
        case "string_type" | "string_sub_type":
            return f"must be text, not {kind(value)}", ""
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return f"must be a whole number, not {found}", ""
        case "float_type" | "float_parsing" | "decimal_parsing" | "decimal_type" | "finite_number":
            return f"must be a number, not {found}", ""
        case "bool_type" | "bool_parsing":
            return f"must be true or false, not {found}", ""
        case "list_type" | "tuple_type" | "set_type" | "frozen_set_type":
            return f"must be a list, not {kind(value)}", ""
        case "dict_type" | "model_type" | "model_attributes_type" | "dataclass_type":
            return f"must be a section of settings, not {kind(value)}", ""
        case "greater_than_equal":
            return f"must be at least {_bound(context['ge'])}", ""
        case "greater_than":
            return f"must be more than {_bound(context['gt'])}", ""
        case "less_than_equal":
            return f"must be at most {_bound(context['le'])}", ""
        case "less_than":
            return f"must be less than {_bound(context['lt'])}", ""
        case "too_short":
            if context.get("min_length") == 1:
                return "must not be empty", ""
            few = isinstance(value, list | tuple | set | dict)
            return "has too few entries" if few else f"is too short: at least {context['min_length']} characters", ""
        case "string_too_short":
            return f"is too short: at least {context['min_length']} characters", ""
        case "string_too_long":
            return f"is too long: at most {context['max_length']} characters", ""
        case "value_error" | "assertion_error":
            inner = context.get("error")
            if isinstance(inner, ValidationError):  # a validator that used another model: its text would show the value
                return wording(inner.errors(include_url=False)[0], secret=secret)
            text = " ".join(str(inner or error["msg"].removeprefix("Value error, ")).split())
            return text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 1] + "…", ""
        case "string_pattern_mismatch":
            return f"{found} does not have the right form", ""
        case "date_from_datetime_parsing" | "date_parsing" | "datetime_parsing" | "time_parsing":
            return f"must be a date or time, not {found}", ""
        case other if other.startswith("url_"):
            return "is not a web address", ""
    text = error["msg"]
    return text[:1].lower() + text[1:], ""


def kind(value: Any) -> str:
    """What sort of thing was found, without showing it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text" if value else "an empty text"
        case list() | tuple():
            return "a list"
        case _:
            return "a section"


def existing(value: Any, location: tuple[str | int, ...]) -> YamlPath:
    """The part of pydantic's location that exists in the file: it also names branches of unions and validators."""
    path: list[str | int] = []
    for part in location:
        if isinstance(value, dict) and str(part) in value:
            value = value[str(part)]
            path.append(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
            path.append(part)
    return tuple(path)


def replaced(value: Any, path: YamlPath, new: Any) -> Any:
    """`value` with `new` at `path`; the original is left as it is."""
    if not path:
        return new
    if isinstance(value, dict):
        return {key: replaced(item, path[1:], new) if key == path[0] else item for key, item in value.items()}
    return [replaced(item, path[1:], new) if index == path[0] else item for index, item in enumerate(value)]


def _deepest_first(value: Any, errors: list[ErrorDetails]) -> list[ErrorDetails]:
    def depth(error: ErrorDetails) -> int:
        return len(existing(value, error["loc"])) + (error["type"] == "missing")

    return sorted(errors, key=depth, reverse=True)


# --- what the models say about a place -------------------------------------------------------


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that may stand where `annotation` does."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from models_in(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from models_in(part)


def annotations_at(model: type[BaseModel], path: YamlPath) -> list[Any]:
    """The types that may stand at `path` inside `model`."""
    found: list[Any] = [model]
    for part in path:
        found = [inner for annotation in found for inner in _step(annotation, part)]
    return found


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    for model in models_in(annotation):
        for name, info in model.model_fields.items():
            if part == (info.alias or name):
                yield info.annotation
    for plain in _without_union(annotation):
        origin, arguments = get_origin(plain), get_args(plain)
        if origin in (list, tuple, set, frozenset) and isinstance(part, int) and arguments:
            yield arguments[0]
        elif origin is dict and isinstance(part, str):
            yield arguments[1]


def _without_union(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _without_union(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _without_union(part)
    else:
        yield annotation


def names_at(model: type[BaseModel], path: YamlPath) -> set[str]:
    """The settings allowed in the section at `path`."""
    return {
        info.alias or name
        for annotation in annotations_at(model, path)
        for inner in models_in(annotation)
        for name, info in inner.model_fields.items()
    }


def is_secret(model: type[BaseModel], path: YamlPath) -> bool:
    """Whether a secret may stand at `path`; where that place is not known, anywhere in what is around it."""
    for length in range(len(path), -1, -1):
        found = [plain for annotation in annotations_at(model, path[:length]) for plain in _without_union(annotation)]
        if found:
            return any(_holds_secret(annotation, inside=length < len(path)) for annotation in found)
    return True


def _holds_secret(annotation: Any, *, inside: bool) -> bool:
    if isinstance(annotation, type):
        if issubclass(annotation, SecretStr | SecretBytes):
            return True
        if issubclass(annotation, BaseModel) and inside:
            fields = annotation.model_fields.values()
            return any(_holds_secret(info.annotation, inside=False) for info in fields)
    return any(_holds_secret(part, inside=inside) for part in get_args(annotation))


def describe(model: type[BaseModel], path: YamlPath) -> str:
    """The description of the setting at `path`, "" if it has none."""
    if not path or not isinstance(path[-1], str):
        return ""
    for annotation in annotations_at(model, path[:-1]):
        for inner in models_in(annotation):
            for name, info in inner.model_fields.items():
                if path[-1] == (info.alias or name):
                    return info.description or ""
    return ""


def settings_of(model: type[BaseModel]) -> str:
    return f"allowed: {', '.join(sorted(names_at(model, ())))}."


def _bound(value: object) -> object:
    """60.0 as people write it: 60."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
