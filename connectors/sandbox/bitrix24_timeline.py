"""Comments and activities of the Bitrix24 sandbox."""

from typing import Any

from connectors.sandbox.bitrix24_php import as_id
from connectors.sandbox.bitrix24_records import PAGE
from connectors.sandbox.bitrix24_saving import Records, Refused, is_date

ENTITIES = {"1": "lead", "2": "deal", "3": "contact", "4": "company"}
Params = dict[str, Any]
Rows = tuple[Any, int | None, int]
"""(rows, start of the next page, total)"""


class Timeline:
    """`comments` and `activities`: id -> record as the vendor shows it."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.comments: dict[str, dict[str, Any]] = {}
        self.activities: dict[str, dict[str, Any]] = {}
        self._owned: dict[tuple[str, str, str], list[str]] = {}

    def comment_list(self, params: Params) -> Rows:
        return self._list("comment", self.comments, params)

    def activity_list(self, params: Params) -> Rows:
        return self._list("activity", self.activities, params)

    def comment_add(self, params: Params) -> int:
        fields = exact(params, "fields")
        if not isinstance(fields, dict) or not fields.get("COMMENT"):
            raise Refused(400, "INVALID_ARG_VALUE", "Empty comment message")
        entity = str(fields.get("ENTITY_TYPE") or "").lower()
        owner = self._owner(entity, fields.get("ENTITY_ID"))
        record = {
            "ENTITY_ID": owner,
            "ENTITY_TYPE": entity,
            "COMMENT": str(fields["COMMENT"]),
            "AUTHOR_ID": as_id(fields.get("AUTHOR_ID") or self._records.caller),
            "CREATED": self._records.now(),
        }
        return self._own("comment", self.comments, entity, owner, record)

    def todo_add(self, params: Params) -> dict[str, int]:
        for name in ("ownerTypeId", "ownerId", "deadline"):
            exact(params, name)
        if not is_date(params["deadline"]):
            raise Refused(400, "WRONG_DATETIME_FORMAT", "Неверный формат даты")
        entity = ENTITIES.get(str(params["ownerTypeId"]), "")
        owner = self._owner(entity, params["ownerId"])
        record = {
            "OWNER_ID": owner,
            "OWNER_TYPE_ID": str(params["ownerTypeId"]),
            "TYPE_ID": "6",
            "PROVIDER_ID": "CRM_TODO",
            "SUBJECT": str(params.get("title") or ""),
            "DESCRIPTION": str(params.get("description") or ""),
            "DEADLINE": str(params["deadline"]),
            "RESPONSIBLE_ID": as_id(params.get("responsibleId") or self._records.caller),
            "COMPLETED": "N",
            "ORIGINATOR_ID": None,
            "ORIGIN_ID": None,
            "CREATED": self._records.now(),
        }
        return {"id": self._own("activity", self.activities, entity, owner, record)}

    def activity_add(self, params: Params) -> int:
        fields = fields_of(params)
        entity = ENTITIES.get(str(fields.get("OWNER_TYPE_ID") or ""), "")
        owner = self._owner(entity, fields.get("OWNER_ID"))
        if not fields.get("SUBJECT"):
            raise Refused(400, "", "The field SUBJECT is not defined or empty")
        if str(fields.get("TYPE_ID")) == "2" and len(rows_of(fields.get("COMMUNICATIONS"))) != 1:
            raise Refused(400, "", "The only one communication is allowed for activity of specified type")
        names = ("OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "SUBJECT", "DESCRIPTION", "DEADLINE", "START_TIME", "END_TIME")
        more = ("RESPONSIBLE_ID", "COMPLETED", "DIRECTION", "ORIGINATOR_ID", "ORIGIN_ID")
        record: dict[str, Any] = {name: str(fields[name]) if name in fields else None for name in (*names, *more)}
        record["RESPONSIBLE_ID"] = record["RESPONSIBLE_ID"] or self._records.caller
        record["COMMUNICATIONS"] = [dict(one) for one in rows_of(fields.get("COMMUNICATIONS"))]
        return self._own("activity", self.activities, entity, owner, {**record, "CREATED": self._records.now()})

    def activity_update(self, params: Params) -> bool:
        record = self.activities.get(as_id(param(params, "id")))
        if record is None:
            raise Refused(400, "", "Activity is not found")
        fields = fields_of(params)
        record.update({name: str(fields[name]) for name in ("SUBJECT", "DESCRIPTION", "COMPLETED") if name in fields})
        return True

    def binding_add(self, params: Params) -> bool:
        """One more record that shows the activity."""
        number = as_id(exact(params, "activityId"))
        entity = ENTITIES.get(str(exact(params, "entityTypeId")), "")
        if number not in self.activities:
            raise Refused(400, "ACTIVITY_NOT_FOUND", "Activity was not found")
        owner = self._owner(entity, exact(params, "entityId"))
        bound = self.activities[number].setdefault("BINDINGS", [])
        binding = {"OWNER_TYPE_ID": str(params["entityTypeId"]), "OWNER_ID": owner}
        if binding not in bound:
            bound.append(binding)
            self._owned.setdefault(("activity", entity, owner), []).append(number)
        return True

    def _list(self, kind: str, records: dict[str, dict[str, Any]], params: Params) -> Rows:
        """Comments and activities, of one owner when the filter names it."""
        given = param(params, "filter")
        wanted = {key.lstrip("="): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
        entity = wanted.get("ENTITY_TYPE") or ENTITIES.get(wanted.get("OWNER_TYPE_ID", ""), "")
        owner = wanted.get("ENTITY_ID") or wanted.get("OWNER_ID") or ""
        numbers = self._owned.get((kind, entity, owner), []) if entity and owner else list(records)
        rows = [
            record
            for record in (records[number] for number in numbers if number in records)
            if all(
                str(record.get(key) or "") == value
                for key, value in wanted.items()
                if key in record and not (entity and owner and key.startswith("OWNER_"))
            )
        ]
        order = param(params, "order")
        if isinstance(order, dict) and str(order.get("ID", "")).upper() == "DESC":
            rows.reverse()
        start = max(0, start_of(params)) // PAGE * PAGE
        following = start + PAGE if start + PAGE < len(rows) else None
        return rows[start : start + PAGE], following, len(rows)

    def _owner(self, entity: str, record_id: Any) -> str:
        if entity not in self._records.boxes or as_id(record_id) not in self._records.boxes[entity].records:
            raise Refused(400, "OWNER_NOT_FOUND", "Owner was not found")
        return as_id(record_id)

    def _own(
        self, kind: str, records: dict[str, dict[str, Any]], entity: str, owner: str, record: dict[str, Any]
    ) -> int:
        number = int(next(reversed(records), "0")) + 1
        records[str(number)] = {"ID": str(number), **record}
        self._owned.setdefault((kind, entity, owner), []).append(str(number))
        return number

    def restore(self, comments: dict[str, dict[str, Any]], activities: dict[str, dict[str, Any]]) -> None:
        self.comments.update(comments)
        self.activities.update(activities)
        for row in comments.values():
            self._owned.setdefault(("comment", row["ENTITY_TYPE"], row["ENTITY_ID"]), []).append(row["ID"])
        for row in activities.values():
            owner = ("activity", ENTITIES[row["OWNER_TYPE_ID"]], row["OWNER_ID"])
            self._owned.setdefault(owner, []).append(row["ID"])
            for bound in row.get("BINDINGS", ()):
                more = ("activity", ENTITIES[bound["OWNER_TYPE_ID"]], bound["OWNER_ID"])
                self._owned.setdefault(more, []).append(row["ID"])


def param(params: Params, name: str) -> Any:
    """Classic methods take `fields`, `FIELDS` and `Fields`."""
    for spelling in (name, name.upper(), name.capitalize()):
        if spelling in params:
            return params[spelling]
    return None


def exact(params: Params, name: str) -> Any:
    """Controller methods bind by the exact name."""
    if name not in params:
        raise Refused(400, "100", f"Could not find value for parameter {{{name}}}")
    return params[name]


def fields_of(params: Params) -> dict[str, Any]:
    fields = param(params, "fields")
    if not isinstance(fields, dict):
        raise Refused(400, "", "Parameter 'fields' must be array.")
    return fields


def rows_of(value: Any) -> list[dict[str, Any]]:
    """Rows of a list or, as in a batch's query, of a map."""
    rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [row for row in rows if isinstance(row, dict)]


def start_of(params: Params) -> int:
    try:
        return int(param(params, "start") or 0)
    except (TypeError, ValueError):
        return 0
