"""Request bodies as they really come -> fields in order, whatever the content type claims."""

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from connectors.doors import Unreadable
from connectors.multipart import Part, read_multipart

MAX_FIELDS = 1000  # more than any form has; what is over is counted, and still in the raw request
MAX_DEPTH = 8  # deeper JSON is kept as text
MAX_KEY = 200  # characters
MAX_INFLATED = 16 * 1024 * 1024  # bytes; a compressed body larger than this is an attack

# Encodings a sender may declare. Not every codec Python knows: some of them make no sense of bytes from outside.
_DECLARED = re.compile(
    r"windows-?125\d|cp125\d|koi8-[ru]|cp866|ibm866|iso-8859-\d{1,2}|latin-?1|utf-16(le|be)?"
    r"|gbk|gb2312|gb18030|big5|shift_jis|euc-(jp|kr)"
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_SURROGATE_OR_NUL = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_SURROGATE_OR_NUL = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_WRAPPERS = ("payload", "data", "json", "rawRequest")  # form fields that hold the whole lead as JSON

Pairs = list[tuple[str, str]]


class UnreadableBody(Unreadable):
    """No fields can be found in the body."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart form. Its content is only in the raw request."""

    field: str
    filename: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Body:
    """`pairs` are (path, text) in the order sent: `a[b][0]` and nested JSON become `a.b.0`, lists repeat their path.

    `tree` is the JSON value (integers as int, other numbers as the text sent), None for a
    form. `left_out` counts fields over MAX_FIELDS.
    """

    kind: Literal["json", "form", "multipart"]
    pairs: Pairs
    tree: Any = None
    files: tuple[Upload, ...] = ()
    charset_guessed: bool = False
    left_out: int = 0


def read_body(body: bytes, content_type: str = "", content_encoding: str = "") -> Body:
    """Reads JSON, form-encoded and multipart by looking at the bytes. Raises UnreadableBody and nothing else."""
    data = _without_bom(inflated(body, content_encoding.strip().lower()))
    kind, _, _ = content_type.lower().partition(";")
    match = _CHARSET.search(content_type)
    charset = match[1].lower() if match else ""
    data = data.strip(b" \t\r\n\x00") if not data.startswith(b"--") else data
    if not data:
        raise UnreadableBody("the body is empty")
    if data[:1] in (b"{", b"[", b'"'):
        try:
            return _json_body(data, charset)
        except UnreadableBody:
            if "json" in kind or b"=" not in data:
                raise
    if "multipart" in kind or data.startswith(b"--"):
        parts = read_multipart(data, content_type, MAX_FIELDS)
        if parts:
            return _multipart_body(parts, charset)
    return _form_body(data, charset, lines=kind.strip() == "text/plain" and b"&" not in data)


def decode(data: bytes, charset: str = "") -> tuple[str, bool]:
    """Bytes -> text, and whether the encoding was guessed: UTF-8 strictly, then as declared, then windows-1251."""
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError as error:
        cut_short = error.reason == "unexpected end of data" and not data[: error.start].isascii()
        if cut_short:  # a sender that limits length in bytes cut the last letter in two
            return data[: error.start].decode("utf-8"), True
    if _DECLARED.fullmatch(charset):
        try:
            return data.decode(charset), False
        except (UnicodeDecodeError, LookupError):
            pass  # the declaration lied
    return data.decode("windows-1251", "replace"), True


def flatten(tree: Any) -> Pairs:
    """Nested JSON -> pairs. Null is absence; true and false are words."""
    pairs: Pairs = []
    _flatten(tree, "", pairs, 0)
    return pairs


def plain_path(key: str) -> str:
    """PHP's brackets -> dots: `fields[email][value]` -> `fields.email.value`, `tags[]` -> `tags`."""
    if "[" in key:
        key = key.replace("[]", "").replace("][", ".").replace("[", ".").replace("]", "").strip(".")
    return key[:MAX_KEY].strip()


def _flatten(value: Any, path: str, pairs: Pairs, depth: int) -> None:
    if isinstance(value, str):
        pairs.append((path, value))
    elif value is None:
        return
    elif isinstance(value, dict) and depth < MAX_DEPTH:
        for key, inner in value.items():
            name = plain_path(key)
            _flatten(inner, f"{path}.{name}" if path else name, pairs, depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for index, inner in enumerate(value):
            nested = isinstance(inner, dict | list)
            _flatten(inner, f"{path}.{index}".lstrip(".") if nested else path, pairs, depth + 1)
    elif isinstance(value, bool):
        pairs.append((path, "true" if value else "false"))
    elif isinstance(value, dict | list):
        try:
            pairs.append((path, json.dumps(value, ensure_ascii=False)))
        except RecursionError:
            pairs.append((path, "…"))
    else:
        pairs.append((path, str(value)))


def _json_body(data: bytes, charset: str) -> Body:
    text, guessed = decode(data, charset)
    tree = _loads(text)
    if isinstance(tree, str):  # JSON inside a JSON string
        tree = _loads(tree.strip())
    if not isinstance(tree, dict | list):
        raise UnreadableBody("the JSON is not an object")
    pairs = _named_values(tree) or flatten(tree)
    if _ESCAPED_SURROGATE_OR_NUL.search(text) or "\x00" in text:
        pairs = [(_clean(path), _clean(value)) for path, value in pairs]
        tree = _clean_tree(tree)
    if not any(name for name, _ in pairs):
        raise UnreadableBody("the JSON has no fields")
    return Body("json", pairs[:MAX_FIELDS], tree, charset_guessed=guessed, left_out=max(0, len(pairs) - MAX_FIELDS))


def _loads(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableBody(f"not valid JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise UnreadableBody("the JSON is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a key that is sent twice keeps both values, as a form's would."""
    made = dict(pairs)
    if len(made) != len(pairs):
        for key in made:
            values = [value for name, value in pairs if name == key]
            made[key] = values if len(values) > 1 else values[0]
    return made


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=lambda text: int(text) if len(text) < 40 else text,
    parse_float=str,  # 1.10 stays 1.10: prices are never floats
    parse_constant=lambda _: None,
    strict=False,  # hand-made senders put real line breaks into strings
)


def _named_values(tree: Any) -> Pairs:
    """`[{"name": "phone", "value": "…"}, …]`, as jQuery's serializeArray makes it -> pairs; else nothing."""
    if not isinstance(tree, list):
        return []
    pairs: Pairs = []
    for item in tree:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or item.keys() != {"name", "value"}:
            return []
        _flatten(item["value"], plain_path(item["name"]), pairs, 1)
    return pairs


def _clean(text: str) -> str:
    """Without NUL and half surrogates, which neither UTF-8 nor a database can hold."""
    return _SURROGATE_OR_NUL.sub("", text)


def _clean_tree(tree: Any) -> Any:
    if isinstance(tree, str):
        return _clean(tree)
    if isinstance(tree, list):
        return [_clean_tree(item) for item in tree]
    if isinstance(tree, dict):
        return {_clean(key): _clean_tree(value) for key, value in tree.items()}
    return tree


def _form_body(data: bytes, charset: str, *, lines: bool) -> Body:
    if data[:1] == b"%" and b"=" not in data:
        data = unquote_to_bytes(data)  # JSON posted as if it were a form, percent signs and all
        return _json_body(data, charset)
    if b"=" not in data or data[:1] == b"<" or _BINARY.search(data):
        raise UnreadableBody("neither JSON nor form fields")
    pieces = data.splitlines() if lines else data.split(b"&")
    guessed = False
    pairs: Pairs = []
    for piece in pieces[:MAX_FIELDS]:
        key, equals, value = piece.partition(b"=")
        if not key and not equals:
            continue
        if not lines:
            key, value = unquote_to_bytes(key.replace(b"+", b" ")), unquote_to_bytes(value.replace(b"+", b" "))
        name, key_guessed = decode(key.strip(b"\x00"), charset)
        text, value_guessed = decode(value.replace(b"\x00", b""), charset)
        guessed = guessed or key_guessed or value_guessed
        pairs += _unwrapped(plain_path(_clean(name)), text)
    if not any(name for name, _ in pairs):
        raise UnreadableBody("the form has no named fields")
    return Body("form", pairs, charset_guessed=guessed, left_out=max(0, len(pieces) - MAX_FIELDS))


def _unwrapped(name: str, text: str) -> Pairs:
    """`data={"name": …}`: the lead as JSON inside a form field."""
    if name in _WRAPPERS and text.startswith("{"):
        try:
            return [(_clean(path), _clean(value)) for path, value in flatten(_loads(text))]
        except UnreadableBody:
            pass  # just a text that begins with a brace
    return [(name, text)]


def _multipart_body(parts: list[Part], charset: str) -> Body:
    guessed = False
    pairs: Pairs = []
    files: list[Upload] = []
    for part in parts:
        name, name_guessed = decode(part.name, charset)
        name = plain_path(_clean(name))
        if part.filename is not None:
            filename, name_guessed = decode(part.filename, charset)
            if filename or part.data:  # a file input left empty is no file
                files.append(Upload(name, _clean(filename), len(part.data)))
        else:
            text, value_guessed = decode(part.data, part.charset or charset)
            name_guessed = name_guessed or value_guessed
            pairs += _unwrapped(name, _clean(text))
        guessed = guessed or name_guessed
    if not pairs and not files:
        raise UnreadableBody("the form has no fields")
    return Body("multipart", pairs[:MAX_FIELDS], files=tuple(files), charset_guessed=guessed)


def _without_bom(data: bytes) -> bytes:
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data


def inflated(body: bytes, content_encoding: str) -> bytes:
    """As it was before it was compressed. Raises UnreadableBody when that is too large."""
    if content_encoding not in ("gzip", "x-gzip", "deflate"):
        return body
    inflater = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib by its header
    try:
        data = inflater.decompress(body, MAX_INFLATED)
    except zlib.error:
        return body  # the header lied: it may be plain
    if inflater.unconsumed_tail:
        raise UnreadableBody(f"the body inflates to more than {MAX_INFLATED // 1024 // 1024} MB")
    return data
