"""Takes a source's own secrets out of what it sent, however they were written."""

import re
from collections.abc import Iterable

from leads.redact import MASK

SHORT = 6  # characters; a shorter secret is masked only where it stands alone, or half the text would go

_RAW = (
    r"[\w.-]*(?:secret|password|passwd|api[_-]?key|google_key|vpbx_api_key|crm[_-]?key|"
    r"(?:crm|access|auth|bot)[_-]?token)"
)
_LOOK = rf"(?:{_RAW}|[\w.-]*(?:key|token|sign|signature|auth|authorization|hash|md5))"


class Mask:
    """`secrets` are those of one source."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(_written, found))) if found else None

    def __call__(self, text: str) -> str:
        """Without the secrets themselves, and without the values of fields that are called like secrets."""
        return self._values(_IN_RAW, text)

    def look(self, text: str) -> str:
        """The same of what was refused: whatever looks like a proof may be a secret that we do not know yet."""
        return self._values(_IN_LOOK, text)

    def _values(self, fields: "re.Pattern[str]", text: str) -> str:
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        return fields.sub(rf"\g<before>{MASK}", text)


def _written(secret: str) -> str:
    """A pattern of the secret as JSON, XML, a form or an address may write it."""
    pattern = "".join(map(_char, secret))
    return pattern if len(secret) >= SHORT else rf"(?<!\w){pattern}(?!\w)"


def _char(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    in_json = "".join(rf"\\u{_any_case(units[at : at + 2].hex())}" for at in range(0, len(units), 2))
    in_form = "".join(f"%{_any_case(f'{byte:02x}')}" for byte in char.encode("utf-8", "surrogatepass"))
    in_xml = rf"&\#(?:{ord(char)}|[xX]0*{_any_case(f'{ord(char):x}')});"
    ways = [re.escape(char), in_form, in_json, in_xml]
    if char in '"\\/':
        ways.append(rf"\\{re.escape(char)}")
    if char == " ":
        ways.append(r"\+")
    if char in _ENTITIES:
        ways.append(_ENTITIES[char])
    return f"(?:{'|'.join(ways)})"


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


def _any_case(digits: str) -> str:
    return "".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in digits)


def _fields(names: str) -> "re.Pattern[str]":
    """Values of fields with such names: in JSON, in a form or an address, in a part of a multipart body."""
    in_json = rf"""["'](?:{names})["']\s*:\s*["'](?=[^"'])"""
    in_form = rf"(?:^|[?&;\s])(?:{names})="
    in_part = rf"""\bname=["']?(?:{names})["']?\r?\n(?:[^\r\n]+\r?\n)*\r?\n"""
    return re.compile(rf"""(?im)(?P<before>{in_json}|{in_form}|{in_part})[^"'&\r\n]+""")


_IN_RAW = _fields(_RAW)
_IN_LOOK = _fields(_LOOK)
