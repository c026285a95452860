"""First and last touch of a person; what a request tells of one touch."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from leads.channels import CHANNELS, PAID_CLICK_KEYS, Channel, channel
from leads.normalize import clean_text, utm_value
from leads.records import CLICK_KEYS, UTM_KEYS, Touch
from leads.touch_text import describe_touch

__all__ = [
    "CHANNELS",
    "Channel",
    "channel",
    "describe_touch",
    "first_touch",
    "last_touch",
    "touch_from_json",
    "touch_of",
    "touch_to_json",
    "utm_of",
]

URL_MAX = 4_096
CLICK_ID_MAX = 255
QUERY_FIELDS_MAX = 100
NAME_MAX = 64  # our caches hold what strangers send: everything that goes into one is short

# How senders spell what we call by one name; compared without case, "_", "-", brackets and spaces.
_UTM_NAMES = {
    **{key.replace("_", ""): key for key in UTM_KEYS},
    "utmkeyword": "utm_term",
}
_CLICK_NAMES = {
    **{key.replace("_", ""): key for key in (*CLICK_KEYS, *PAID_CLICK_KEYS)},
    **dict.fromkeys(("ymuid", "ymclientid", "metrikaclientid", "yaclientid"), "_ym_uid"),
    **dict.fromkeys(("ga", "gaclientid", "googleclientid", "gclientid", "uaclientid"), "client_id"),
    **dict.fromkeys(("roistat", "roistatvisit", "roistatvisitid"), "roistat_visit"),
    "vkclickid": "rb_clickid",
}
_NAME_NOISE = re.compile(r"[\s_\-\[\].]+")
_GA_COOKIE = re.compile(r"GA\d\.\d\.(\d+\.\d+)")
_NO_CLICK_ID = frozenset(("", "null", "undefined", "none", "nan", "(not set)", "-"))


@lru_cache(2_048)  # senders use the same few names
def _plain_name(name: str) -> str:
    return _NAME_NOISE.sub("", name.lower())


def utm_of(fields: Mapping[str, str]) -> dict[str, str]:
    """UTM values among `fields` (utm_source, utmSource, utm[source], ...), normalised; without the empty ones."""
    return _marks(fields.items())[0]


Marks = tuple[dict[str, str], dict[str, str]]
"""UTM values, normalised; click and visitor ids, case kept (they are opaque)."""


def _marks(fields: Iterable[tuple[str, str]]) -> Marks:
    utm: dict[str, str] = {}
    click_ids: dict[str, str] = {}
    for name, raw in fields:
        if len(name) > NAME_MAX:
            continue
        plain = _plain_name(name)
        key = _UTM_NAMES.get(plain)
        if key is not None:
            if key not in utm and (value := utm_value(raw)):
                utm[key] = value
            continue
        key = _CLICK_NAMES.get(plain)
        if key is not None and key not in click_ids and (value := _click_id(raw)):
            click_ids[key] = value
    return {key: utm[key] for key in UTM_KEYS if key in utm}, click_ids


def _click_id(raw: str) -> str:
    value = clean_text(raw)
    if value.lower() in _NO_CLICK_ID or value.startswith("{") or len(value) > CLICK_ID_MAX:
        return ""
    cookie = _GA_COOKIE.fullmatch(value) if value.startswith("GA") else None
    return cookie[1] if cookie else value


@lru_cache(1_024)  # landing pages repeat; the dicts are shared, so nobody may change them
def _marks_of_url(url: str) -> Marks:
    """The marks in the query of a URL, decoded once (`utm_value` does it: also from windows-1251)."""
    query = url.partition("?")[2].partition("#")[0].replace("&amp;", "&")
    pairs = query.split("&", QUERY_FIELDS_MAX)[:QUERY_FIELDS_MAX]
    wanted = []
    for name, _, value in (pair.partition("=") for pair in pairs):
        if len(name) > NAME_MAX:
            continue
        plain = _plain_name(unquote(name) if "%" in name else name)
        if plain in _UTM_NAMES:
            wanted.append((plain, value.replace("+", " ")))
        elif plain in _CLICK_NAMES:
            wanted.append((plain, unquote(value)))
    return _marks(wanted)


def touch_of(
    fields: Mapping[str, str],
    *,
    at: datetime,
    source: str = "",
    page_url: str = "",
    landing_page: str = "",
    referrer: str = "",
    kind: str = "web",
) -> Touch:
    """The touch that a request tells of.

    A field counts more than the address of the page, that more than the landing page. UTM of
    two places are one set only if they agree on utm_source: a campaign of one visit and a source of
    another would be a touch that never was. `kind`: see `channel`.
    """
    utm: dict[str, str] = {}
    click_ids: dict[str, str] = {}
    for more, ids in (_marks(fields.items()), _marks_of_url(page_url[:URL_MAX]), _marks_of_url(landing_page[:URL_MAX])):
        if more and (not utm or more.get("utm_source", "") == utm.get("utm_source", "")):
            utm = {**more, **utm}
        if ids:
            click_ids = {**ids, **click_ids}
    touch = Touch(
        at=at,
        source=source,
        utm={key: utm[key] for key in UTM_KEYS if key in utm},
        click_ids=click_ids,
        referrer=clean_text(referrer)[:URL_MAX],
        landing_page=clean_text(landing_page or page_url)[:URL_MAX],
    )
    return replace(touch, channel=channel(touch, kind))


def first_touch(current: Touch | None, candidate: Touch | None, browser: Touch | None = None) -> Touch | None:
    """The person's first touch after this lead: what is there stays, whatever comes.

    Only where there is none yet (the person is new) the visitor's browser is asked: its memory
    counts if it is of an earlier time than this visit.
    """
    if current is not None:
        return current
    if browser is not None and (candidate is None or browser.at <= candidate.at):
        return browser
    return candidate


def last_touch(previous: Touch | None, candidate: Touch | None) -> Touch | None:
    """The last touch that tells where the person came from: a direct visit does not hide the one before it."""
    if candidate is None or (previous is not None and candidate.channel == "direct"):
        return previous
    return candidate


def touch_to_json(touch: Touch) -> dict[str, Any]:
    """A dict for JSON; `touch_from_json` gives the same touch back. Empty parts are kept: readers need no defaults."""
    return {
        "at": touch.at.astimezone(UTC).isoformat(),
        "source": touch.source,
        "channel": touch.channel,
        "utm": dict(touch.utm),
        "click_ids": dict(touch.click_ids),
        "referrer": touch.referrer,
        "landing_page": touch.landing_page,
    }


def touch_from_json(data: Mapping[str, Any]) -> Touch:
    """Raises ValueError without an aware `at`; every other part may be absent."""
    at = datetime.fromisoformat(str(data.get("at", "")))
    if at.tzinfo is None:
        raise ValueError("a touch needs a time with a zone")
    return Touch(
        at=at.astimezone(UTC),
        source=str(data.get("source") or ""),
        utm={str(key): str(value) for key, value in (data.get("utm") or {}).items()},
        click_ids={str(key): str(value) for key, value in (data.get("click_ids") or {}).items()},
        referrer=str(data.get("referrer") or ""),
        landing_page=str(data.get("landing_page") or ""),
        channel=str(data.get("channel") or ""),
    )
