"""Where the visitor came from: this visit, and the first one as the browser remembers it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.webform.gather import Gathered, cookie_values
from leads.attribution import channel, touch_of
from leads.records import UTM_KEYS, Touch

OLDEST_TOUCH = timedelta(days=5 * 366)  # a browser that says more has a wrong clock


def touches(gathered: Gathered, page_url: str, now: datetime) -> tuple[Touch, Touch | None, str]:
    """This visit, the browser's first touch, the referrer.

    A visit that tells nothing itself is given what the browser remembers of the last one that did.
    """
    referrer = gathered.text("referrer")
    cookies = cookie_values(gathered)
    touch = touch_of(
        gathered.touch, at=now, page_url=page_url, landing_page=gathered.text("landing_page"), referrer=referrer
    )
    if cookies:
        touch = _filled(touch, touch_of(cookies, at=now))
    last, first = _remembered(gathered.last, now), _remembered(gathered.first, now)
    if last is not None:
        touch = _filled(
            replace(
                touch,
                referrer=last.referrer or touch.referrer,
                landing_page=last.landing_page or touch.landing_page,
            ),
            last,
            whole_visit=True,
        )
    return touch, first, referrer or touch.referrer


def _filled(touch: Touch, memory: Touch, *, whole_visit: bool = False) -> Touch:
    """What the touch leaves out, from the browser's memory. UTM of two visits with different sources is never mixed.

    Ids in cookies are of the visitor; those of a remembered visit (`whole_visit`) only of that visit.
    """
    same = not touch.utm or memory.utm.get("utm_source", "") == touch.utm.get("utm_source", "")
    utm = {**memory.utm, **touch.utm} if same else touch.utm
    filled = replace(
        touch,
        utm={key: utm[key] for key in UTM_KEYS if key in utm},
        click_ids={**memory.click_ids, **touch.click_ids} if same or not whole_visit else touch.click_ids,
    )
    return replace(filled, channel=channel(filled))


def _remembered(data: Mapping[str, str], now: datetime) -> Touch | None:
    """A touch as leadhub.js keeps it: `at`, `referrer`, `landing_page`, `utm_…` and click ids, all as text."""
    if not data:
        return None
    return touch_of(
        data,
        at=_moment(data.get("at", ""), now),
        landing_page=data.get("landing_page", ""),
        referrer=data.get("referrer", ""),
    )


def _moment(text: str, now: datetime) -> datetime:
    """ISO 8601 or milliseconds since 1970; a time that cannot be is replaced by `now`: visitors' clocks are wrong."""
    try:
        if text.isascii() and text.isdigit() and len(text) < 16:
            at = datetime.fromtimestamp(int(text) / 1000, UTC)
        else:
            at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return now
    if at.tzinfo is None:
        return now
    return at.astimezone(UTC) if now - OLDEST_TOUCH < at <= now else now
