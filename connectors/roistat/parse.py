"""Roistat's calls, and leads in the shape of its proxylead -> calls and leads."""

from typing import Final

from connectors.callfields import (
    Fields,
    after,
    call_lead,
    fields_of,
    moment,
    outcome,
    plain_status,
    says_answered,
    seconds,
)
from connectors.doors import Inbound, Parsed, ParsedLead, Refused, same_secret
from connectors.events import ParsedCall
from connectors.numbers import line_or_client
from connectors.pbx import check_sender, web_link
from connectors.roistat.settings import RoistatSettings
from connectors.webform.lead import lead_from_fields

_PROXYLEAD: Final = "leads/add"
"""How Roistat's own address ends: api/proxy/1.0/leads/add. Sites need only change the host in front."""
_OF_THE_CALL: Final = ("id", "caller", "callee", "date", "status", "duration", "link", "file_id")
_OF_THE_VISIT: Final = ("visit_id", "google_client_id", "metrika_client_id", "landing_page", "referrer")
_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_NO_VISIT: Final = ("nocookie", "no_cookie", "нет cookie")
"""What sites' code sends as `roistat` of a visitor without the cookie: no visit, and never one of many persons."""


def verify(settings: RoistatSettings, inbound: Inbound) -> None:
    """The token in the address. Behind it only the path of proxylead may follow. Raises Refused."""
    tail = check_sender(settings, inbound).strip("/")
    if tail and not tail.endswith(_PROXYLEAD):
        raise Refused("no such address", 404)


def parse(settings: RoistatSettings, inbound: Inbound, region: str) -> Parsed:
    """A call at its start or end, or a lead of a site. Raises Unreadable; Refused for a lead with a wrong key."""
    fields = fields_of(inbound)
    region = settings.region or region
    if fields.get("caller") or fields.get("callee"):
        return _call(settings, inbound, region, fields)
    if not any(fields.get(name) for name in ("roistat", "name", "phone", "email", "title", "comment")):
        return Parsed()
    return Parsed((_lead(settings, inbound, region, fields),))


def _call(settings: RoistatSettings, inbound: Inbound, region: str, fields: Fields) -> Parsed:
    call_id = fields.get("id")
    if not call_id:
        return Parsed()
    status = fields.get("status")
    length = seconds(fields.get("duration")) if status else None
    started_at = moment(fields.get("date"), inbound.received_at, settings.timezone, later_s=length or 0)
    now = inbound.received_at.replace(microsecond=0)
    answered = says_answered(status) and length != 0
    ended_at = after(started_at, length) if answered else None
    marks = {name: fields.get(name) for name in (*_UTM, "google_client_id", "metrika_client_id")}
    marks["roistat_visit"] = fields.get("visit_id")
    return Parsed(
        calls=(
            ParsedCall(
                call_id=call_id,
                event="end" if status else "start",
                event_id=f"{call_id}:{plain_status(status) or 'start'}",
                state="ended" if status else "ringing",
                direction="in",
                client=line_or_client(fields.get("caller"), region).outside,
                line=line_or_client(fields.get("callee"), region).outside,
                at=(ended_at if status else started_at) or now,
                started_at=started_at,
                ended_at=ended_at,
                talk_s=(length if answered else 0) if status else None,
                disposition=outcome("in", answered, status) if status else "",
                recording_id=fields.get("file_id"),
                recording_url=web_link(fields.get("link")),
                lead=call_lead(
                    marks,
                    started_at or now,
                    landing_page=fields.get("landing_page"),
                    referrer=fields.get("referrer"),
                    extra=fields.rest((*_OF_THE_CALL, *_OF_THE_VISIT, *_UTM)),
                ),
            ),
        )
    )


def _lead(settings: RoistatSettings, inbound: Inbound, region: str, fields: Fields) -> ParsedLead:
    """`roistat`, `key`, `title`, `name`, `phone`, `email`, `comment`, `fields[…]`, as sites' code sends them."""
    if settings.key is not None and not same_secret(fields.get("key"), settings.key.get_secret_value()):
        raise Refused("the key is wrong or missing")
    visit = fields.get("roistat")
    left_out = ["key"] if visit and visit.casefold() not in _NO_VISIT else ["key", "roistat"]
    return lead_from_fields(
        fields.rest(left_out),
        region=region,
        now=inbound.received_at,
        own_names={"title": "form"},
        page_url=inbound.headers.get("referer", ""),
    )
