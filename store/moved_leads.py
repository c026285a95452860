"""What leads of one CRM became in another that they were moved into: kept by the move, asked for by syncs of both."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from store import cursors
from store.sync_keys import chunks

WHOLE: Final = "whole"
"""What is kept of a lead of which all is moved: `id`, `on` (kind and id of the new record) and `made`, field -> its
form, as the new CRM showed it when it was made."""


def name_of(here: str, there: str, what: str, lead: str = "") -> str:
    """Where the state of a lead's `person`, `deal`, `note` is kept, and of the WHOLE of it."""
    return f"migrate:{here}-{there}:lead:{what}:{lead}"


def deals_of(conn: Connection, here: str, there: str, leads: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Lead -> what is kept of it, of those that became deals."""
    names = {name_of(here, there, WHOLE, lead): lead for lead in leads}
    found: dict[str, Mapping[str, Any]] = {}
    for some in chunks(names):
        for name, kept in cursors.load_all(conn, some).items():
            if kept.get("on", ("",))[0] == "deal":
                found[names[name]] = kept
    return found
