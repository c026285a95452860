"""Where the visitor came from: this visit, and the first one as the browser remembers it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.webform.gather import Gathered, cookie_values
from leads.attribution import channel, touch_of
from leads.records import Touch

OLDEST_TOUCH = timedelta(days=5 * 366)  # a browser that says more has a wrong clock


def touches(gathered: Gathered, page_url: str, now: datetime) -> tuple[Touch, Touch | None, str]:
    """This visit, the browser's first touch, the referrer.

    A visit that tells nothing itself is given what the browser remembers of the last one that did.
    """
    fields = {**cookie_values(gathered), **gathered.touch}
    referrer = gathered.text("referrer")
    touch = touch_of(fields, at=now, page_url=page_url, landing_page=gathered.text("landing_page"), referrer=referrer)
    last = _remembered(gathered.last, now)
    first = _remembered(gathered.first, now)
    if last is not None:
        same_visit = not touch.utm or last.utm.get("utm_source", "") == touch.utm.get("utm_source", "")
        touch = replace(
            touch,
            utm={**last.utm, **touch.utm} if same_visit else touch.utm,
            click_ids={**last.click_ids, **touch.click_ids} if same_visit else touch.click_ids,
            referrer=last.referrer or touch.referrer,
            landing_page=last.landing_page or touch.landing_page,
        )
        touch = replace(touch, channel=channel(touch))
    return touch, first, referrer or touch.referrer


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
