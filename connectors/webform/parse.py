"""A request to a web form's door -> leads."""

from collections.abc import Iterator
from dataclasses import replace

from connectors.bodies import Body, Pairs, UnreadableBody, flatten, plain_path, read_body
from connectors.doors import Inbound, Parsed, ParsedLead, Reply
from connectors.webform.gather import values_of
from connectors.webform.lead import lead_from_fields, short_uid
from connectors.webform.redirect import redirect_reply
from connectors.webform.settings import WebformSettings
from leads.normalize import clean_text

MAX_LEADS = 100  # in one JSON list
_PING = ("test", "test")


def parse(settings: WebformSettings, inbound: Inbound, region: str) -> Parsed:
    """All leads of one request, nearly always one. Raises UnreadableBody when there is no field at all."""
    try:
        body = read_body(
            inbound.body, inbound.headers.get("content-type", ""), inbound.headers.get("content-encoding", "")
        )
    except UnreadableBody:
        if inbound.body.strip() or not _query(inbound):
            raise
        body = Body("form", [])  # everything stands in the address
    return parse_body(settings, inbound, region, body)


def parse_body(settings: WebformSettings, inbound: Inbound, region: str, body: Body) -> Parsed:
    """The leads of a body that was read already. Fields of the address fill what it leaves out."""
    query = _query(inbound)
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


def _query(inbound: Inbound) -> Pairs:
    return [(plain_path(name), value) for name, value in inbound.query if name != "key"]


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
    extra = {
        f"{upload.field or 'file'} (file)": clean_text(f"{upload.filename} ({upload.size_bytes} bytes)")
        for upload in body.files
    }
    if body.left_out:
        extra["fields left out"] = str(body.left_out)
    flags = [flag for flag, raised in (("spam_honeypot", trapped), ("charset_guessed", body.charset_guessed)) if raised]
    lead = lead_from_fields(
        values,
        own_names=settings.fields,
        region=region,
        now=inbound.received_at,
        page_url=clean_text(inbound.headers.get("referer", "")),
        extra=extra,
        flags=flags,
    )
    uid = lead.lead_uid or clean_text(inbound.headers.get("idempotency-key", ""))
    kept = short_uid(f"{uid}{uid_suffix}") if uid else ""
    return lead if kept == lead.lead_uid else replace(lead, lead_uid=kept)
