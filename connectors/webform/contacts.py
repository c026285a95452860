"""Phones and e-mails of a form, also from the wrong field."""

import re
from collections.abc import Mapping

from connectors.webform.gather import Gathered
from leads.normalize import emails, phones


def contacts(gathered: Gathered, region: str, flags: list[str]) -> tuple[dict[str, None], dict[str, None]]:
    """Phones and e-mails in the order given. What could not be read goes to `extra`, with a flag."""
    found_phones: dict[str, None] = {}
    found_emails: dict[str, None] = {}
    for path, value in gathered.phone_fields:
        addresses = emails(value).found if "@" in value else ()
        result = phones(value, region) if not addresses else phones(_without_emails(value), region)
        found_phones.update(dict.fromkeys(result.found))
        found_emails.update(dict.fromkeys(addresses))
        for number, digits in result.extensions:
            gathered.extra["phone_ext"] = ", ".join(
                filter(None, (gathered.extra.get("phone_ext"), f"{number}: {digits}"))
            )
        if result.rest and not (addresses and not result.found):
            gathered.extra[path] = value if result.bad else result.rest
            if result.bad:
                flags.append("bad_phone")
    for path, value in gathered.email_fields:
        mails = emails(value)
        found_emails.update(dict.fromkeys(mails.found))
        if mails.rest:
            numbers = phones(mails.rest, region) if "@" not in mails.rest else None
            if numbers and numbers.found:  # a phone typed into the e-mail field
                found_phones.update(dict.fromkeys(numbers.found))
            else:
                gathered.extra[path] = value
                flags.append("bad_email")
    for kind, path, value in gathered.unsure:
        mail_found = emails(value).found if "@" in value else ()
        phone_found = phones(value, region) if kind != "email" and not mail_found else None
        if mail_found:
            found_emails.update(dict.fromkeys(mail_found))
        elif phone_found and phone_found.found and not phone_found.rest:
            found_phones.update(dict.fromkeys(phone_found.found))
        else:
            gathered.extra[path] = value
    return found_phones, found_emails


def _without_emails(value: str) -> str:
    return " ".join(word for word in re.split(r"[\s,;]+", value) if "@" not in word)


_LOOKS_LIKE_PHONE = re.compile(r"(?:\+\d|[78])[\d\s()-]{9,18}")


def contacts_in_unnamed(extra: Mapping[str, str], region: str) -> tuple[dict[str, None], dict[str, None]]:
    """A lead without contact is useless: a field that is all phone or all e-mail is taken, whatever it is called."""
    found_phones: dict[str, None] = {}
    found_emails: dict[str, None] = {}
    for value in extra.values():
        if "@" in value and len(value) < 255 and " " not in value:
            found_emails.update(dict.fromkeys(emails(value).found))
        elif _LOOKS_LIKE_PHONE.fullmatch(value) and 11 <= sum(char.isdigit() for char in value) <= 13:
            found_phones.update(dict.fromkeys(phones(value, region).found))
    return found_phones, found_emails
