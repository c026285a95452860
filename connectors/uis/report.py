"""Lines of `get.calls_report` -> what the notifications would have told of each call."""

from collections.abc import Iterator
from datetime import UTC, timedelta, tzinfo
from typing import Any, Final

from connectors.events import ParsedCall
from connectors.pbx import NEVER, whole_seconds
from connectors.trees import Tree, items, moment, text
from connectors.uis.parse import call_of
from connectors.uis.settings import UisSettings

FIELDS: Final = (
    *("id", "start_time", "finish_time", "finish_reason", "direction", "is_lost", "contact_phone_number"),
    *("virtual_phone_number", "communication_id", "talk_duration", "wait_duration", "total_duration", "call_records"),
    *("employees", "last_answered_employee_id", "last_answered_employee_full_name", "contact_full_name"),
    *("campaign_name", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "gclid", "yclid"),
    *("ymclid", "ua_client_id", "ym_client_id", "visitor_id", "referrer", "entrance_page", "external_id"),
)
_AS_IT_IS: Final = (
    *("contact_phone_number", "virtual_phone_number", "contact_full_name", "campaign_name", "external_id"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "gclid", "yclid", "ymclid", "referrer"),
    *("entrance_page", "ua_client_id", "ym_client_id"),
)


def call_of_line(line: Tree, zone: tzinfo, settings: UisSettings, region: str, media_url: str) -> ParsedCall | None:
    """None for a line that has no id or no beginning."""
    began = moment(line.get("start_time"), NEVER, zone)
    call_id = text(line, "id") or text(line, "call_session_id")
    if began == NEVER or not call_id:
        return None
    wait, talk, total = (whole_seconds(_number(line, f"{name}_duration")) for name in ("wait", "talk", "total"))
    total = total if total is not None else (wait or 0) + (talk or 0)
    ended = moment(line.get("finish_time"), began + timedelta(seconds=total), zone)
    incoming = text(line, "direction") != "out"
    lost = incoming and line.get("is_lost") in (True, "true", 1, "1")
    employee, extension = _employee(line)
    fields = {
        "event": "lost_call" if lost else "call_finished",
        "call_session_id": call_id,
        "direction": "in" if incoming else "out",
        "notification_timestamp": str(int(ended.timestamp())),
        "start_time": began.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "wait_time_duration": "" if wait is None else str(wait),
        "talk_time_duration": "" if talk is None else str(talk),
        "total_time_duration": str(total),
        "employee_full_name": employee,
        "employee_phone_number": extension,
        "employee_id": text(line, "last_answered_employee_id"),
        "file_link": next((f"{media_url}/{call_id}/{name}" for name in _records(line)), ""),
        **{name: text(line, name) for name in _AS_IT_IS},
    }
    told = {name: value for name, value in fields.items() if value}
    in_utc = settings.model_copy(update={"timezone": "UTC"})
    return call_of("lost" if lost else "ended", told, in_utc, region, ended)


def _number(line: Tree, name: str) -> str:
    value: Any = line.get(name)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else text(line, name)


def _employee(line: Tree) -> tuple[str, str]:
    """(name, extension) of who talked; of an unanswered call of the one who was rung, if it was one."""
    people = items(line, "employees")
    talked = [one for one in people if one.get("is_answered") in (True, "true")] or people
    one = talked[-1] if len(talked) == 1 or talked is not people else {}
    name = text(line, "last_answered_employee_full_name") or text(one, "employee_full_name") or text(one, "full_name")
    return name, text(one, "employee_phone_number") or text(one, "extension")


def _records(line: Tree) -> Iterator[str]:
    records = line.get("call_records")
    yield from (one for one in (records if isinstance(records, list) else []) if isinstance(one, str) and one)
