"""A webhook of Elementor, with "Advanced Data" on or off -> a lead."""

from collections.abc import Iterator

from connectors.bodies import Body, Pairs
from connectors.doors import Inbound, Parsed, ParsedLead
from connectors.elementor.settings import ElementorSettings
from connectors.formfields import Answer, body_of, lead_of, lead_of_answers, plain_values
from leads.normalize import clean_text

_NOISE_TYPES = frozenset(("step", "html", "recaptcha", "recaptcha_v3", "honeypot", "password"))
_OURS = {"tel": "phone", "email": "email"}
_NO_LABEL = "No Label "
_NOISE_OFF = ("powered by", "date", "time", "дата", "время")


def parse(settings: ElementorSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody."""
    body = body_of(inbound)
    if body is None:
        return Parsed()
    flags = ("charset_guessed",) if body.charset_guessed else ()
    fields = _nested(body.pairs, "fields.")
    advanced = any("value" in field or "raw_value" in field for field in fields.values())
    lead = (
        _advanced(settings, inbound, region, body, flags)
        if advanced
        else _plain(settings, inbound, region, body, flags)
    )
    return Parsed((lead,))


def _advanced(
    settings: ElementorSettings, inbound: Inbound, region: str, body: Body, flags: tuple[str, ...]
) -> ParsedLead:
    named = dict(body.pairs)
    answers = [*_answers(_nested(body.pairs, "fields.")), *_about(_nested(body.pairs, "meta."))]
    return lead_of_answers(
        settings, inbound, region, answers, form=named.get("form.name") or named.get("form.id", ""), flags=flags
    )


def _plain(
    settings: ElementorSettings, inbound: Inbound, region: str, body: Body, flags: tuple[str, ...]
) -> ParsedLead:
    """Labels are the keys; `form_id` and `form_name` stand beside them."""
    values = {_named(label): value for label, value in plain_values(body.pairs, _NOISE_OFF).items()}
    if values.get("form_name"):
        values.pop("form_id", None)
    return lead_of(settings, inbound, region, values, own_names=settings.fields, flags=flags)


def _named(label: str) -> str:
    """A field without a label is called `No Label name`; one that the builder numbered (`field_1`) has no name."""
    ref = label.removeprefix(_NO_LABEL)
    return label if ref.startswith("field_") else ref


def _answers(fields: dict[str, dict[str, str]]) -> Iterator[Answer]:
    """The type counts more than a title, which the owner may rename; a hidden field has no title but an id."""
    for key, field in fields.items():
        kind = field.get("type", "").lower()
        if kind in _NOISE_TYPES:
            continue
        ref = field.get("id") or key
        yield Answer(
            field.get("title") or ref, field.get("value") or field.get("raw_value", ""), _OURS.get(kind, ""), ref
        )


def _about(meta: dict[str, dict[str, str]]) -> Iterator[Answer]:
    """What the site adds of the visit. Its words depend on the site's language, the keys do not."""
    for key in ("page_url", "remote_ip", "user_agent"):
        value = clean_text(meta.get(key, {}).get("value", ""))
        if value:
            yield Answer(key, value, "page_url" if key == "page_url" else "extra")


def _nested(pairs: Pairs, prefix: str) -> dict[str, dict[str, str]]:
    """`fields.email.value` -> {"email": {"value": …}}; values sent more than once are joined by commas."""
    found: dict[str, dict[str, str]] = {}
    for path, value in pairs:
        if not path.startswith(prefix):
            continue
        key, _, part = path.removeprefix(prefix).partition(".")
        held = found.setdefault(key, {})
        part = part.partition(".")[0]
        held[part] = f"{held[part]}, {value}" if held.get(part) else value
    return found
