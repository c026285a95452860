"""What a CRM may offer for what comes after a call: its recording, tags for its deal, the end of its task."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class TakesRecordings(Protocol):
    """A `connectors.base.Target` whose calls can be given their recording later."""

    async def attach_recording(self, key: str, record_id: str, url: str) -> bool:
        """Puts the link to a call that `create` made: `key` of its draft, `record_id` what came back. Safe to repeat.

        False: this record has no place for it, so that a note has to tell.
        """
        ...


@runtime_checkable
class TakesTags(Protocol):
    """A `connectors.base.Target` whose deals have tags."""

    async def tag_deal(self, deal_id: str, tags: tuple[str, ...]) -> None:
        """Adds them to those that the deal has. Safe to repeat."""
        ...


@runtime_checkable
class CompletesTasks(Protocol):
    """A `connectors.base.Target` whose tasks can be marked as done."""

    async def task_is_open(self, task_id: str) -> bool:
        """Whether a task that `create` made is still to be done; False, too, when it was deleted."""
        ...

    async def complete_task(self, task_id: str, text: str) -> None:
        """Of a task that `create` made; `text` says how, where the vendor has a place for it. Safe to repeat.

        One that is done already keeps what people wrote. PermanentError with `gone` when it was deleted.
        """
        ...
