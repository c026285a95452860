"""A form's fields, sorted by what they mean."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from connectors.bodies import Pairs, flatten, plain_path
from connectors.webform.fields import EXTRA, FieldMeaning, meaning_of
from leads.normalize import clean_text

_URL = re.compile(r"(?:https?:)?//\S|/|www\.|[\w-]+(?:\.[\w-]+)+(?:[/?:]|$)", re.IGNORECASE)
_NOTHING = frozenset(("", "0", "null", "undefined", "none", "nan", "-", "[object object]"))
_ALIASES = {"metrika": "_ym_uid", "yandexclientid": "_ym_uid"}


@dataclass(slots=True)
class Gathered:
    """The fields of one lead by meaning. `single` keeps (rank, path, value) of the most trusted so far."""

    single: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    phone_fields: Pairs = field(default_factory=list)
    email_fields: Pairs = field(default_factory=list)
    unsure: list[tuple[str, str, str]] = field(default_factory=list)
    """(meaning, path, value) of labels that only hint at a phone or an e-mail."""
    comments: list[str] = field(default_factory=list)
    touch: dict[str, str] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    cookies: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def text(self, meaning: str) -> str:
        return self.single[meaning][2] if meaning in self.single else ""

    def keep(self, meaning: FieldMeaning, path: str, value: str) -> None:
        """One value for one meaning: the better synonym stays, the other is kept as extra."""
        held = self.single.get(meaning.meaning)
        if held is None:
            self.single[meaning.meaning] = (meaning.rank, path, value)
        elif meaning.rank < held[0]:
            self.single[meaning.meaning] = (meaning.rank, path, value)
            self.extra[held[1]] = held[2]
        elif value != held[2]:
            self.extra[path] = value


def gather(values: Mapping[str, str], own_names: Mapping[str, str]) -> Gathered:
    """Sorts path -> text. `own_names` is the owner's map of their field -> ours."""
    gathered = Gathered()
    own = {plain_path(name).casefold(): ours for name, ours in own_names.items()}
    for path, value in values.items():
        ours = own.get(path.casefold()) if own else None
        meaning = meaning_of(path) if ours is None else _configured(ours)
        _place(gathered, meaning, path, value)
    return gathered


def _configured(ours: str) -> FieldMeaning:
    return EXTRA if ours == "extra" else meaning_of(ours)._replace(rank=-1, sure=True)


def _place(gathered: Gathered, meaning: FieldMeaning, path: str, value: str) -> None:
    kind = meaning.meaning
    if not meaning.sure:
        gathered.unsure.append((kind, path, value))
        return
    match kind:
        case "phone":
            gathered.phone_fields.append((path, value))
        case "email":
            gathered.email_fields.append((path, value))
        case "contact":
            (gathered.email_fields if "@" in value else gathered.phone_fields).append((path, value))
        case "comment":
            gathered.comments.append(value)
        case "touch":
            gathered.touch.setdefault(_ALIASES.get(meaning.key, meaning.key), value)
        case "utm":
            gathered.touch = {**_utm_string(value), **gathered.touch}
        case "cookies":
            gathered.cookies = value
        case "first_touch" | "last_touch":
            held = gathered.first if kind == "first_touch" else gathered.last
            held.update(_touch_fields(value) if value.startswith("{") else {meaning.key: value})
        case "page_url" | "landing_page" | "referrer" if not _URL.match(value):
            gathered.extra[path] = value
        case "lead_uid" if value.lower() in _NOTHING:
            pass
        case "extra":
            gathered.extra[path] = value
        case _:
            gathered.keep(meaning, path, value)


def values_of(pairs: Pairs) -> dict[str, str]:
    """Path -> text, empty ones left out; what one name was sent for several times is joined by commas."""
    values: dict[str, str] = {}
    for path, raw in pairs:
        value = clean_text(raw)
        if not value:
            continue
        name = path if path.isascii() and path.isprintable() else clean_text(path)
        held = values.get(name)
        if held is None:
            values[name] = value
        elif held != value and value not in held.split(", "):
            values[name] = f"{held}, {value}"
    return values


def _touch_fields(text: str) -> dict[str, str]:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {path: clean_text(value) for path, value in flatten(data)[:100]}


def _utm_string(text: str) -> dict[str, str]:
    """`utm_source=a&utm_medium=b`, `source=a|medium=b` in one field -> named values."""
    found: dict[str, str] = {}
    for piece in re.split(r"[&|;\n]+", text[:4000]):
        name, equals, value = piece.partition("=")
        name = name.strip().lstrip("?").lower()
        if equals and name:
            found[name if name.startswith("utm") else f"utm_{name}"] = value
    return found


def cookie_values(gathered: Gathered) -> dict[str, str]:
    """What a `COOKIES` field tells: visitor ids, and UTM where the site keeps them there."""
    found: dict[str, str] = {}
    if not gathered.cookies:
        return found
    for piece in gathered.cookies[:16_000].replace("|||amp;", "|||").split(";"):
        name, equals, value = piece.strip().partition("=")
        if not equals:
            continue
        meaning = meaning_of(name)
        if meaning.meaning == "touch" and meaning.sure:
            found.setdefault(_ALIASES.get(meaning.key, meaning.key), unquote(value))
        elif name == "TILDAUTM":
            found.update(_utm_cookie(value))
        elif meaning.meaning == "first_touch" and not gathered.first:
            gathered.first = _touch_fields(unquote(value))
        elif meaning.meaning == "last_touch" and not gathered.last:
            gathered.last = _touch_fields(unquote(value))
    return found


def _utm_cookie(value: str) -> dict[str, str]:
    """`utm_source%3Da%7C%7C%7Cutm_medium%3Db`, encoded once, twice or not at all; plus is a space as in the address."""
    for _ in range(3):
        if "=" in value:
            break
        value = unquote(value)
    return {name: text.replace("+", " ") for name, text in _utm_string(value.replace("|||amp;", "|||")).items()}
