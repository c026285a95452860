"""Marks everything that one request made."""

from dataclasses import replace

from connectors.doors import Parsed
from connectors.events import ParsedLead


def marked(parsed: Parsed, flag: str) -> Parsed:
    """Every lead, and every lead that an event may become, bears the flag."""

    def lead(one: ParsedLead | None) -> ParsedLead | None:
        return replace(one, flags=tuple(dict.fromkeys((*one.flags, flag)))) if one is not None else None

    return replace(
        parsed,
        leads=tuple(one for each in parsed.leads if (one := lead(each)) is not None),
        calls=tuple(replace(call, lead=lead(call.lead or ParsedLead())) for call in parsed.calls),
        messages=tuple(replace(message, lead=lead(message.lead)) for message in parsed.messages),
        payments=tuple(replace(payment, lead=lead(payment.lead)) for payment in parsed.payments),
    )
