"""A connection that points at another account: what is known of the records of the one before says nothing of it."""

import logging
from typing import Any

from sqlalchemy import Connection

from jobs.delivery.restored import look_up_first
from store import accounts
from store.leases import Held, assert_held

log = logging.getLogger(__name__)


def address_of(settings: Any) -> str:
    """Host and path of the account, "" if the connector has none; a new token or protocol is no other account."""
    site = settings.site() if hasattr(settings, "site") else getattr(settings, "base_url", "")
    return str(site).rpartition("://")[2].rstrip("/").lower()


def keep_apart(conn: Connection, held: Held, address: str) -> str:
    """Puts aside what is known of the records of another address; returns that address, "" if it is the same.

    What is owed begins anew and is looked up first: the account may also have got a new address only, with all that
    was written there. Raises LostLease.
    """
    assert_held(conn, held)
    before = accounts.address(conn, held.name)
    if before == address or not address:
        return ""
    accounts.remember(conn, held.name, address)
    if not before:
        return ""
    accounts.put_aside(conn, held.name, before, address)
    look_up_first(conn, held.name)
    fields = {"event": "connection.moved", "connection": held.name, "before": before, "now": address}
    log.warning("the connection points at another account", extra=fields)
    return before
