"""The canonical records: what every door makes and every CRM is given."""

from dataclasses import dataclass, field
from datetime import datetime

from leads.calls import Call

UTM_KEYS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
CLICK_KEYS = ("gclid", "yclid", "fbclid", "_ym_uid", "client_id", "roistat_visit")


@dataclass(frozen=True, slots=True)
class Touch:
    """One contact of a person with a source.

    `utm` has keys of UTM_KEYS, values in lower case; `click_ids` has keys of CLICK_KEYS.
    `channel` is what `attribution.channel` made of it: ad, organic, social, email,
    messenger, call, referral, direct.
    """

    at: datetime
    source: str = ""
    utm: dict[str, str] = field(default_factory=dict)
    click_ids: dict[str, str] = field(default_factory=dict)
    referrer: str = ""
    landing_page: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """One enquiry from one source, normalised.

    `phones` are E.164, `emails` trimmed lower case, both without repeats in the order
    given; what could not be read as either stays in `extra` under the sender's field name
    and raises a flag. `messengers` are (vendor, sender id) pairs. `extra` keeps every
    other field as text. `lead_uid` is the sender's id of this event, for dedup.
    """

    id: str
    source: str
    received_at: datetime
    lead_uid: str = ""
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    messengers: tuple[tuple[str, str], ...] = ()
    external_id: str = ""
    company: str = ""
    comment: str = ""
    form: str = ""
    page_url: str = ""
    referrer: str = ""
    utm: dict[str, str] = field(default_factory=dict)
    click_ids: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    call: Call | None = None
    """The phone call that the enquiry is."""
    touch: Touch | None = None
    """This visit: the last touch."""
    browser_first_touch: Touch | None = None
    """The first touch as the visitor's browser remembers it, if it told us."""


FLAGS = {
    "no_contact": "neither a phone nor an e-mail",
    "bad_phone": "a phone that could not be read",
    "bad_email": "an e-mail that could not be read",
    "spam_honeypot": "a hidden field was filled in",
    "spam_rate": "too many leads from one address",
    "identity_conflict": "ties two known persons together",
    "contact_shared": "no enquiry of its own: contact data given in a conversation",
    "recovered": "never came by itself: found in the vendor's own list",
    "charset_guessed": "the text was not UTF-8; windows-1251 was assumed",
    "rerun": "was refused at first and let in by a person later",
    "test": "sent by `leadhub source test`",
}
