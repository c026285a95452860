"""Who chats or calls by Jivo, and where he came from."""

from datetime import datetime
from typing import Final

from connectors.doors import ParsedLead
from connectors.trees import Tree, items, part, text
from connectors.webform.lead import short_uid
from leads.attribution import touch_of
from leads.normalize import emails, person_name
from leads.phones import phones

_UTM: Final = ("source", "medium", "campaign", "content", "term")


def visitor_of(
    event: Tree, region: str, at: datetime, *, lead_uid: str = "", comment: str = "", kind: str = "messenger"
) -> ParsedLead:
    """The visitor's card as a lead; a phone or e-mail that cannot be read is kept and flagged."""
    visitor, session, page = part(event, "visitor"), part(event, "session"), part(event, "page")
    written, mail = text(visitor, "phone"), text(visitor, "email")
    numbers, addresses = phones(written, region), emails(mail)
    flags = [flag for flag, wrong in (("bad_phone", numbers.bad), ("bad_email", mail and not addresses.found)) if wrong]
    if not numbers.found and not addresses.found:
        flags.insert(0, "no_contact")
    number = text(visitor, "number")
    url = text(page, "url")
    touch = touch_of(_marks(session), at=at, page_url=url, kind=kind)
    extra = {
        "phone": written if numbers.bad else "",
        "email": mail if mail and not addresses.found else "",
        "description": text(visitor, "description"),
        "page_title": text(page, "title"),
        "city": text(session, "geoip", "city"),
        "ip": text(session, "ip_addr"),
        "widget": text(event, "widget_id"),
        "department": text(event, "department", "name"),
        "agent": agent_of(event),
        "tags": ", ".join(filter(None, (text(tag, "title") or text(tag, "name") for tag in items(event, "tags")))),
    }
    return ParsedLead(
        lead_uid=short_uid(lead_uid),
        name=person_name(text(visitor, "name")),
        phones=numbers.found,
        emails=addresses.found,
        messengers=(("jivo", number),) if number else (),
        external_id=text(event, "user_token"),
        comment=comment,
        page_url=url,
        referrer=touch.referrer,
        utm=touch.utm,
        click_ids=touch.click_ids,
        extra={name: value for name, value in extra.items() if value},
        flags=tuple(flags),
        touch=touch,
    )


def agent_of(event: Tree) -> str:
    """E-mail, else name, of who talks to the visitor: of several the last one, to whom it was handed over."""
    agents = [part(event, "assigned_agent"), part(event, "agent"), *reversed(items(event, "agents"))]
    return next((told for agent in agents if (told := text(agent, "email") or text(agent, "name"))), "")


def _marks(session: Tree) -> dict[str, str]:
    """`utm_json` has its keys without `utm_`; older events have only the text `source=a|medium=b`."""
    marks = {f"utm_{key}": value for key in _UTM if (value := text(session, "utm_json", key))}
    if marks:
        return marks
    pairs = (piece.partition("=") for piece in text(session, "utm")[:4000].split("|"))
    return {f"utm_{name.strip().removeprefix('utm_')}": value for name, equals, value in pairs if equals}
