"""What a form's field means, by its name, in Russian and English."""

import re
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator

Meaning = Literal[
    "name", "first_name", "middle_name", "last_name", "phone", "email", "contact", "comment", "company",
    "form", "page_url", "landing_page", "referrer", "lead_uid", "external_id",
    "touch", "utm", "cookies", "first_touch", "last_touch", "extra",
]  # fmt: skip

OURS: Final = (
    "name", "first_name", "middle_name", "last_name", "phone", "email", "contact", "comment", "company",
    "form", "page_url", "landing_page", "referrer", "lead_uid", "external_id", "extra",
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term",
    "gclid", "yclid", "fbclid", "_ym_uid", "client_id", "roistat_visit",
)  # fmt: skip
"""What `fields:` in the settings may name on its right side."""


def _are_ours(names: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(names.values()) - set(OURS))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r} on the right side; allowed: {', '.join(OURS)}")
    return names


OwnNames = Annotated[dict[str, str], AfterValidator(_are_ours)]
"""The owner's map of their field -> ours."""

# Compared in lower case without spaces, dots, dashes and underscores; the earlier of two in one request wins.
SYNONYMS: Final[dict[Meaning, str]] = {
    "name": "name fullname fio фио имя имяифамилия фамилияимя фамилияиимя фамилияимяотчество фиополностью displayname"
    " contactperson контактноелицо каквасзовут какквамобращаться имяклиента nameclient",
    "first_name": "firstname fname givenname forename namefirst namesfirst namefirstname namegiven fullnamefirst",
    "middle_name": "middlename patronymic patronymicname secondname namemiddle namesmiddle namemiddlename отчество",
    "last_name": "lastname lname surname familyname namelast nameslast namelastname namefamily fullnamelast фамилия",
    "phone": "phone phonenumber tel telephone telephonenumber telnumber mobile mobilephone mobilenumber cell cellphone"
    " phones телефон телефоны тел номертелефона телефонномер номермобильного мобильный мобильныйтелефон сотовый"
    " контактныйтелефон телефондлясвязи номер telefon nomer phonefull fullphone whatsapp ватсап вотсап",
    "email": "email emails mail emailaddress mailaddress почта имейл емейл емайл мейл электроннаяпочта элпочта"
    " адресэлектроннойпочты эпочта",
    "contact": "contact contacts contactinfo contactdata контакт контакты контактныеданные каксвамисвязаться"
    " телефонилиemail телефонилипочта phoneoremail emailorphone emailphone",
    "comment": "comment message сообщение комментарий вопрос text comments messages msg textarea question текст"
    " textmessage комментарии текстсообщения текствопроса примечание описание задайтевопрос опишитезадачу enquiry"
    " inquiry description note notes пожелания пожелание commentary details",
    "company": "company companyname organization organisation organizationname org firm компания организация"
    " названиекомпании названиеорганизации наименованиекомпании наименованиеорганизации",
    "form": "form formname formtitle форма названиеформы имяформы formid idform lhform",
    "page_url": "pageurl page url sourceurl pagelink pageaddress formurl formpage currenturl locationhref location"
    " страница адресстраницы ссылканастраницу uri requesturl",
    "landing_page": "landingpage landing landingurl firstpage entrypage страницавхода",
    "referrer": "referrer referer referrerurl refererurl httpreferer httpreferrer documentreferrer sitereferrer",
    "lead_uid": "leaduid submissionid eventid tranid idempotencykey entryid responseid submissionguid",
    "external_id": "externalid personexternalid",
    "touch": "utmsource utmmedium utmcampaign utmcontent utmterm utmkeyword gclid gbraid wbraid yclid ymclid fbclid"
    " msclkid ttclid rbclickid vkclickid ymuid ymclientid metrikaclientid yaclientid yandexclientid metrika clientid"
    " ga gaclientid googleclientid gclientid uaclientid roistat roistatvisit roistatvisitid",
    "utm": "utm utms utmstring utmparams",
    "cookies": "cookies cookie",
    "first_touch": "lhfirst leadhubfirst",
    "last_touch": "lhlast leadhublast",
}

_EXACT: Final = {
    word: (meaning, rank) for meaning, words in SYNONYMS.items() for rank, word in enumerate(words.split())
}
_NOISE = re.compile(r"[\W_]+")
_PREFIXES = re.compile(
    r"(?:your|user|client|customer|contact|lead|visitor|billing|form|input|field|my|person|ваш[аеи]?|вашу|мой|мо[яе]"
    r"|введите|укажите|напишите|оставьте|клиент|посетитель)"
)
# Groups whose name says nothing about the field: `contact.phone`, `fields.0.email.value`, `utm.source` is not one.
_GROUPS: Final = frozenset(
    (
        *("fields", "field", "formfields", "formdata", "data", "contact", "contacts", "client", "customer", "user"),
        *("lead", "person", "visitor", "values", "answers", "payload", "body", "ids", "tracking", "analytics"),
        *("attribution", "params", "inputs", "request", "clickids", "metrics"),
    )
)
_TAILS: Final = frozenset(("value", "values", "text", "rawvalue"))
# A label that only contains the word: believed if the value turns out to be a phone or an e-mail.
_HINTS: Final[tuple[tuple[str, Meaning], ...]] = (
    ("телефон", "phone"), ("phone", "phone"), ("mobile", "phone"), ("whatsapp", "phone"), ("номердлясвязи", "phone"),
    ("почт", "email"), ("mail", "email"), ("контакт", "contact"), ("связаться", "contact"), ("связи", "contact"),
)  # fmt: skip
_OF_OTHERS = re.compile(r"manager|operator|менеджер|оператор|seller|продав|agent|company|shop|магазин|model|модел")


class FieldMeaning(NamedTuple):
    """`rank`: of several fields with one meaning the lowest is believed. `key` is the last part that was recognised."""

    meaning: Meaning
    rank: int
    sure: bool = True
    key: str = ""


EXTRA: Final = FieldMeaning("extra", 0)


@lru_cache(4096)  # a site sends the same few names with every lead
def meaning_of(path: str) -> FieldMeaning:
    """What the field at `path` (dots between levels) holds; `extra` when its name tells nothing."""
    parts = [_plain(part) for part in path.split(".")]
    parts = [part for part in parts if part and not (part.isdigit() and len(parts) > 1)]
    if parts and parts[0] in ("lhfirst", "lhlast", "leadhubfirst", "leadhublast"):
        return FieldMeaning("first_touch" if parts[0].endswith("first") else "last_touch", 0, key=path.split(".")[-1])
    while len(parts) > 1 and parts[-1] in _TAILS:
        parts.pop()
    while len(parts) > 1 and parts[0] in _GROUPS:
        parts.pop(0)
    word = "".join(parts)
    if not word:
        return EXTRA
    found = _by_word(word)
    if found:
        return FieldMeaning(found[0], found[1], key=word)
    if len(parts) == 1 and not _OF_OTHERS.search(word):
        for hint, meaning in _HINTS:
            if hint in word:
                return FieldMeaning(meaning, 1000, sure=False, key=word)
    return EXTRA


def _by_word(word: str) -> tuple[Meaning, int] | None:
    """Exactly, else without `your-`, `user_`, `Ваш …` in front, else without the number at the end (`tel-456`)."""
    if word in _EXACT:
        return _EXACT[word]
    prefix = _PREFIXES.match(word)
    if prefix and prefix.end() < len(word):
        found = _by_word(word[prefix.end() :])
        if found and found[0] not in ("form", "page_url", "touch", "utm"):
            return found[0], found[1] + 100
    stem = word.rstrip("0123456789")
    if stem and stem != word and stem not in ("text", "page", "form", "номер", "field", "ga") and stem in _EXACT:
        return _EXACT[stem][0], _EXACT[stem][1] + 200
    return None


def _plain(part: str) -> str:
    return _NOISE.sub("", part.casefold().replace("ё", "е"))
