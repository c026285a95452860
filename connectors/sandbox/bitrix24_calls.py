"""Telephony of the Bitrix24 sandbox: calls of an application are registered, finished, given their recording."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.sandbox.bitrix24_php import as_id
from connectors.sandbox.bitrix24_records import PAGE, compared_phone
from connectors.sandbox.bitrix24_saving import Records, Refused
from connectors.sandbox.bitrix24_timeline import Params, Rows, Timeline, param, start_of

SAME_CALL = timedelta(minutes=30)
"""So long after its start a call that is not finished is found again by a second register."""
TYPES = ("1", "2", "3", "4", "5")
OWNERS = {"LEAD": "1", "CONTACT": "3", "COMPANY": "4"}
"""A call cannot be registered on a deal."""
FOUND_BY = ("CALL_ID", "EXTERNAL_CALL_ID", "CRM_ACTIVITY_ID", "PHONE_NUMBER")


@dataclass(slots=True)
class CallsState:
    """`ringing`: registered and not finished; `finished`: rows of the statistics. Both by CALL_ID."""

    ringing: dict[str, dict[str, Any]] = field(default_factory=dict)
    finished: dict[str, dict[str, Any]] = field(default_factory=dict)


class Calls:
    def __init__(self, records: Records, timeline: Timeline, users: dict[str, dict[str, Any]]) -> None:
        self._records = records
        self._timeline = timeline
        self._users = users
        self.state = CallsState()

    def register(self, params: Params) -> dict[str, Any]:
        user = as_id(param(params, "USER_ID"))
        phone, way = str(params.get("PHONE_NUMBER") or ""), str(params.get("TYPE") or "")
        if user not in self._users:
            raise Refused(400, "ERROR_CORE", "USER_ID or USER_PHONE_INNER should be set")
        if not phone:
            raise Refused(400, "ERROR_CORE", "PHONE_NUMBER should be set")
        if way not in TYPES:
            raise Refused(400, "ERROR_CORE", "TYPE has wrong value")
        call = {
            "PHONE_NUMBER": phone,
            "CALL_TYPE": way,
            "PORTAL_USER_ID": user,
            "PORTAL_NUMBER": str(params.get("LINE_NUMBER") or ""),
            "EXTERNAL_CALL_ID": str(params.get("EXTERNAL_CALL_ID") or ""),
        }
        started = _moment(params.get("CALL_START_DATE")) or self._records.clock.now()
        for call_id, held in self.state.ringing.items():
            fresh = self._records.clock.now() - datetime.fromisoformat(held["CALL_START_DATE"]) < SAME_CALL
            if fresh and all(held[name] == value for name, value in call.items()):
                return self._registered(call_id, held)
        number = len(self.state.ringing) + len(self.state.finished) + 1
        call_id = f"externalCall.{self._records.clock.random_bits(64):016x}.{number}"
        owner = self._owner(params, phone)
        shown = started.astimezone(self._records.zone).isoformat(timespec="seconds")
        held = {**call, "CALL_START_DATE": shown, "CRM_ENTITY_TYPE": owner[0], "CRM_ENTITY_ID": owner[1]}
        self.state.ringing[call_id] = held
        return self._registered(call_id, held)

    def finish(self, params: Params) -> dict[str, Any]:
        call_id = str(params.get("CALL_ID") or "")
        held = self.state.ringing.get(call_id)
        if held is None:
            raise Refused(400, "", "Call is not found")
        duration = as_id(params.get("DURATION"))
        code = str(params.get("STATUS_CODE") or ("200" if duration != "0" else "304"))
        del self.state.ringing[call_id]
        row = {
            "ID": str(len(self.state.finished) + 1),
            "CALL_ID": call_id,
            **held,
            "CALL_DURATION": duration,
            "CALL_FAILED_CODE": code,
            "CRM_ACTIVITY_ID": self._activity(held, duration),
            "RECORD_URL": "",
        }
        self.state.finished[call_id] = row
        return {name: row[name] for name in ("CALL_ID", "CRM_ACTIVITY_ID", "CALL_DURATION", "CALL_FAILED_CODE")}

    def attach_record(self, params: Params) -> dict[str, Any]:
        row = self.state.finished.get(str(params.get("CALL_ID") or ""))
        if row is None:
            raise Refused(400, "", "Call is not found")
        if not params.get("RECORD_URL") and not params.get("FILENAME"):
            raise Refused(400, "ERROR_CORE", "FILENAME should be set")
        row["RECORD_URL"] = str(params.get("RECORD_URL") or params["FILENAME"])
        return {"FILE_ID": int(row["ID"])}

    def statistic(self, params: Params) -> Rows:
        """A filter by a field that it does not know is dropped in silence."""
        given = param(params, "filter")
        wanted = {str(key).upper().lstrip("="): str(value) for key, value in (given or {}).items()}
        rows = [
            row
            for row in self.state.finished.values()
            if all(row[name] == wanted[name] for name in FOUND_BY if name in wanted)
        ]
        start = max(0, start_of(params)) // PAGE * PAGE
        following = start + PAGE if start + PAGE < len(rows) else None
        return rows[start : start + PAGE], following, len(rows)

    def snapshot(self) -> dict[str, Any]:
        return asdict(self.state)

    def restore(self, state: dict[str, Any]) -> None:
        self.state = CallsState(**state)

    def _owner(self, params: Params, phone: str) -> tuple[str, str]:
        """(type, id): the record that is named, else whoever has the number."""
        named = str(params.get("CRM_ENTITY_TYPE") or "").upper()
        record_id = as_id(params.get("CRM_ENTITY_ID"))
        if named in OWNERS and record_id in self._records.boxes[named.lower()].records:
            return named, record_id
        for entity in ("contact", "company", "lead"):
            hits = self._records.boxes[entity].by_comm.get(("PHONE", compared_phone(phone)), set())
            if hits:
                return entity.upper(), str(min(hits))
        return "", ""

    def _activity(self, held: dict[str, Any], duration: str) -> str:
        """Of a call of nobody there is no activity."""
        if not held["CRM_ENTITY_TYPE"]:
            return ""
        incoming = held["CALL_TYPE"] == "2"
        way = "Входящий" if incoming else "Исходящий"
        fields = {
            "OWNER_TYPE_ID": OWNERS[held["CRM_ENTITY_TYPE"]],
            "OWNER_ID": held["CRM_ENTITY_ID"],
            "TYPE_ID": "2",
            "DIRECTION": "1" if incoming else "2",
            "SUBJECT": f"{way} звонок {held['PHONE_NUMBER']}",
            "START_TIME": held["CALL_START_DATE"],
            "RESPONSIBLE_ID": held["PORTAL_USER_ID"],
            "COMPLETED": "N" if incoming and duration == "0" else "Y",
            "COMMUNICATIONS": [{"VALUE": held["PHONE_NUMBER"]}],
        }
        return str(self._timeline.activity_add({"fields": fields}))

    @staticmethod
    def _registered(call_id: str, held: dict[str, Any]) -> dict[str, Any]:
        return {
            "CALL_ID": call_id,
            "CRM_CREATED_LEAD": None,
            "CRM_CREATED_ENTITIES": [],
            "CRM_ENTITY_TYPE": held["CRM_ENTITY_TYPE"],
            "CRM_ENTITY_ID": held["CRM_ENTITY_ID"],
        }


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
