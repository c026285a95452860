"""Takes secrets and people out of texts that are logged, shown as an error or kept with an attempt."""

import re
from collections.abc import Iterable

_PHONE = re.compile(
    r"[+\d](?<!\w.)(?:(?<=\+)\d|(?<=[78])(?<!\d[.:-].)(?=[\s(-]{0,2}9\d\d)|(?<=\d)(?<![.:-].))"
    r"(?:[\s().-]{0,3}\d){9,14}(?!\w|[.:]\d)"
)
"""10 to 15 digits, not inside of an id, a time or an address; what looks like a mobile also right after a colon.

What stands before is looked at from behind the first sign: that sign is what is searched for."""
_EMAIL = re.compile(r"([A-Za-z0-9._%+-])[A-Za-z0-9._%+-]*@([A-Za-z0-9.-]+\.[A-Za-z]{2,})")
_SECRET_PAIR = re.compile(
    r"""(?ix) (["']?(?:access_token|refresh_token|client_secret|password|secret|api_key|auth|authorization|
        bot_token|(?<!field_)(?<!enum_)(?<!error_)code(?=["']?\s*[:=]\s*["']?[^"'&\s,}]*\d))["']?\s*[:=]\s*["']?)
        (?!\s*["']?(?:null|true|false)\b) ([^"'&\s,}]{4,})""",
)
"""A `code` without any digit is what an error or a field is called, not a one-time code."""
_SECRET_WORDS = ("token", "secret", "password", "api_key", "auth")
_CODE = re.compile(r"""code(?<!field_code)(?<!enum_code)(?<!error_code)["']?\s*[:=]\s*["']?[^"'&\s,}]*\d""")
"""Where neither is in the lower-case text, `_SECRET_PAIR` cannot match: it is thirty times as slow to find out."""
_BEARER = re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]+")
MASK = "***"


def mask_phone(phone: str) -> str:
    """`+79161234567` -> `+7916***4567`: enough to tell two apart, not enough to call."""
    digits = [char for char in phone if char.isdigit()]
    if len(digits) < 7:
        return MASK
    head = "".join(digits[:4])
    return f"{'+' if phone.lstrip().startswith('+') else ''}{head}{MASK}{''.join(digits[-4:])}"


def mask_email(email: str) -> str:
    """`ivan@example.ru` -> `i***@example.ru`."""
    return _EMAIL.sub(rf"\1{MASK}@\2", email)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secrets, anything that looks like one, phones and e-mails."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    lower = text.lower()
    if "bearer" in lower:
        text = _BEARER.sub(rf"\1{MASK}", text)
    if any(word in lower for word in _SECRET_WORDS) or _CODE.search(lower):
        text = _SECRET_PAIR.sub(rf"\1{MASK}", text)
    if "@" in text:
        text = mask_email(text)
    return _PHONE.sub(_mask_if_phone, text)


def _mask_if_phone(match: re.Match[str]) -> str:
    found = match.group()
    digits = sum(char.isdigit() for char in found)
    looks_like_phone = 10 <= digits <= 15 and (found.startswith("+") or not found.isdigit() or digits == 11)
    return mask_phone(found) if looks_like_phone else found
