"""How a request and its lead are kept."""

from dataclasses import replace
from datetime import datetime, timedelta

from connectors.doors import DoorSettings, Inbound, ParsedLead, content_key
from leads.records import Lead
from store.intake import RawRequest

KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "user-agent",
    "referer",
    "origin",
    "idempotency-key",
    "x-forwarded-for",
)


def to_lead(parsed: ParsedLead, lead_id: str, source: str, received_at: datetime, *, over_rate: bool) -> Lead:
    """The lead as it is kept."""
    return Lead(
        id=lead_id,
        source=source,
        received_at=received_at,
        lead_uid=parsed.lead_uid,
        name=parsed.name,
        phones=parsed.phones,
        emails=parsed.emails,
        messengers=parsed.messengers,
        external_id=parsed.external_id,
        company=parsed.company,
        comment=parsed.comment,
        form=parsed.form,
        page_url=parsed.page_url,
        referrer=parsed.referrer,
        utm=parsed.utm,
        click_ids=parsed.click_ids,
        extra=parsed.extra,
        call=parsed.call,
        flags=(*parsed.flags, "spam_rate") if over_rate else parsed.flags,
        touch=replace(parsed.touch, source=source) if parsed.touch else None,
        browser_first_touch=parsed.browser_first_touch,
    )


def dedup_keys(
    source: str, settings: DoorSettings, parsed: ParsedLead, at: datetime
) -> tuple[tuple[str, ...], datetime | None]:
    """Keys under which the same event would be stored, own first, and since when that counts as the same.

    With the sender's own id: for ever. Without: equal content inside the window. The key
    holds the window's number, so two processes cannot both store it; the window before is
    asked too, so that a repeat just over the border is found.
    """
    if parsed.lead_uid:
        return (f"u:{source}:{parsed.lead_uid}",), None
    content = content_key(source, parsed)
    window = settings.dedup_window
    if window <= 0:
        return (f"n:{source}:{content}:{at.timestamp():.6f}",), None
    number = int(at.timestamp() // window)
    keys = tuple(f"c:{source}:{content}:{n}" for n in (number, number - 1))
    return keys, at - timedelta(seconds=window)


def raw_of(inbound: Inbound) -> RawRequest:
    """The request as it is kept with what it made."""
    return RawRequest(
        method=inbound.method,
        url="/in/…" + ("?…" if inbound.query else ""),
        headers={name: inbound.headers[name] for name in KEPT_HEADERS if name in inbound.headers},
        body=inbound.body,
        remote_ip=inbound.remote_ip,
    )
