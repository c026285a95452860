"""The table of requests with events that were accepted and are not worked on yet."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field

from store.columns import Row, instant, number_column, table_of, text_column


class InboxRequest(Row, table=True):
    """A request with calls, messages, payments or errands, durable before it was answered; gone once they are made.

    `place` orders them: microseconds since 1970, later than any before it from the same process. `record` is the
    request as the spool keeps it. `tries` that failed, `due_at`: not again before then.
    """

    __tablename__ = "inbox_request"
    place: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    id: str = Field(primary_key=True)
    source: str
    received_at: datetime = instant()
    record: bytes = Field(sa_type=LargeBinary, nullable=False)
    tries: int = number_column()
    due_at: datetime = instant()
    last_error: str = text_column()


t_inbox_request: Any = table_of(InboxRequest)
