"""What a refusal is about, from its text: the texts are in the portal's language. Pure."""

import re
from collections.abc import Mapping

from connectors.base import Draft
from connectors.bitrix24.payloads import TAGS_FIELD

_ATTRIBUTES = {
    "PHONE": "phones",
    "EMAIL": "emails",
    "ASSIGNED_BY_ID": "responsible",
    "STAGE_ID": "stage",
    "STATUS_ID": "stage",
    "CATEGORY_ID": "pipeline",
    "OPPORTUNITY": "price",
    "SOURCE_ID": "source",
    "SOURCE_DESCRIPTION": "source",
    "COMMENTS": "comment",
    "COMPANY_ID": "company_id",
    "CONTACT_ID": "contact_id",
    "TITLE": "title",
    "NAME": "name",
    TAGS_FIELD: "tags",
}
_WORDS = {
    "emails": ("e-mail", "email", "эл. адрес", "электронн", "почт"),
    "phones": ("phone", "телефон"),
    "responsible": ("responsible", "ответственн"),
}


def refused_fields(text: str, draft: Draft, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What a refusal's text is about, as the draft calls it. `labels` is the portal's field titles -> codes.

    Texts are in the portal's language and name fields by code or by title. A custom field that was not sent
    (made mandatory since) is named by its code.
    """
    lower = text.lower()
    codes = [*re.findall(r"\b[A-Z]{3,}(?:_[A-Z0-9]+)*\b", text), *_custom(text)]
    codes += [code for title, code in labels.items() if len(title) > 3 and f'"{title.lower()}"' in lower]
    codes += [code for title, code in labels.items() if len(title) > 3 and f"«{title.lower()}»" in lower]
    own = getattr(draft, "fields", {})
    sent = {str(code).upper(): str(code) for code in own}
    names: list[str] = []
    for code in codes:
        if code in sent:
            names.append(sent[code])
        elif code.startswith("UTM_"):
            names.append("utm")
        elif code in _ATTRIBUTES:
            names.append(_ATTRIBUTES[code])
        elif code.startswith("UF_CRM_"):
            names.append(code)
    if not names:
        names = [name for name, words in _WORDS.items() if any(word in lower for word in words)]
    return tuple(dict.fromkeys(names))


def _custom(text: str) -> list[str]:
    return [code.upper() for code in re.findall(r"(?i)\buf_crm_\w+", text)]
