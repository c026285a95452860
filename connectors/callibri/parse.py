"""Callibri's events, with the field names of its statistics API -> calls and leads."""

from dataclasses import replace
from typing import Final

from connectors.callfields import (
    Fields,
    after,
    call_lead,
    fields_of,
    less,
    moment,
    outcome,
    says_answered,
    seconds,
)
from connectors.callibri.settings import CallibriSettings
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.events import ParsedCall
from connectors.formfields import digest_of
from connectors.numbers import line_or_client
from connectors.pbx import web_link
from connectors.webform.lead import lead_from_fields, short_uid

_IDS: Final = ("appeal_id", "id", "call_id")
_CALLS: Final = ("call", "calls", "звонок", "звонки")
_LINES: Final = ("called_number", "number", "channel_number", "virtual_number", "did")
_PAGES: Final = ("landing_page", "lid_landing", "page")
_OF_THE_CALL: Final = (
    *(*_IDS, *_LINES, *_PAGES, "type", "date", "phone", "name", "name_client", "email", "duration", "billsec"),
    *("link_download", "call_status", "site_referrer", "responsible_manager_email", "responsible_manager"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
    *("ym_uid", "metrika_client_id", "ua_client_id"),
)
_NAMES: Final = {"content": "comment", "form_name": "form", "name_client": "name", "lid_landing": "landing_page"}


def parse(settings: CallibriSettings, inbound: Inbound, region: str) -> Parsed:
    """A call, or the lead of a request, chat or letter; what is none of them makes nothing. Raises Unreadable."""
    fields = fields_of(inbound)
    region = settings.region or region
    if not fields:
        return Parsed()
    if fields.get("type").casefold() in _CALLS or fields.get("billsec", "link_download"):
        return _call(settings, inbound, region, fields)
    if not any(fields.get(name) for name in ("phone", "email", "name", "content", "comment", *settings.fields)):
        return Parsed()
    return Parsed((_lead(settings, inbound, region, fields),))


def _call(settings: CallibriSettings, inbound: Inbound, region: str, fields: Fields) -> Parsed:
    phone, date = fields.get("phone"), fields.get("date")
    if not (phone or fields.get(*_IDS)):
        return Parsed()
    call_id = fields.get(*_IDS) or digest_of("callibri", phone, date)
    now = inbound.received_at.replace(microsecond=0)
    whole_s, talk_s = seconds(fields.get("duration")), seconds(fields.get("billsec"))
    started_at = moment(date, inbound.received_at, settings.timezone, later_s=whole_s or talk_s or 0)
    if talk_s is None:
        answered = says_answered(fields.get("call_status")) or (not fields.get("call_status") and bool(whole_s))
        talk_s = whole_s if answered else 0
    answered = bool(talk_s)
    ended_at = after(started_at, whole_s if whole_s is not None else talk_s)
    return Parsed(
        calls=(
            ParsedCall(
                call_id=call_id,
                event="call",
                event_id=f"{call_id}:call",
                state="ended",
                direction="in",
                client=line_or_client(phone, region).outside,
                line=line_or_client(fields.get(*_LINES), region).outside,
                employee=fields.get("responsible_manager_email", "responsible_manager"),
                at=ended_at or now,
                started_at=started_at,
                ended_at=ended_at,
                ring_s=less(whole_s, talk_s),
                talk_s=talk_s,
                disposition=outcome("in", answered),
                recording_url=web_link(fields.get("link_download")),
                lead=call_lead(
                    fields.all(),
                    started_at or now,
                    name=fields.get("name", "name_client"),
                    email=fields.get("email"),
                    page_url=fields.get(*_PAGES),
                    landing_page=fields.get("landing_page"),
                    referrer=fields.get("site_referrer"),
                    extra=fields.rest(_OF_THE_CALL),
                ),
            ),
        )
    )


def _lead(settings: CallibriSettings, inbound: Inbound, region: str, fields: Fields) -> ParsedLead:
    uid = fields.get("appeal_id", "id")
    lead = lead_from_fields(
        fields.rest(("appeal_id", "id")),
        region=region,
        now=inbound.received_at,
        own_names={**_NAMES, **settings.fields},
    )
    return replace(lead, lead_uid=short_uid(uid) if uid else lead.lead_uid)
