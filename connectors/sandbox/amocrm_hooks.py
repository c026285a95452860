"""Webhooks of the sandbox account of amoCRM: who subscribed to what, and the forms that are sent."""

from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from connectors.sandbox.amocrm_data import ACCOUNT_ID, Record
from connectors.sandbox.posts import KEPT, Post

MAX_HOOKS = 100
FORM = {"content-type": "application/x-www-form-urlencoded"}
ACTIONS = ("add", "update", "delete", "restore", "responsible", "note")
SETTINGS = frozenset(
    {f"{action}_{one}" for one in ("lead", "contact", "company") for action in ACTIONS} | {"status_lead"}
)


class Subscriptions:
    """`hooks` is destination -> row as shown."""

    def __init__(self, take_id: Callable[[], int]) -> None:
        self._take_id = take_id
        self.hooks: dict[str, Record] = {}
        self.posts: deque[Post] = deque(maxlen=KEPT)

    def put(self, asked: Any, now: int) -> Record | str:
        """The row; a text where it is refused. The same address again changes what is there."""
        destination = str(asked.get("destination") or "") if isinstance(asked, dict) else ""
        events = asked.get("settings") if isinstance(asked, dict) else None
        if not destination.startswith(("http://", "https://")) or not isinstance(events, list) or not events:
            return "destination and settings are required"
        if not set(events) <= SETTINGS:
            return "unknown setting"
        if destination not in self.hooks and len(self.hooks) >= MAX_HOOKS:
            return "too many webhooks"
        before = self.hooks.get(destination)
        row = {
            "id": before["id"] if before else self._take_id(),
            "destination": destination,
            "created_at": before["created_at"] if before else now,
            "updated_at": now,
            "account_id": ACCOUNT_ID,
            "created_by": 0,
            "sort": asked.get("sort", 10),
            "disabled": False,
            "settings": list(events),
        }
        self.hooks[destination] = row
        return row

    def tell(self, action: str, entity: str, record: Record, host: str) -> None:
        """Contacts and companies both go under `contacts`, told apart by their type; a deletion has only the id."""
        if not self.hooks:
            return
        single = {"leads": "lead", "contacts": "contact", "companies": "company"}[entity]
        group = "leads" if entity == "leads" else "contacts"
        said: dict[str, Any] = {"id": record["id"]}
        if action != "delete":
            shown = ("name", "responsible_user_id", "created_at", "updated_at", "status_id", "pipeline_id", "price")
            said |= {name: record[name] for name in shown if record.get(name) is not None}
            said |= {"last_modified": record["updated_at"], "modified_user_id": record["updated_by"]}
        if entity != "leads":
            said["type"] = single
        form = {f"{group}[{action}][0][{name}]": str(value) for name, value in said.items()}
        form |= {"account[subdomain]": host.partition(".")[0], "account[id]": str(ACCOUNT_ID)}
        for row in self.hooks.values():
            if f"{action}_{single}" in row["settings"] and not row["disabled"]:
                self.posts.append(Post(row["destination"], urlencode(form).encode(), FORM))
