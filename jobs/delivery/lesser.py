"""What a refused draft is sent without the next time: what was named, then all but the minimum, then even less."""

from collections.abc import Mapping
from typing import Any, Protocol

from connectors.base import ContactDraft, DealDraft, Draft, Target
from connectors.errors import PermanentError
from jobs.delivery.progress import Step

REFUSALS_BEFORE_BARE = 2
"""After so many refusals of a draft only the bare minimum is sent."""
MOST_REFUSED = 20
"""A CRM that names yet another field each time is not asked more often than this."""
LAST_RESORT: Mapping[type, tuple[tuple[str, ...], ...]] = {
    ContactDraft: (("emails",), ("phones",)),
    DealDraft: (("emails", "phones", "name"), ("comment", "source")),
}
"""What even the bare minimum does without when it is refused and nothing is named; the note says it all."""


class Without(Protocol):
    """The draft as it would be sent, and what that leaves out: `jobs.delivery.drafts.Planner.without`."""

    def __call__(self, draft: Draft, refused: tuple[str, ...], *, bare: bool) -> tuple[Draft, Any]: ...


def leave_out(step: Step, draft: Draft, named: tuple[str, ...], without: Without) -> bool:
    """Notes in `step` what the next send of `draft` leaves out; False when there is nothing more to leave out.

    `named`: what the refusal named, as the draft calls it.
    """
    if not step.bare:
        step.bare = not named or len(step.refused) >= REFUSALS_BEFORE_BARE
        step.refused.extend(named)
        return True
    if any(name not in step.refused for name in named) and len(step.refused) < MOST_REFUSED:
        step.refused.extend(named)
        return True
    sent, _ = without(draft, tuple(step.refused), bare=True)
    for more in LAST_RESORT.get(type(draft), ()):
        if without(draft, (*step.refused, *more), bare=True)[0] != sent:
            step.refused.extend(more)
            return True
    return False


async def enrich(target: Target, contact_id: str, draft: ContactDraft, without: Without) -> None:
    """Adds to a contact what it lacks. What the CRM refuses of that is left out: it must not keep a new phone away.

    Raises what `Target.enrich_contact` does; PermanentError once there is nothing more to leave out.
    """
    refused: tuple[str, ...] = ()
    sent = draft
    while True:
        try:
            return await target.enrich_contact(contact_id, sent)
        except PermanentError as error:
            refused += tuple(name for name in error.fields if name not in refused)
            less, _ = without(draft, refused, bare=False)
            if error.gone or less == sent:
                raise
            assert isinstance(less, ContactDraft)
            sent = less
