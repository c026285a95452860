"""What a service found out about a call -> an errand that ties it to the call."""

from connectors.bodies import UnreadableBody
from connectors.call_insight.settings import CallInsightSettings
from connectors.doors import Inbound, Parsed
from connectors.events import Errand
from connectors.formfields import digest_of, join_texts, object_of, text_of

_TOLD = ("text", "score", "source")


def parse(settings: CallInsightSettings, inbound: Inbound, region: str) -> Parsed:
    """{call_id, text, tags, score, source}. Raises UnreadableBody without a call_id; an empty request is a test."""
    if not inbound.body.strip():
        return Parsed()
    told = object_of(inbound)
    call_id = text_of(told.get("call_id"))
    if not call_id:
        raise UnreadableBody("call_id is missing")
    data = {
        "call_id": call_id,
        "tags": join_texts(told.get("tags")),
        **{name: text_of(told.get(name)) for name in _TOLD},
    }
    told_of = {name: text for name, text in data.items() if text}
    key = digest_of(*(f"{name}={text}" for name, text in sorted(told_of.items())))  # a call may be told of twice
    return Parsed(errands=(Errand("call_insight", key, told_of),))
