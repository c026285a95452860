"""An answered VK lead form -> a lead."""

from datetime import datetime

from connectors.doors import ParsedLead
from connectors.trees import Tree, items, text
from leads.normalize import emails, person_name, phones
from leads.records import Touch

_NAMES = ("first_name", "patronymic_name", "last_name")
FORM_SITE = "https://vk.com/"


def lead_of(form: Tree, region: str, at: datetime) -> ParsedLead | None:
    """`object` of `lead_forms_new`; None when it holds nothing. Own questions stay in `extra` as they were asked."""
    answers = [(text(one, "key"), text(one, "question"), _answer(one)) for one in items(form, "answers")]
    person = text(form, "user_id")
    if not answers and not text(form, "lead_id"):
        return None
    given = {key: answer for key, _, answer in answers}
    found_phones = phones(given.get("phone_number", ""), region)
    found_emails = emails(given.get("email", ""))
    read = {*_NAMES, "full_name", "phone_number", "email"}
    extra = {question or key: answer for key, question, answer in answers if key not in read and answer}
    unread = {"phone_number": found_phones.rest if found_phones.bad else "", "email": found_emails.rest}
    ad_id = text(form, "ad_id")
    extra |= {"form_id": text(form, "form_id"), "ad_id": "" if ad_id == "0" else ad_id, **unread}
    flags = [
        *(["no_contact"] if not found_phones.found and not found_emails.found else []),
        *(["bad_phone"] if found_phones.bad else []),
        *(["bad_email"] if found_emails.rest else []),
    ]
    return ParsedLead(
        lead_uid=text(form, "lead_id"),
        name=person_name(given.get("full_name", "") or " ".join(given.get(key, "") for key in _NAMES)),
        phones=found_phones.found,
        emails=found_emails.found,
        messengers=(("vk", person),) if person not in ("", "0") else (),
        form=person_name(text(form, "form_name")),
        extra={key: value for key, value in extra.items() if value},
        flags=tuple(flags),
        touch=Touch(at=at, referrer=FORM_SITE, channel="ad" if ad_id not in ("", "0") else "social"),
    )


def _answer(one: Tree) -> str:
    value = one.get("answer")
    if isinstance(value, list):
        return ", ".join(str(item) for item in value if isinstance(item, str | int))
    return text(one, "answer")
