"""The tables of requests that were not let in."""

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary
from sqlmodel import Field

from store.columns import Row, instant, json_column, number_column, table_of, text_column


class RefusedRequest(Row, table=True):
    """A request that was not let in, kept for a week: forged or misconfigured is visible, not lost.

    `sealed` is the whole request under the key `key_id`, None if it was too large to be kept; `look` is the redacted
    beginning of it. `rerun_at`: when it was let in after all, with `outcome` for people. `headers` and `body` stay
    empty: older versions kept a part of the request in them.
    """

    __tablename__ = "refused_request"
    id: str = Field(primary_key=True)
    source: str = Field(index=True)
    at: datetime = instant(index=True)
    status: int
    reason: str = text_column()
    method: str
    url: str = text_column()
    headers: dict[str, Any] = json_column()
    body: bytes = Field(default=b"", sa_type=LargeBinary, nullable=False)
    remote_ip: str = text_column()
    size_bytes: int = number_column()
    look: str = text_column()
    rerun_at: datetime | None = instant(nullable=True)
    outcome: str = text_column()
    key_id: str = text_column()
    sealed: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)


class RefusedTally(Row, table=True):
    """How many requests of a source were refused on a day (of the hub's zone) for a reason, kept or not.

    `dropped`: so many of them are not kept any more, or never were, because there were too many.
    """

    __tablename__ = "refused_tally"
    source: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    status: int = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int = number_column()
    dropped: int = number_column()
    first_at: datetime = instant()
    last_at: datetime = instant()


t_refused_request = table_of(RefusedRequest)
t_refused_tally = table_of(RefusedTally)
