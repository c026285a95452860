"""The few words that code, not a mapping file, puts into a CRM; in the hub's language."""

from typing import Final, Literal

Locale = Literal["ru", "en"]

FLAG_TEXTS: Final[dict[Locale, dict[str, str]]] = {
    "ru": {
        "no_contact": "нет ни телефона, ни почты",
        "bad_phone": "телефон не удалось прочитать",
        "bad_email": "почту не удалось прочитать",
        "spam_honeypot": "похоже на спам: заполнено скрытое поле",
        "spam_rate": "похоже на спам: много заявок с одного адреса",
        "identity_conflict": "подходит двум известным людям, проверьте дубль",
        "charset_guessed": "кодировка текста угадана (windows-1251)",
        "contact_shared": "контакты присланы в переписке",
        "recovered": "сама не пришла: найдена в статистике источника",
        "rerun": "сначала не была принята, потом её впустил человек",
        "test": "проверочная заявка",
    },
    "en": {
        "no_contact": "neither a phone nor an e-mail",
        "bad_phone": "the phone could not be read",
        "bad_email": "the e-mail could not be read",
        "spam_honeypot": "may be spam: a hidden field was filled in",
        "spam_rate": "may be spam: many enquiries from one address",
        "identity_conflict": "fits two known people, check for a duplicate",
        "charset_guessed": "the character set was guessed (windows-1251)",
        "contact_shared": "contact data shared in a conversation",
        "recovered": "did not come by itself: found in the source's own list",
        "rerun": "refused at first, let in by a person later",
        "test": "a test enquiry",
    },
}

NOT_WRITTEN: Final[dict[Locale, str]] = {"ru": "Не попало в поля", "en": "Not written to fields"}
WHY: Final[dict[Locale, dict[str, str]]] = {
    "ru": {
        "no_field": "в CRM нет такого поля",
        "no_value": "в списке поля нет такого значения",
        "no_kind": "поле другого типа",
        "read_only": "поле только для чтения",
        "no_pipeline": "в CRM нет такой воронки",
        "no_stage": "в воронке нет такого этапа",
        "unread": "список полей CRM не прочитан",
        "no_user": "в CRM нет такого действующего пользователя",
        "unread_users": "список пользователей CRM не прочитан",
        "refused": "CRM не приняла",
    },
    "en": {
        "no_field": "the CRM has no such field",
        "no_value": "not one of the field's values",
        "no_kind": "the field is of another kind",
        "read_only": "the field is read-only",
        "no_pipeline": "the CRM has no such pipeline",
        "no_stage": "the pipeline has no such stage",
        "unread": "the CRM's field list could not be read",
        "no_user": "the CRM has no such active user",
        "unread_users": "the CRM's list of users could not be read",
        "refused": "refused by the CRM",
    },
}
"""Why a value went into the note instead of a field."""
ATTRIBUTES: Final[dict[Locale, dict[str, str]]] = {
    "ru": {
        "pipeline": "Воронка",
        "stage": "Этап",
        "price": "Сумма",
        "source": "Источник",
        "comment": "Комментарий",
        "tags": "Метки",
        "utm": "UTM",
        "phones": "Телефон",
        "emails": "Почта",
        "name": "Имя",
    },
    "en": {
        "pipeline": "Pipeline",
        "stage": "Stage",
        "price": "Amount",
        "source": "Source",
        "comment": "Comment",
        "tags": "Tags",
        "utm": "UTM",
        "phones": "Phone",
        "emails": "E-mail",
        "name": "Name",
    },
}
"""What a seller calls the attributes of a record."""
NO_NAME: Final[dict[Locale, str]] = {"ru": "Без имени", "en": "No name"}
ENQUIRY: Final[dict[Locale, str]] = {"ru": "Заявка", "en": "Enquiry"}


def locale_of(text: object) -> Locale:
    """Russian for `ru`, `ru_RU`, …; else English."""
    return "ru" if str(text).lower().startswith("ru") else "en"
