"""Envybox webhooks -> leads, and the calls that were made to them."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from connectors.callfields import (
    Fields,
    after,
    call_lead,
    fields_of,
    moment,
    outcome,
    plain_status,
    seconds,
)
from connectors.doors import Inbound, Parsed, ParsedLead, Refused, Unreadable, same_secret
from connectors.envybox.settings import EnvyboxSettings
from connectors.events import ParsedCall
from connectors.numbers import line_or_client
from connectors.pbx import check_address, web_link
from connectors.webform.lead import lead_from_fields, short_uid

_MARKS: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_USUAL_ZONE: Final = "Europe/Moscow"
"""Of late events of accounts whose zone nobody set."""
_OF_THE_CALL: Final = (
    *("key", "phone", "name", "email", "call_state", "call_duration", "call_record", "called_at", "call_id"),
    *("referrer", "url", "google_client_id", "rs", "manager_phone", "manager_name", "managers_phones", "webhooktype"),
    *_MARKS,
)
_NAMES: Final = {"url": "page_url", "rs": "roistat_visit", "place": "extra", "site": "extra"}
_NOT_THE_PERSONS: Final = ("key", "call_id", "manager_phone", "manager_name", "managers_phones", "call_duration")
_ORDERED = re.compile(r"заказ|заявк|запланир|отложен|ожида|order|schedul|pending", re.IGNORECASE)
_TALKED = re.compile(r"разговор|дозвон|успе|состоял|отвечен|завершен|answer|success|complet", re.IGNORECASE)
_NOT = re.compile(
    r"(?:^|\W)не(?:\W|т)|недозвон|неусп|пропущ|занят|сброс|ошибк|отмен|no.?answer|miss|busy|fail", re.IGNORECASE
)


def verify(settings: EnvyboxSettings, inbound: Inbound) -> None:
    """The token in the address where one is set, and the field `key` where one is. Raises Refused."""
    check_address(settings, inbound)
    if settings.key is None:
        return
    try:
        given = fields_of(inbound).get("key")
    except Unreadable:
        given = ""
    if not same_secret(given, settings.key.get_secret_value()):
        raise Refused("the key is wrong or missing")


def parse(settings: EnvyboxSettings, inbound: Inbound, region: str) -> Parsed:
    """An order of a call is a lead, what came of it a call. A request with no contact at all makes nothing.

    Raises Unreadable.
    """
    fields = fields_of(inbound)
    region = settings.region or region
    if not any(fields.get(name) for name in ("phone", "email", "name")):
        return Parsed()
    if _was_called(fields):
        return Parsed(calls=(_call(settings, inbound, region, fields),))
    return Parsed((_lead(inbound, region, fields),))


def _was_called(fields: Fields) -> bool:
    """The state of a call is a sentence for people; lengths and records come only with calls that were made."""
    if not fields.get("call_id"):
        return False
    state = fields.get("call_state")
    if seconds(fields.get("call_duration")) or fields.get("call_record"):
        return True
    return not _ORDERED.search(state) and bool(_TALKED.search(state) or _NOT.search(state))


def _call(settings: EnvyboxSettings, inbound: Inbound, region: str, fields: Fields) -> ParsedCall:
    """The client asked for the call: it is `in`, whoever was rung first, and missed if the two did not talk."""
    call_id, state = fields.get("call_id"), fields.get("call_state")
    talk_s = seconds(fields.get("call_duration"))
    started_at = _called_at(fields, settings, inbound)
    now = inbound.received_at.replace(microsecond=0)
    answered = bool(talk_s) or (talk_s is None and bool(_TALKED.search(state)) and not _NOT.search(state))
    manager = line_or_client(fields.get("manager_phone"), region)
    return ParsedCall(
        call_id=call_id,
        event=state or "call",
        event_id=f"{call_id}:{plain_status(state)}:{talk_s or 0}",
        state="ended",
        direction="in",
        client=line_or_client(fields.get("phone"), region).outside,
        extension=manager.extension,
        employee=fields.get("manager_name") or manager.outside,
        at=now,
        started_at=started_at,
        ended_at=after(started_at, talk_s) if answered else None,
        talk_s=talk_s if answered else 0,
        disposition=outcome("in", answered),
        recording_url=web_link(fields.get("call_record")),
        lead=_visitor(fields, settings, inbound),
    )


def _called_at(fields: Fields, settings: EnvyboxSettings, inbound: Inbound) -> datetime | None:
    length = seconds(fields.get("call_duration")) or 0
    written = fields.get("called_at")
    return moment(written, inbound.received_at, settings.timezone, usual=_USUAL_ZONE, later_s=length)


def _visitor(fields: Fields, settings: EnvyboxSettings, inbound: Inbound) -> ParsedLead:
    marks = {name: fields.get(name) for name in (*_MARKS, "google_client_id")}
    marks["roistat_visit"] = fields.get("rs")
    return call_lead(
        marks,
        _called_at(fields, settings, inbound) or inbound.received_at.replace(microsecond=0),
        name=fields.get("name"),
        email=fields.get("email"),
        page_url=fields.get("url"),
        referrer=fields.get("referrer"),
        extra=fields.rest(_OF_THE_CALL),
    )


def _lead(inbound: Inbound, region: str, fields: Fields) -> ParsedLead:
    lead = lead_from_fields(fields.rest(_NOT_THE_PERSONS), region=region, now=inbound.received_at, own_names=_NAMES)
    uid = fields.get("call_id")
    return replace(lead, lead_uid=short_uid(uid) if uid else lead.lead_uid)
