"""What a CRM may offer for recordings that come after their call was written."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class TakesRecordings(Protocol):
    """A `connectors.base.Target` whose calls can be given their recording later."""

    async def attach_recording(self, key: str, record_id: str, url: str) -> bool:
        """Puts the link to a call that `create` made: `key` of its draft, `record_id` what came back. Safe to repeat.

        False: this record has no place for it, so that a note has to tell.
        """
        ...
