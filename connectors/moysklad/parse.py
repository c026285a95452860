"""A webhook of MoySklad -> an errand for each thing that changed."""

from typing import Any
from urllib.parse import urlsplit

from connectors.doors import Inbound, Parsed
from connectors.events import Errand
from connectors.formfields import dict_of, dicts_of, digest_of, join_texts, object_of, text_of
from connectors.moysklad.settings import MoyskladSettings


def parse(settings: MoyskladSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Links that lead away from MoySklad are left out: our token would be sent there."""
    if not inbound.body.strip():
        return Parsed()
    notice = object_of(inbound)
    audit = dict_of(notice.get("auditContext"))
    request_id = inbound.param("requestId").strip() or text_of(audit.get("moment"))
    errands: dict[str, Errand] = {}
    for event in dicts_of(notice.get("events")):
        errand = _errand(settings, event, request_id, text_of(audit.get("moment")))
        if errand is not None:
            errands.setdefault(errand.key, errand)
    return Parsed(errands=tuple(errands.values()))


def _errand(settings: MoyskladSettings, event: dict[str, Any], request_id: str, moment: str) -> Errand | None:
    meta = dict_of(event.get("meta"))
    href, action = text_of(meta.get("href")), text_of(event.get("action"))
    if not is_theirs(href, settings.api_url):
        return None
    data = {
        "href": href,
        "type": text_of(meta.get("type")),
        "id": urlsplit(href).path.rstrip("/").rpartition("/")[2],
        "action": action,
        "account_id": text_of(event.get("accountId")),
        "updated_fields": join_texts(event.get("updatedFields")),
        "moment": moment,
    }
    told = {name: value for name, value in data.items() if value}
    return Errand("moysklad", digest_of(request_id, href, action), told)


def is_theirs(href: str, api_url: str) -> bool:
    try:
        link, api = urlsplit(href), urlsplit(api_url)
        host = link.hostname or ""
        if (link.scheme, link.netloc) == (api.scheme, api.netloc):
            return True
        return (
            link.scheme == "https"
            and "@" not in link.netloc
            and (host == "moysklad.ru" or host.endswith(".moysklad.ru"))
        )
    except ValueError:
        return False
