"""The second way out: an enquiry as a seller reads it in a chat while the CRM does not take it.

Unlike alerts it is about one person and must name him: it goes only where `hub.fallback`
sends it.
"""

from datetime import datetime

import phonenumbers

from connectors.notify import Button, Notice
from jobs.alerts.parts import cause_text, is_public
from jobs.alerts.words import Raw, Style
from leads.records import Lead
from leads.touch_text import describe_touch

MAX_COMMENT = 1500


def fallback_notice(lead: Lead, crm: str, cause: str, style: Style, now: datetime) -> Notice:
    """One message about one lead. `crm` as in `alert_texts.crm_name`, `cause` as in `alert_texts.cause_text`."""
    say = style.say
    at = style.time(lead.received_at, now)
    origin = describe_touch(lead.touch, style.locale) if lead.touch else ""
    why = Raw(cause_text(cause or "gave_up", style))
    lines = [
        f"<b>{say('fallback')}</b>",
        say("fallback_form", form=lead.form, time=at)
        if lead.form
        else say("fallback_source", name=lead.source, time=at),
        say("fallback_line", text=", ".join(part for part in (lead.name, lead.company) if part)),
        *(say("fallback_phone", phone=spaced(phone)) for phone in lead.phones),
        *(say("fallback_email", email=email) for email in lead.emails),
        *(say("fallback_messenger", vendor=vendor, sender=sender) for vendor, sender in lead.messengers),
        say("fallback_line", text=shortened(lead.comment)),
        *(
            say("fallback_line", text=f"{name}: {shortened(value, 200)}")
            for name, value in list(lead.extra.items())[:10]
        ),
        say("fallback_from", origin=origin) if origin else "",
        say("fallback_page", page=shortened(lead.page_url, 200)) if lead.page_url else "",
        say("fallback_why", crm=crm, cause=why),
    ]
    link = f"{style.public_url.rstrip('/')}/leads/{lead.id}"
    buttons = (Button(say("fallback_show"), url=link),) if is_public(style.public_url) else ()
    return Notice(html="\n".join(line for line in lines if line), buttons=buttons, topic=f"lead-{lead.id}")


def spaced(phone: str) -> str:
    """`+7 916 123-45-67`; a phone that cannot be read stays as it is."""
    try:
        parsed = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def shortened(text: str, most: int = MAX_COMMENT) -> str:
    text = text.strip()
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
