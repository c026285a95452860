"""What a person asks of a sync from outside its process: a pass now, or a decision about an open issue."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from jobs.sync.resolving import CannotResolve, Choice, resolve
from leads.clock import Clock
from leads.ids import new_id
from store import sync_log
from store.operator import record_action

ACTORS_SHOWN = 200


def ask_for_pass(conn: Connection, clock: Clock, sync: str, actor: str, *, full: bool, yes: bool) -> str:
    """The id of the request, which whoever runs the sync answers with a pass.

    One that waits already for the same is not asked twice: a button pressed again does no more.
    """
    waiting = sync_log.asked(conn, sync)
    if waiting is not None and not waiting.undo and (waiting.full, waiting.yes) == (full, yes):
        return str(waiting.id)
    request_id = new_id(clock)
    sync_log.ask(conn, request_id, sync, clock.now(), actor[:ACTORS_SHOWN], full=full, yes=yes)
    record_action(conn, clock, actor=actor, action="sync.allow" if yes else "sync.run", subject=sync)
    return request_id


def decide_issue(
    conn: Connection, clock: Clock, issue_id: str, choice: Choice, actor: str, ids: Sequence[str] = (), seen: str = ""
) -> Row[Any] | None:
    """The issue that was decided, None when there is none. `seen`: `sight_of` what the person looked at, if known.

    Raises CannotResolve.
    """
    issue = sync_log.issue(conn, issue_id)
    if issue is None:
        return None
    if seen and seen != sight_of(issue):
        now = "значения за это время изменились, посмотрите ещё раз"
        raise CannotResolve("the values have changed meanwhile, look again", now)
    resolve(conn, clock, issue, choice, actor, ids)
    return issue


def sight_of(issue: Row[Any]) -> str:
    """A digest of what a person decides about: records and values, not when they were looked at."""
    about = [issue.left_ids, issue.right_ids, issue.data.get("left"), issue.data.get("right")]
    text = json.dumps(about, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
