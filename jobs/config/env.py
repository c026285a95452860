"""`${NAME}` and `${NAME:-default}`: values from the environment and from the `.env` beside the file."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from jobs.config.errors import Problem, YamlPath
from jobs.yaml_positions import Document
from mappings.problems import nearest

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\})?")
_SECRET_NAME = re.compile(r"token|key|secret|passw|salt|auth|webhook_url|database|dsn", re.IGNORECASE)


@dataclass(slots=True)
class Expanded:
    """The document's values with the environment put in.

    `undefined` are the paths that have no value, because a variable is not set or the YAML
    is broken there: nothing more is said about them. `empty` are settings left out because their variable is empty.
    `secrets` are values never to be shown, `secret_places` where settings named like secrets stand.
    """

    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    undefined: set[YamlPath] = field(default_factory=set)
    empty: dict[YamlPath, str] = field(default_factory=dict)
    from_environment: set[YamlPath] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    secret_places: set[YamlPath] = field(default_factory=set)


_DROP = object()


def read_dotenv(path: Path) -> tuple[dict[str, str], list[Problem]]:
    """The variables of a `.env` file, {} when there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, []
    except UnicodeDecodeError:
        return {}, [Problem(str(path), 0, 0, "", "the text is not UTF-8", "save it as UTF-8")]
    except OSError as error:
        return {}, [Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}")]
    values: dict[str, str] = {}
    problems = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            line = binding.original.line
            problems.append(Problem(str(path), line, 1, "", "this line cannot be read", "write NAME=value"))
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
    return values, problems


def expand(document: Document, environ: Mapping[str, str]) -> Expanded:
    """Puts the environment into every text of the document; all undefined names are reported at once."""
    result = Expanded(undefined=set(document.broken))
    data = _value(document.data, (), document, environ, result)
    result.data = None if data is _DROP else data
    return result


def _value(value: Any, path: YamlPath, document: Document, environ: Mapping[str, str], result: Expanded) -> Any:
    if isinstance(value, dict):
        items = ((key, _value(item, (*path, key), document, environ, result)) for key, item in value.items())
        return {key: item for key, item in items if item is not _DROP}
    if isinstance(value, list):
        listed = [_value(item, (*path, index), document, environ, result) for index, item in enumerate(value)]
        return [None if item is _DROP else item for item in listed]
    if not isinstance(value, str):
        _remember(path, value, result)
        return value
    text = _text(value, path, document, environ, result) if "${" in value else value
    if text == "" and path in result.empty:
        return _DROP
    _remember(path, text, result)
    return text


def _remember(path: YamlPath, value: Any, result: Expanded) -> None:
    """Values that look like secrets by their name, or that came from the environment, are never shown."""
    named = next((part for part in reversed(path) if isinstance(part, str)), "")
    if isinstance(value, str | int | float) and not isinstance(value, bool) and _SECRET_NAME.search(named):
        result.secrets.add(str(value))
        result.secret_places.add(path)


def _text(value: str, path: YamlPath, document: Document, environ: Mapping[str, str], result: Expanded) -> str:
    used: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        name, with_default, default = match[1], match[2], match[3]
        if match[0] == "$${":
            return "${"
        if name is None:
            message = "${ does not begin a variable here"
            hint = "write ${NAME} or ${NAME:-default}; for the two characters themselves write $${"
            result.problems.append(document.problem(path, message, hint, offset=match.start()))
            result.undefined.add(path)
            return match[0]
        used.append(name)
        found = environ.get(name, "")
        if found == "" and with_default:
            return default or ""
        if found == "" or not _is_text(found):
            result.problems.append(_missing(name, path, match.start(), document, environ))
            result.undefined.add(path)
            return f"undefined-{name}"
        result.secrets.add(found)
        return found

    text = _REFERENCE.sub(replaced, value)
    if used:
        result.from_environment.add(path)
    if text == "" and used:
        result.empty[path] = used[0]
    return text


def _missing(name: str, path: YamlPath, offset: int, document: Document, environ: Mapping[str, str]) -> Problem:
    """An empty variable is an error too: an empty key or password would open a door unnoticed."""
    hint = f"set it in the environment or in .env beside the file; if it may be absent write ${{{name}:-}}"
    if name in environ:
        what = "is not UTF-8 text" if environ[name] else "is empty"
        return document.problem(path, f"environment variable {name} {what}", hint, offset=offset)
    guess = nearest(name, environ)
    hint += f'. Did you mean "{guess}"?' if guess else ""
    return document.problem(path, f"environment variable {name} is not set", hint, offset=offset)


def _is_text(value: str) -> bool:
    """Bytes of the environment that are not UTF-8 come as halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
