"""What the doors of form builders, shops and payment services have in common."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import MAXYEAR, MINYEAR, UTC, datetime, tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import Field, SecretStr

from connectors.bodies import MAX_FIELDS, Body, Pairs, UnreadableBody, flatten, read_body
from connectors.doors import DoorSettings, Inbound, ParsedLead, Refused, same_secret
from connectors.webform.fields import OwnNames, meaning_of
from connectors.webform.gather import values_of
from connectors.webform.lead import lead_from_fields, short_uid
from leads.normalize import clean_text

LABEL_MAX = 200  # characters of a question; the answer is never cut
_NONE: Mapping[str, str] = MappingProxyType({})


class FormSettings(DoorSettings):
    """Settings of a form whose fields may have names of their own."""

    fields: OwnNames = Field(
        default_factory=dict, description="their field or question -> ours, for names of their own, e.g. q1: phone"
    )


# --- requests ------------------------------------------------------------------------------


def body_of(inbound: Inbound) -> Body | None:
    """The body's fields; None for an empty body, which is how some builders test an address. Raises UnreadableBody."""
    if not inbound.body.strip():
        return None
    headers = inbound.headers
    return read_body(inbound.body, headers.get("content-type", ""), headers.get("content-encoding", ""))


def object_of(inbound: Inbound) -> dict[str, Any]:
    """The body as a JSON object. Raises UnreadableBody."""
    try:
        body = body_of(inbound)
    except UnreadableBody:
        if (hollow := _hollow_object(inbound.body)) is not None:
            return hollow
        raise
    if body is None:
        raise UnreadableBody("the body is empty")
    if not isinstance(body.tree, dict):
        raise UnreadableBody("expected a JSON object")
    return body.tree


def _hollow_object(body: bytes) -> dict[str, Any] | None:
    """`{}`, `{"events": []}`: nothing for a form to read, but well understood as an event of nothing."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) and not flatten(tree) else None


def check_hmac(secret: SecretStr, body: bytes, given: str, *, prefix: str = "") -> None:
    """`given` must be `prefix` and the base64 HMAC-SHA256 of the raw body. Raises Refused."""
    digest = hmac.digest(secret.get_secret_value().encode(), body, "sha256")
    if not same_secret(given.strip(), prefix + base64.b64encode(digest).decode()):
        raise Refused("the signature is wrong or missing")


def bearer_of(inbound: Inbound) -> str:
    """The token of `Authorization: Bearer …`, or ""."""
    scheme, _, token = inbound.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


# --- leads ---------------------------------------------------------------------------------


def lead_of(
    settings: DoorSettings,
    inbound: Inbound,
    region: str,
    values: Mapping[str, str],
    *,
    own_names: Mapping[str, str] = _NONE,
    country: str = "",
    lead_uid: str = "",
    form: str = "",
    extra: Mapping[str, str] = _NONE,
    flags: Sequence[str] = (),
) -> ParsedLead:
    """A lead of named texts. The door's own `lead_uid` and `form` count more than fields that are called so.

    `country`, where the vendor tells the person's, is the region of the phones before any setting.
    """
    home = country.upper() if len(country) == 2 and country.isascii() and country.isalpha() else ""
    lead = lead_from_fields(
        values,
        region=home or settings.region or region,
        now=inbound.received_at,
        own_names=own_names,
        extra={name: value for name, value in extra.items() if value},
        flags=flags,
    )
    uid = clean_text(lead_uid)
    return replace(lead, lead_uid=short_uid(uid) if uid else lead.lead_uid, form=clean_text(form) or lead.form)


class Answer(NamedTuple):
    """One field of a form builder: `label` is what the visitor read, `ref` the builder's own name of the field.

    `ours` is what the builder says that the field is (phone, email, …), "" if it does not.
    """

    label: str
    value: str
    ours: str = ""
    ref: str = ""


def lead_of_answers(
    settings: FormSettings,
    inbound: Inbound,
    region: str,
    answers: Iterable[Answer],
    *,
    lead_uid: str = "",
    form: str = "",
    extra: Mapping[str, str] = _NONE,
    flags: Sequence[str] = (),
) -> ParsedLead:
    """A lead of typed fields: the owner's map counts first, then the builder's type, then what the label says."""
    own = {name.casefold(): ours for name, ours in settings.fields.items()}
    values: dict[str, str] = {}
    named: dict[str, str] = {}
    labels = Labels()
    left_out = 0
    for answer in answers:
        value = clean_text(answer.value)
        if not value:
            continue
        if len(values) >= MAX_FIELDS:
            left_out += 1
            continue
        label = labels.free(answer.label or answer.ref)
        values[label] = value
        ours = own.get(answer.ref.casefold()) or own.get(answer.label.casefold()) or answer.ours or asked(label)
        if not ours and answer.ref and meaning_of(label).meaning == "extra":
            by_ref = meaning_of(answer.ref)
            ours = by_ref.meaning if by_ref.sure and by_ref.meaning in _BY_REF else ""
        if ours:
            named[label] = ours
    if left_out:
        extra = {**extra, "fields left out": str(left_out)}
    return lead_of(
        settings, inbound, region, values, own_names=named, lead_uid=lead_uid, form=form, extra=extra, flags=flags
    )


_BY_REF = frozenset(("name", "first_name", "middle_name", "last_name", "phone", "email", "comment", "company"))
_NOT_A_PERSONS = re.compile(
    r"compan|business|brand|file|user|domain|product|project|organi[sz]|event|компан|проект|организац|товар|файл"
)
_ASKED = (
    ("first_name", re.compile(r"\bfirst name\b")),
    ("last_name", re.compile(r"\b(?:last name|surname)\b|фамили[яю]")),
    (
        "name",
        re.compile(r"\b(?:your|full|you) .{0,12}\bname\b|\byour name\b|call you\b|зовут|обращаться|\bимя\b|\bфио\b"),
    ),
)


def asked(label: str) -> str:
    """What a whole question asks for where its words alone are not the name of a field: "What's your name?"."""
    if len(label) > 80 or meaning_of(label).meaning != "extra":
        return ""
    text = label.casefold()
    if _NOT_A_PERSONS.search(text):
        return ""
    return next((ours for ours, pattern in _ASKED if pattern.search(text)), "")


class Labels:
    """Names for fields whose labels repeat: `More?`, `More? (2)`."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def free(self, label: str) -> str:
        """One line without brackets, which mean nesting in names of fields; another one each time."""
        plain = clean_text(label[: 2 * LABEL_MAX]).replace("[", "(").replace("]", ")")
        text = " ".join(plain.split())[:LABEL_MAX].strip() or "field"
        times = self._seen.get(text, 0)
        while True:
            times += 1
            free = text if times == 1 else f"{text} ({times})"
            if times == 1 or free not in self._seen:
                self._seen[text] = times
                self._seen.setdefault(free, 1)
                return free


def plain_values(pairs: Pairs, without: Iterable[str] = ()) -> dict[str, str]:
    """Path -> text for `lead_of`, without the named paths (in lower case)."""
    left_out = frozenset(without)
    return {path: value for path, value in values_of(pairs).items() if path.casefold() not in left_out}


# --- JSON that may be anything -------------------------------------------------------------


def text_of(value: Any) -> str:
    """A JSON scalar as clean text; "" for null, lists and objects. True and false are words, as in `flatten`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean_text(str(value)) if isinstance(value, str | int) else ""


def dict_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def dicts_of(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON list; PHP makes objects with numeric keys of lists."""
    if isinstance(value, dict):
        value = list(value.values())
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def join_texts(value: Any) -> str:
    """A scalar, or the scalars of a list joined by commas."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(text_of, value)))
    return text_of(value)


_MONEY = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")


def money(value: Any) -> Decimal | None:
    """`4990.00`, `4 990,50`, 4990 -> Decimal; None when it is no amount."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = re.sub(r"[\s\u00a0\u202f_']", "", str(value))
    text = text.replace(",", ".") if "." not in text else text.replace(",", "")
    return Decimal(text) if text.isascii() and _MONEY.fullmatch(text) else None


def currency(value: Any) -> str:
    """ISO code in capitals, or ""."""
    code = text_of(value).upper()
    return code if len(code) == 3 and code.isascii() and code.isalpha() else ""


def moment(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """ISO 8601 (without a zone: of `zone`) or seconds since 1970 -> aware UTC in whole seconds; None if neither.

    None too for the first and the last years that there are: "no date" at some vendors, and no time in every zone.
    """
    text = text_of(value)
    try:
        if text.isascii() and text.isdigit() and len(text) <= 11:
            return datetime.fromtimestamp(int(text), UTC)
        at = datetime.fromisoformat(text)
        at = (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC).replace(microsecond=0)
        return at if MINYEAR < at.year < MAXYEAR else None
    except (ValueError, OverflowError, OSError):
        return None


# --- orders --------------------------------------------------------------------------------


def order_line(name: Any, quantity: Any = "", total: Any = "", details: str = "", *, price: Any = "") -> str:
    """`Kit × 2 = 398.00`: one line of an order as a seller reads it; "" without a name. `price` is that of one."""
    title = text_of(name)
    if not title:
        return ""
    line = f"{title} ({details})" if details else title
    count, sum_ = text_of(quantity), text_of(total)
    if not sum_ and (each := money(price)) is not None and (number := money(count or "1")) is not None:
        sum_ = f"{each * number:f}"
    return line + (f" × {count}" if count else "") + (f" = {sum_}" if sum_ else "")


def digest_of(*parts: str) -> str:
    """A short key of what has no id of its own: 32 hex digits."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
