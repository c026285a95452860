"""What a new Bitrix24 sandbox portal holds: people, pipelines, dictionaries."""

from typing import Any

USERS: dict[str, dict[str, Any]] = {
    str(each["ID"]): each
    for each in (
        {"ID": "1", "ACTIVE": True, "NAME": "Анна", "LAST_NAME": "Петрова", "EMAIL": "anna@example.ru"},
        {"ID": "7", "ACTIVE": True, "NAME": "Борис", "LAST_NAME": "Сидоров", "EMAIL": "boris@example.ru"},
        {"ID": "12", "ACTIVE": True, "NAME": "Вера", "LAST_NAME": "Кузнецова", "EMAIL": "vera@example.ru"},
        {"ID": "15", "ACTIVE": False, "NAME": "Глеб", "LAST_NAME": "Уволенный", "EMAIL": "gleb@example.ru"},
    )
}
CATEGORIES: list[dict[str, Any]] = [
    {"id": 0, "name": "Общая", "sort": 300, "entityTypeId": 2, "isDefault": "Y", "originId": "", "originatorId": ""},
    {"id": 5, "name": "Окна", "sort": 500, "entityTypeId": 2, "isDefault": "N", "originId": "", "originatorId": ""},
]
CURRENCIES = ("RUB", "USD", "EUR", "KZT", "BYN")

_DEAL = (
    ("NEW", "Новая", None),
    ("PREPARATION", "Подготовка документов", None),
    ("PREPAYMENT_INVOICE", "Cчёт на предоплату", None),
    ("EXECUTING", "В работе", None),
    ("FINAL_INVOICE", "Финальный счёт", None),
    ("WON", "Сделка успешна", "S"),
    ("LOSE", "Сделка провалена", "F"),
)
_LEAD = (
    ("NEW", "Не обработан", None),
    ("IN_PROCESS", "В работе", None),
    ("PROCESSED", "Обработан", None),
    ("CONVERTED", "Качественный лид", "S"),
    ("JUNK", "Некачественный лид", "F"),
)
_SOURCES = (
    ("CALL", "Звонок"),
    ("EMAIL", "Электронная почта"),
    ("WEB", "Веб-сайт"),
    ("ADVERTISING", "Реклама"),
    ("PARTNER", "Существующий клиент"),
    ("RECOMMENDATION", "По рекомендации"),
    ("TRADE_SHOW", "Выставка"),
    ("WEBFORM", "CRM-форма"),
    ("CALLBACK", "Обратный звонок"),
    ("RC_GENERATOR", "Генератор продаж"),
    ("STORE", "Интернет-магазин"),
    ("UC_AVITO1", "Авито"),
    ("OTHER", "Другое"),
)


def statuses() -> list[dict[str, Any]]:
    """`crm.status.list` of a new portal."""
    groups: list[tuple[str, tuple[tuple[str, str, str | None], ...], str]] = [
        ("STATUS", _LEAD, ""),
        ("SOURCE", tuple((code, name, None) for code, name in _SOURCES), ""),
        ("DEAL_STAGE", _DEAL, ""),
        ("DEAL_STAGE_5", _DEAL, "C5:"),
        ("CONTACT_TYPE", (("CLIENT", "Клиенты", None), ("OTHER", "Другое", None)), ""),
        ("DEAL_TYPE", (("SALE", "Продажа", None),), ""),
    ]
    found: list[dict[str, Any]] = []
    for group, rows, prefix in groups:
        for index, (code, name, semantics) in enumerate(rows):
            kind = {None: "process", "S": "success", "F": "failure"}[semantics]
            found.append(
                {
                    "ID": str(len(found) + 1),
                    "ENTITY_ID": group,
                    "STATUS_ID": f"{prefix}{code}",
                    "NAME": name,
                    "NAME_INIT": "",
                    "SORT": str((index + 1) * 10),
                    "SYSTEM": "Y",
                    "CATEGORY_ID": "5" if prefix else None,
                    "COLOR": "",
                    "SEMANTICS": semantics,
                    "EXTRA": {"SEMANTICS": kind, "COLOR": ""},
                }
            )
    return found
