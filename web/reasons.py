"""Why a lead is not in the CRM yet, in the reader's words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.alerts.causes import code_of
from jobs.alerts.parts import cause_text, text_of
from web.words import Words

PENDING = ("ready", "waiting", "claimed")


@dataclass(frozen=True, slots=True)
class Why:
    """`text` is for everybody; `detail` what the CRM or the hub said to the letter, "" when it adds nothing."""

    text: str
    detail: str = ""


def kind_of(delivery: Any) -> str:
    """failed, held, later (working hours), pending; `delivery` has state and error_kind."""
    if delivery.state == "dead":
        return "failed"
    if delivery.state == "held":
        return "held"
    return "later" if delivery.error_kind == "hold" else "pending"


def why(delivery: Any, words: Words) -> Why:
    """The last trouble of a delivery; an empty text when there was none."""
    error, kind = delivery.last_error, delivery.error_kind
    if delivery.state == "held":
        return Why(words("group.why_held"))
    if not error:
        return Why("")
    if kind == "hold":
        return Why(error)
    if kind == "store":
        return Why(words("why.store"))
    if error.startswith("nothing found yet"):
        return Why(words("why.looking"))
    cause = in_words(error, words)
    detail = error if code_of(error) != error else ""
    match kind:
        case "unknown":
            return Why(words("why.unknown", cause=cause), detail)
        case "gave_up":
            return Why(words("why.gave_up", cause=cause), detail)
        case "refused" if not code_of(error):
            return Why(text_of(cause_text("validation", words.style)), detail)
    return Why(cause, "" if cause == detail else detail)


def in_words(error: str, words: Words, who: str = "") -> str:
    """The text of an error as a person says it; `who` answered so, when it was not the CRM."""
    return text_of(cause_text(error, words.style, who)) or error


def next_try(due_at: datetime, words: Words) -> str:
    """`now`, `in 12 s`."""
    left = (due_at - words.now).total_seconds()
    return words("when.now") if left < 1 else words("when.in", time=words.duration(left))
