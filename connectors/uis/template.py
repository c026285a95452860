"""What a customer's template made: JSON, a form, or JSON that the values broke (an empty one, a quote in a name)."""

import re
from typing import Final

from connectors.bodies import UnreadableBody, decode
from connectors.doors import Inbound
from connectors.pbx import fields_of
from leads.normalize import clean_text

_KEY: Final = re.compile(r'(?:^\s*\{|,)\s*"([A-Za-z_]\w{0,63})"\s*:', re.ASCII)
_VARIABLE: Final = re.compile(r"\{\{\s*[\w.]+\s*\}\}", re.ASCII)
_NOTHING: Final = frozenset(("", "null", "none", "undefined"))
KEYS_MAX = 200


def read_template(inbound: Inbound) -> dict[str, str]:
    """Field -> text, without those that are empty or were left as `{{variable}}`. Raises Unreadable."""
    text, _ = decode(inbound.body)
    is_object = text.lstrip().startswith("{")
    try:
        fields = fields_of(inbound, lists=True)
    except UnreadableBody:
        if not is_object:
            raise
        fields = {}
    if is_object and "call_session_id" not in fields:
        fields = {**fields, **_mended(text)}
    if not fields:
        raise UnreadableBody("neither JSON nor a form")
    return {
        key: value for key, value in fields.items() if value.lower() not in _NOTHING and not _VARIABLE.search(value)
    }


def _mended(text: str) -> dict[str, str]:
    """The value of a key is all that stands before the next one."""
    fields: dict[str, str] = {}
    found = list(_KEY.finditer(text))[:KEYS_MAX]
    ends = [match.start() for match in found[1:]]
    for match, end in zip(found, [*ends, None], strict=False):
        value = text[match.end() : end].strip()
        if end is None:
            value = value.removesuffix("}").rstrip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('\\"', '"').replace("\\/", "/")
        fields.setdefault(match[1], clean_text(value))
    return fields
