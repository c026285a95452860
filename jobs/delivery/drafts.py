"""What is to be written for one lead, and who decides it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.base import CompanyDraft, ContactDraft, DealDraft, DealState, Draft
from jobs.delivery.progress import Progress


class Hold(Exception):
    """Nobody is to get it before `until`."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until = until
        self.why = why


@dataclass(frozen=True, slots=True)
class Dropped:
    """A value that the CRM has no room for; the note carries it."""

    field: str
    value: str
    why: str
    where: str = ""
    """File and line of the mapping that names the field."""
    optional: bool = False

    def to_json(self) -> dict[str, str]:
        return {"field": self.field, "value": self.value, "why": self.why, "where": self.where}


@dataclass(frozen=True, slots=True)
class Drafts:
    """Everything that is to be written for one lead, resolved for one CRM."""

    contact: ContactDraft
    deal: DealDraft
    note: Callable[[str, tuple[Dropped, ...]], Draft]
    """(deal id, what was dropped) -> the note."""
    task: Callable[[str, str], Draft | None]
    """(deal id, its responsible) -> the call task."""
    call: Callable[[str, str], Draft] | None = None
    """(deal id, its responsible) -> the phone call that the lead is; None where it is none, or the CRM logs none."""
    company: CompanyDraft | None = None
    company_id: str = ""
    """The company's record, when it is known already."""
    dropped: tuple[Dropped, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """Field id -> as the mapping calls it."""


class Planner(Protocol):
    """Knows mapping, assignment and repeat policy of the route; `jobs.delivery.planning` is the real one."""

    async def user_for(self, deal: DealState | None) -> tuple[str, str]:
        """(user id, reason) for a new deal; decided once, stored. Raises Hold."""
        ...

    def repeat_mode(self, deal: DealState | None) -> str:
        """ "new", "note" or "reopen"."""
        ...

    async def drafts(self, progress: Progress) -> Drafts: ...

    def without(self, draft: Draft, refused: tuple[str, ...], *, bare: bool) -> tuple[Draft, tuple[Dropped, ...]]:
        """The draft without the refused fields, or the bare minimum; and what was left out."""
        ...

    async def callback_tasks(self, deal_id: str) -> Sequence[str]:
        """Of a missed call: the tasks on this deal that earlier ones made and after which nobody talked."""
        ...

    def reopen_to(self) -> tuple[str, str]:
        """Pipeline and stage of a reopened deal."""
        ...
