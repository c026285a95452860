"""What becomes of a repeated enquiry: a new deal, a note on the open one, or the closed one opened again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leads.durations import Duration


class RepeatPolicy(BaseModel):
    """`repeat:` of a route."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    within: Duration = Field(
        timedelta(days=30), description="how long after the person's last lead another one counts as its repeat"
    )
    do: Literal["note", "new_deal", "reopen"] = Field(
        "note",
        description="note: on the open deal, else a new deal; new_deal: always; reopen: a closed deal opens again",
    )
    task: bool = Field(True, description="also make a call task on the deal")


class Deal(StrEnum):
    """The person's newest deal in the CRM."""

    OPEN = "open"
    CLOSED = "closed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class NewDeal:
    """`is_repeat`: the person was here within the window; the note says so."""

    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class NoteOnOpen:
    """A note on the open deal, with `task` a call task as well."""

    task: bool


@dataclass(frozen=True, slots=True)
class Reopen:
    """The closed deal is opened again and gets a note, with `task` a call task as well."""

    task: bool


RepeatDecision = NewDeal | NoteOnOpen | Reopen


def decide_repeat(
    policy: RepeatPolicy,
    deal_state: Deal | Literal["open", "closed", "none"],
    last_lead_at: datetime | None,
    now: datetime,
    deal_updated_at: datetime | None = None,
) -> RepeatDecision:
    """`last_lead_at`: the person's lead before this one, None when there was none through us.

    A deal that people in the CRM made or worked on counts too: the later of `last_lead_at` and
    `deal_updated_at` is what the window is measured from. With neither known, an open deal is a repeat
    (somebody works on that person right now), a closed one is not.
    """
    deal = Deal(deal_state)
    if deal is Deal.NONE:
        return NewDeal(is_repeat=last_lead_at is not None and now - last_lead_at <= policy.within)
    seen = [at for at in (last_lead_at, deal_updated_at) if at is not None]
    is_repeat = now - max(seen) <= policy.within if seen else deal is Deal.OPEN
    if not is_repeat or policy.do == "new_deal":
        return NewDeal(is_repeat)
    if deal is Deal.OPEN:
        return NoteOnOpen(policy.task)
    return Reopen(policy.task) if policy.do == "reopen" else NewDeal(is_repeat)
