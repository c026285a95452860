"""Why a message of ours did not reach its reader: refused when it was sent, or told afterwards by a status."""

from collections.abc import Iterator, Mapping
from typing import Final

from connectors.events import ParsedUndelivered
from connectors.trees import Tree, items, text
from leads.normalize import clean_text

WORDS: Final[Mapping[int, str]] = {
    131026: "WhatsApp cannot deliver to this person",
    131030: "the number is not on the list of the test account",
    131047: "the client last wrote more than 24 h ago: WhatsApp takes only an approved template then",
    131051: "WhatsApp does not know this kind of message",
    131062: "this account cannot write to people who hide their number",
}


def undelivered_of(value: Tree) -> Iterator[ParsedUndelivered]:
    """Statuses `failed` of one change; that one was sent, delivered or read is no news."""
    for status in items(value, "statuses"):
        message_id = text(status, "id")
        if text(status, "status") == "failed" and message_id:
            yield ParsedUndelivered(message_id, _why(next(iter(items(status, "errors")), {})))


def _why(error: Tree) -> str:
    code = text(error, "code")[:20]
    said = WORDS.get(int(code)) if code.isdecimal() else None
    said = said or clean_text(text(error, "title") or text(error, "message"), 200) or "WhatsApp could not deliver it"
    return f"{said} (code {code})" if code else said
