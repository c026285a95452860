"""What the sandbox's little page shows of a Bitrix24 portal."""

from typing import Any

from connectors.sandbox.base import Table
from connectors.sandbox.bitrix24_crm import Crm
from connectors.sandbox.bitrix24_timeline import ENTITIES

SHOWN = 50
_SALE = ("Контакт", "Ответственный", "Источник")


def tables(crm: Crm) -> list[Table]:
    """Newest first, at most 50 rows each."""
    return [
        Table("Сделки", ("ID", "Название", "Стадия", *_SALE), _sale_rows(crm, "deal")),
        Table("Лиды", ("ID", "Название", "Статус", *_SALE), _sale_rows(crm, "lead")),
        Table("Контакты", ("ID", "Имя", "Телефон", "E-mail"), _person_rows(crm)),
        Table("Комментарии", ("ID", "К чему", "Текст"), _comment_rows(crm)),
        Table("Дела", ("ID", "К чему", "Что", "Срок"), _activity_rows(crm)),
        Table("Звонки", ("CALL_ID", "К чему", "Направление", "Телефон", "Секунд", "Код"), _call_rows(crm)),
    ]


def _sale_rows(crm: Crm, entity: str) -> list[tuple[str, ...]]:
    stage = "STATUS_ID" if entity == "lead" else "STAGE_ID"
    names = {user["ID"]: f"{user['NAME']} {user['LAST_NAME']}" for user in crm.users.values()}
    return [
        (
            str(row["ID"]),
            str(row["TITLE"] or ""),
            str(row[stage]),
            str(row["CONTACT_ID"] or ""),
            names.get(row["ASSIGNED_BY_ID"], str(row["ASSIGNED_BY_ID"])),
            str(row["SOURCE_DESCRIPTION"] or row["SOURCE_ID"] or ""),
        )
        for row in _newest(crm, entity)
    ]


def _person_rows(crm: Crm) -> list[tuple[str, ...]]:
    return [
        (
            str(row["ID"]),
            " ".join(str(row[name]) for name in ("NAME", "LAST_NAME") if row[name]),
            ", ".join(each["VALUE"] for each in row.get("PHONE", ())),
            ", ".join(each["VALUE"] for each in row.get("EMAIL", ())),
        )
        for row in _newest(crm, "contact")
    ]


def _comment_rows(crm: Crm) -> list[tuple[str, ...]]:
    rows = list(crm.timeline.comments.values())[: -SHOWN - 1 : -1]
    return [(row["ID"], f"{row['ENTITY_TYPE']} {row['ENTITY_ID']}", row["COMMENT"]) for row in rows]


def _activity_rows(crm: Crm) -> list[tuple[str, ...]]:
    rows = list(crm.timeline.activities.values())[: -SHOWN - 1 : -1]
    owners = [f"{ENTITIES.get(row['OWNER_TYPE_ID'], '')} {row['OWNER_ID']}" for row in rows]
    return [(row["ID"], owner, row["SUBJECT"], row["DEADLINE"] or "") for row, owner in zip(rows, owners, strict=True)]


def _call_rows(crm: Crm) -> list[tuple[str, ...]]:
    rows = list(crm.calls.state.finished.values())[: -SHOWN - 1 : -1]
    return [
        (
            row["CALL_ID"],
            f"{row['CRM_ENTITY_TYPE'].lower()} {row['CRM_ENTITY_ID']}",
            "входящий" if row["CALL_TYPE"] == "2" else "исходящий",
            row["PHONE_NUMBER"],
            row["CALL_DURATION"],
            row["CALL_FAILED_CODE"],
        )
        for row in rows
    ]


def _newest(crm: Crm, entity: str) -> list[dict[str, Any]]:
    box = crm.boxes[entity]
    return [box.records[str(number)] for number in box.ids[: -SHOWN - 1 : -1]]
