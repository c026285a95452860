"""Calltouch webhooks -> calls and leads."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from connectors.callfields import (
    Fields,
    after,
    call_lead,
    fields_of,
    final_id,
    moment,
    outcome,
    plain_status,
    says_answered,
    seconds,
)
from connectors.calltouch.settings import CalltouchSettings
from connectors.doors import Inbound, Parsed, ParsedLead, Refused, Unreadable, same_secret
from connectors.events import CallState, ParsedCall
from connectors.formfields import digest_of
from connectors.numbers import line_or_client
from connectors.pbx import check_address, web_link
from connectors.webform.lead import lead_from_fields, short_uid

_PHASES: Final[dict[str, CallState]] = {
    "callconnected": "talking",
    "calldisconnected": "ended",
    "callcompleted": "ended",
    "calllost": "ended",
}
_CALL_IDS: Final = ("id", "callid", "call_id")
_REQUEST_IDS: Final = ("requestid", "request_id", "chatid", "chat_id", "id", "requestnumber")
_CALLERS: Final = ("callerphone", "callernumber", "caller")
_LINES: Final = ("phonenumber", "calledphone", "did")
_PAGES: Final = ("url", "callurl", "requesturl", "pageurl")
_OF_THE_CALL: Final = (
    *(*_CALL_IDS, *_CALLERS, *_LINES, *_PAGES),
    *("secret", "leadtype", "callphase", "calltime", "status", "duration", "waiting_time", "waitingtime", "reclink"),
    *("recordlink", "record", "ref", "referrer", "yaclientid", "yandexclientid", "clientid", "gclientid", "operator"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
)
USUAL_ZONE: Final = "Europe/Moscow"
"""Of late events of sites whose zone nobody set. Calltouch sends the time of the site."""
_NO_ENQUIRY: Final = ("deal", "сделка")


def verify(settings: CalltouchSettings, inbound: Inbound) -> None:
    """The token in the address where one is set, and the parameter `secret` where one is. Raises Refused."""
    check_address(settings, inbound)
    if settings.secret_param is None:
        return
    given = inbound.param("secret")
    if not given:
        try:
            given = fields_of(inbound).get("secret")
        except Unreadable:
            given = ""
    if not same_secret(given, settings.secret_param.get_secret_value()):
        raise Refused("the parameter secret is wrong or missing")


def parse(settings: CalltouchSettings, inbound: Inbound, region: str) -> Parsed:
    """A call, or a lead of a request or chat. Deals, and tests with unfilled parameters, make nothing.

    Raises Unreadable.
    """
    fields = fields_of(inbound)
    kind = fields.get("leadtype").casefold()
    region = settings.region or region
    if kind in _NO_ENQUIRY:
        return Parsed()
    if fields.get(*_CALLERS) or (kind in ("call", "звонок") and fields.get(*_CALL_IDS)):
        return Parsed(calls=(_call(settings, inbound, region, fields),))
    if not any(fields.get(name) for name in ("phonenumber", "phone", "email", "fio", "name", "comment", "phones")):
        return Parsed()
    return Parsed((_request(inbound, region, fields),))


def _call(settings: CalltouchSettings, inbound: Inbound, region: str, fields: Fields) -> ParsedCall:
    phase, status = fields.get("callphase").casefold(), fields.get("status")
    state = _PHASES.get(phase) or ("ended" if status or fields.get("duration") else "ringing")
    caller, calltime = fields.get(*_CALLERS), fields.get("calltime", "date")
    call_id = fields.get(*_CALL_IDS) or digest_of("calltouch", caller, calltime)
    now = inbound.received_at.replace(microsecond=0)
    talk_s, ring_s = seconds(fields.get("duration")), seconds(fields.get("waiting_time", "waitingtime"))
    length = (talk_s or 0) + (ring_s or 0)
    started_at = moment(calltime, inbound.received_at, settings.timezone, usual=USUAL_ZONE, later_s=length)
    ended = state == "ended"
    answered = phase != "calllost" and (says_answered(status) or (not status and bool(talk_s))) and talk_s != 0
    ended_at = after(started_at, length) if ended and talk_s is not None else None
    disposition = outcome("in", answered, status) if ended else ""
    return ParsedCall(
        call_id=call_id,
        event=phase or state,
        event_id=final_id(call_id, disposition) if ended else f"{call_id}:{phase or state}:{plain_status(status)}",
        state=state,
        direction="in",
        client=line_or_client(caller, region).outside,
        line=line_or_client(fields.get(*_LINES), region).outside,
        employee=fields.get("operator"),
        at=ended_at or now,
        started_at=started_at,
        answered_at=now if state == "talking" else None,
        ended_at=ended_at,
        ring_s=ring_s,
        talk_s=(talk_s if answered else 0) if ended else None,
        disposition=disposition,
        recording_url=web_link(fields.get("reclink", "recordlink", "record")),
        lead=_visitor(fields, started_at or now),
    )


def _marks(fields: Fields) -> dict[str, str]:
    """UTM, or what Calltouch itself made of the visit where it has none (`yandex` and `organic`), and the ids."""
    marks = {name: fields.get(name) for name in ("utm_campaign", "utm_content", "utm_term", "gclid", "yclid", "fbclid")}
    told = fields.get("utm_source") or fields.get("utm_medium")
    marks["utm_source"] = fields.get("utm_source") if told else fields.get("source")
    marks["utm_medium"] = fields.get("utm_medium") if told else fields.get("medium")
    marks["_ym_uid"] = fields.get("yaclientid", "yandexclientid")
    marks["client_id"] = fields.get("clientid", "gclientid")
    return marks


def _visitor(fields: Fields, at: datetime) -> ParsedLead:
    return call_lead(
        _marks(fields),
        at,
        name=fields.get("fio", "name"),
        email=fields.get("email"),
        page_url=fields.get(*_PAGES),
        referrer=fields.get("ref", "referrer"),
        extra=fields.rest((*_OF_THE_CALL, "fio", "name", "email")),
    )


def _request(inbound: Inbound, region: str, fields: Fields) -> ParsedLead:
    """A form or chat that Calltouch saw: `phoneNumber` is then the visitor's."""
    values = fields.rest(("secret", "leadtype", *_REQUEST_IDS))
    names = {"requesturl": "page_url", "subject": "form", "fio": "name", "source": "extra", "medium": "extra"}
    lead = lead_from_fields(
        {**values, **{name: value for name, value in _marks(fields).items() if value}},
        region=region,
        now=inbound.received_at,
        own_names=names,
    )
    uid = fields.get(*_REQUEST_IDS)
    return replace(lead, lead_uid=short_uid(f"request:{uid}") if uid else lead.lead_uid)
