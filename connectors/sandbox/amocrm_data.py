"""What a fresh sandbox account of amoCRM holds: three users, two pipelines, the usual fields."""

from typing import Any

Record = dict[str, Any]

ACCOUNT_ID = 31415926
USERS: tuple[tuple[int, str, str, bool], ...] = (
    (1010101, "Анна Петрова", "anna.petrova@example.ru", True),
    (1010102, "Борис Смирнов", "boris.smirnov@example.ru", False),
    (1010103, "Вера Кузнецова", "vera.kuznetsova@example.ru", False),
)
"""Id, name, e-mail, administrator."""
STAGES: dict[int, tuple[str, tuple[tuple[int, str, int], ...]]] = {
    7700001: (
        "Воронка",
        (
            (77000010, "Неразобранное", 1),
            (77000011, "Первичный контакт", 0),
            (77000012, "Переговоры", 0),
            (77000013, "Принимают решение", 0),
            (77000014, "Согласование договора", 0),
        ),
    ),
    7700002: (
        "Повторные продажи",
        ((77000020, "Неразобранное", 1), (77000021, "Новая заявка", 0), (77000022, "В работе", 0)),
    ),
}
"""Pipeline id -> name and stages (id, name, type: 1 = incoming)."""
CLOSED_STAGES = ((142, "Успешно реализовано"), (143, "Закрыто и не реализовано"))
LOSS_REASONS = ((501, "Слишком дорого"), (502, "Пропала потребность"), (503, "Не дозвонились"))
TRACKING_CODES = (
    "UTM_CONTENT", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_SOURCE", "UTM_TERM", "UTM_REFERRER", "ROISTAT", "REFERRER",
    "OPENSTAT_SERVICE", "OPENSTAT_CAMPAIGN", "OPENSTAT_AD", "OPENSTAT_SOURCE", "FROM", "GCLIENTID", "GCLID", "YCLID",
    "FBCLID", "_YM_UID", "_YM_COUNTER",
)  # fmt: skip
PHONE_ENUMS = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")
EMAIL_ENUMS = ("WORK", "PRIV", "OTHER")


def users() -> list[Record]:
    return [
        {
            "id": user_id,
            "name": name,
            "email": email,
            "lang": "ru",
            "rights": {
                "is_admin": admin,
                "is_free": False,
                "is_active": True,
                "mail_access": False,
                "catalog_access": True,
                "group_id": None,
                "role_id": None,
            },
        }
        for user_id, name, email, admin in USERS
    ]


def pipelines() -> list[Record]:
    found = []
    for order, (pipeline_id, (name, stages)) in enumerate(STAGES.items()):
        rows = [(stage_id, title, kind) for stage_id, title, kind in stages]
        rows += [(stage_id, title, 0) for stage_id, title in CLOSED_STAGES]
        statuses = [
            {
                "id": stage_id,
                "name": title,
                "sort": sort * 10,
                "is_editable": stage_id > 143 and not kind,
                "pipeline_id": pipeline_id,
                "color": "#99ccff",
                "type": kind,
                "account_id": ACCOUNT_ID,
            }
            for sort, (stage_id, title, kind) in enumerate(rows, start=1)
        ]
        found.append(
            {
                "id": pipeline_id,
                "name": name,
                "sort": order + 1,
                "is_main": order == 0,
                "is_unsorted_on": True,
                "is_archive": False,
                "account_id": ACCOUNT_ID,
                "_embedded": {"statuses": statuses},
            }
        )
    return found


def custom_field(
    field_id: int, name: str, kind: str, code: str | None, entity: str, enums: tuple[str, ...] = (), **more: Any
) -> Record:
    return {
        "id": field_id,
        "name": name,
        "type": kind,
        "code": code,
        "sort": field_id % 1000,
        "entity_type": entity,
        "is_api_only": False,
        "is_predefined": False,
        "is_deletable": True,
        "enums": [
            {"id": field_id * 10 + order, "value": text, "code": text if kind == "multitext" else None, "sort": order}
            for order, text in enumerate(enums)
        ]
        or None,
        "group_id": None,
        "required_statuses": [],
        "remind": None,
        "currency": None,
        "tracking_callback": None,
        **more,
    }


def fields() -> dict[str, dict[int, Record]]:
    """Entity -> field id -> field."""
    predefined: dict[str, Any] = {"is_predefined": True, "is_deletable": False}
    leads = [
        custom_field(610000 + order, code.lower(), "tracking_data", code, "leads", **predefined)
        for order, code in enumerate(TRACKING_CODES)
    ]
    leads += [
        custom_field(620001, "Тип объекта", "select", None, "leads", ("Квартира", "Дом", "Офис")),
        custom_field(620002, "Адрес объекта", "text", None, "leads"),
        custom_field(620003, "Площадь, м²", "numeric", None, "leads"),
        custom_field(620004, "Дата замера", "date", None, "leads"),
        custom_field(620005, "Нужна доставка", "checkbox", None, "leads"),
    ]
    contacts = [
        custom_field(630001, "Должность", "text", "POSITION", "contacts", **predefined),
        custom_field(630002, "Телефон", "multitext", "PHONE", "contacts", PHONE_ENUMS, **predefined),
        custom_field(630003, "Email", "multitext", "EMAIL", "contacts", EMAIL_ENUMS, **predefined),
        custom_field(630004, "День рождения", "birthday", None, "contacts"),
    ]
    companies = [
        custom_field(640001, "Телефон", "multitext", "PHONE", "companies", PHONE_ENUMS, **predefined),
        custom_field(640002, "Email", "multitext", "EMAIL", "companies", EMAIL_ENUMS, **predefined),
        custom_field(640003, "Web", "url", "WEB", "companies", **predefined),
        custom_field(640004, "Адрес", "textarea", "ADDRESS", "companies", **predefined),
    ]
    return {
        "leads": {row["id"]: row for row in leads},
        "contacts": {row["id"]: row for row in contacts},
        "companies": {row["id"]: row for row in companies},
    }
