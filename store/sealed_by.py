"""By which of the hub's secret keys the stored secrets are sealed."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from store.refused import KEPT
from store.refused_tables import t_refused_request
from store.tables import t_token


class SealedBy(NamedTuple):
    """What one key sealed: connections with a token, and refused requests, the last of which is kept until `until`."""

    connections: tuple[str, ...]
    requests: int
    until: datetime | None


def sealed_by(conn: Connection) -> dict[str, SealedBy]:
    """Key id -> what it sealed."""
    tokens = conn.execute(select(t_token.c.key_id, t_token.c.connection).order_by(t_token.c.connection)).all()
    kept = t_refused_request
    query = select(kept.c.key_id, func.count(), func.max(kept.c.at)).where(kept.c.sealed.is_not(None))
    requests = {key: (count, at + KEPT) for key, count, at in conn.execute(query.group_by(kept.c.key_id))}
    return {
        key: SealedBy(tuple(name for by, name in tokens if by == key), *requests.get(key, (0, None)))
        for key in {*requests, *(by for by, _ in tokens)}
    }
