"""Tasks that were made: whether one is still to be done, and marking it as done."""

from connectors.amocrm.api import AmocrmApi
from connectors.amocrm.payloads import number
from connectors.errors import PermanentError


async def task_is_open(api: AmocrmApi, task_id: str) -> bool:
    row = await api.get_one("read task", _path(task_id))
    return row is not None and not row.get("is_completed")


async def complete_task(api: AmocrmApi, task_id: str, text: str) -> None:
    """One that is done already keeps its result. PermanentError with `gone` when it was deleted."""
    row = await api.get_one("read task", _path(task_id))
    if row is None:
        raise PermanentError("the task is gone", "complete task", 404, gone=True)
    if not row.get("is_completed"):
        await api.patch("complete task", _path(task_id), {"is_completed": True, "result": {"text": text}})


def _path(task_id: str) -> str:
    return f"/api/v4/tasks/{number(task_id, 'task_id')}"
