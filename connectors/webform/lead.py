"""Fields of a form -> a lead: what all doors of forms have in common."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from connectors.doors import ParsedLead
from connectors.webform.contacts import contacts, contacts_in_unnamed
from connectors.webform.gather import Gathered, gather
from connectors.webform.touches import touches
from leads.normalize import person_name

UID_MAX = 200  # characters; a longer id is replaced by its hash
_NONE: Mapping[str, str] = MappingProxyType({})


def lead_from_fields(
    values: Mapping[str, str],
    *,
    region: str,
    now: datetime,
    own_names: Mapping[str, str] = _NONE,
    page_url: str = "",
    extra: Mapping[str, str] = _NONE,
    flags: Sequence[str] = (),
) -> ParsedLead:
    """`values` are path -> clean text without empty ones, as `gather.values_of` makes them.

    `own_names` is the owner's map of their field -> ours; `page_url` counts where no field tells
    the page; `extra` and `flags` are added to what the fields give.
    """
    gathered = gather(values, own_names)
    raised: list[str] = []
    found_phones, found_emails = contacts(gathered, region, raised)
    if not found_phones and not found_emails:
        found_phones, found_emails = contacts_in_unnamed(gathered.extra, region)
    if not found_phones and not found_emails:
        raised.insert(0, "no_contact")
    page_url = gathered.text("page_url") or page_url
    touch, first, referrer = touches(gathered, page_url, now)
    return ParsedLead(
        lead_uid=short_uid(gathered.text("lead_uid")),
        name=_name(gathered),
        phones=tuple(found_phones),
        emails=tuple(found_emails),
        external_id=gathered.text("external_id"),
        company=person_name(gathered.text("company")),
        comment="\n".join(dict.fromkeys(gathered.comments)),
        form=person_name(gathered.text("form")),
        page_url=page_url,
        referrer=referrer,
        utm=touch.utm,
        click_ids=touch.click_ids,
        extra={**gathered.extra, **extra},
        flags=tuple(dict.fromkeys((*raised, *flags))),
        touch=touch,
        browser_first_touch=first,
    )


def short_uid(uid: str) -> str:
    """The sender's id as it is kept: very long ones by their hash."""
    return uid if len(uid) <= UID_MAX else hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()


def _name(gathered: Gathered) -> str:
    parts = [gathered.text(part) for part in ("first_name", "middle_name", "last_name")]
    whole = gathered.text("name")
    if whole:  # "name" and "last_name": the first is then only a given name
        last = parts[2]
        parts = [whole, last if last and last.casefold() not in whole.casefold() else ""]
    return person_name(" ".join(part for part in parts if part))
