"""A request to a web form's door -> leads."""

import hashlib
from collections.abc import Iterator

from connectors.bodies import Body, Pairs, UnreadableBody, flatten, plain_path, read_body
from connectors.doors import Inbound, Parsed, ParsedLead, Reply
from connectors.webform.contacts import contacts, contacts_in_unnamed
from connectors.webform.gather import Gathered, gather, values_of
from connectors.webform.redirect import redirect_reply
from connectors.webform.settings import WebformSettings
from connectors.webform.touches import touches
from leads.normalize import clean_text, person_name

MAX_LEADS = 100  # in one JSON list
UID_MAX = 200  # characters; a longer id is replaced by its hash
_PING = ("test", "test")


def parse(settings: WebformSettings, inbound: Inbound, region: str) -> Parsed:
    """All leads of one request, nearly always one. Raises UnreadableBody when there is no field at all."""
    query = [(plain_path(name), value) for name, value in inbound.query if name != "key"]
    try:
        body = read_body(
            inbound.body, inbound.headers.get("content-type", ""), inbound.headers.get("content-encoding", "")
        )
    except UnreadableBody:
        if inbound.body.strip() or not query:
            raise
        body = Body("form", [])  # everything stands in the address
    if [*body.pairs, *query] == [_PING]:
        return Parsed(reply=Reply(body=b'{"status": "test"}'))
    leads = tuple(
        _lead(settings, inbound, settings.region or region, body, [*pairs, *query], uid_suffix)
        for uid_suffix, pairs in _records(body)
    )
    redirect = None
    if body.kind != "json":
        wanted = next((value for name, value in body.pairs if name == "_redirect"), "")
        redirect = redirect_reply(settings, inbound, wanted.strip())
    return Parsed(leads, reply=redirect)


def _records(body: Body) -> Iterator[tuple[str, Pairs]]:
    """(suffix of the id, fields): a JSON list of objects is a list of leads, unless its pairs were named values."""
    many = isinstance(body.tree, list) and len(body.tree) > 1 and body.pairs[0][0].startswith("0.")
    if not many or not all(isinstance(item, dict) for item in body.tree) or len(body.tree) > MAX_LEADS:
        yield "", body.pairs
        return
    for index, item in enumerate(body.tree):
        pairs = flatten(item)
        if pairs:
            yield f"#{index}" if index else "", pairs


def _lead(
    settings: WebformSettings, inbound: Inbound, region: str, body: Body, pairs: Pairs, uid_suffix: str
) -> ParsedLead:
    values = values_of(pairs)
    secret = settings.key.get_secret_value() if settings.key else ""
    values = {path: value for path, value in values.items() if path != "_redirect" and not (secret and value == secret)}
    trapped = values.get(settings.honeypot, "") if settings.honeypot else ""
    gathered = gather(values, settings.fields)
    extra = gathered.extra
    flags: list[str] = []
    found_phones, found_emails = contacts(gathered, region, flags)
    if not found_phones and not found_emails:
        found_phones, found_emails = contacts_in_unnamed(extra, region)
    if not found_phones and not found_emails:
        flags.insert(0, "no_contact")
    if trapped:
        flags.append("spam_honeypot")
    if body.charset_guessed:
        flags.append("charset_guessed")
    for upload in body.files:
        extra[f"{upload.field or 'file'} (file)"] = clean_text(f"{upload.filename} ({upload.size_bytes} bytes)")
    if body.left_out:
        extra["fields left out"] = str(body.left_out)

    page_url = gathered.text("page_url") or clean_text(inbound.headers.get("referer", ""))
    touch, first, referrer = touches(gathered, page_url, inbound.received_at)
    uid = gathered.text("lead_uid") or clean_text(inbound.headers.get("idempotency-key", ""))
    return ParsedLead(
        lead_uid=_short_uid(f"{uid}{uid_suffix}") if uid else "",
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
        extra=extra,
        flags=tuple(dict.fromkeys(flags)),
        touch=touch,
        browser_first_touch=first,
    )


def _name(gathered: Gathered) -> str:
    parts = [gathered.text(part) for part in ("first_name", "middle_name", "last_name")]
    whole = gathered.text("name")
    if whole:  # "name" and "last_name": the first is then only a given name
        last = parts[2]
        parts = [whole, last if last and last.casefold() not in whole.casefold() else ""]
    return person_name(" ".join(part for part in parts if part))


def _short_uid(uid: str) -> str:
    return uid if len(uid) <= UID_MAX else hashlib.sha256(uid.encode()).hexdigest()
