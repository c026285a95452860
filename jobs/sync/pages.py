"""Where a person sees a record of a sync in its CRM."""

from connectors.base import Target
from connectors.records import RecordObject, RecordPages
from jobs.accounts import KIND_OF


def record_page(target: Target, about: RecordObject, record_id: str) -> str:
    """An http(s) address, "" when there is none or nobody can tell. `target`: the open account."""
    if isinstance(target, RecordPages):
        found = target.record_page(about, record_id)
    else:
        found = target.record_url(KIND_OF[about], record_id)
    return found if found.startswith(("https://", "http://")) else ""
