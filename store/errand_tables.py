"""The table of errands: what a request merely named and the vendor still has to be asked for."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from store.columns import Row, instant, json_column, number_column, table_of, text_column, words_column


class ErrandRow(Row, table=True):
    """The duty to read one thing from the vendor of one source. Its id is that of the event that named it.

    state: `ready` (may be claimed once due), `claimed` (a worker with `fence` is at it), `done`, `dead` (gave up: a
    person decides), `discarded` (a person decided). `data` is what the request told beside `kind` and `key`.
    `lead_ids` are the leads that it made, empty also where it was no enquiry.
    """

    __tablename__ = "errand"
    id: str = Field(primary_key=True)
    source: str
    kind: str
    key: str
    data: dict[str, Any] = json_column()
    state: str
    created_at: datetime = instant(index=True)
    due_at: datetime = instant()
    age_from: datetime = instant()
    """From here its age counts towards giving up: intake, a person's retry, or the end of an outage."""
    attempts: int = number_column()
    fence: int = number_column()
    error_kind: str = text_column()
    last_error: str = text_column()
    lead_ids: tuple[str, ...] = words_column()
    settled_at: datetime | None = instant(nullable=True)

    __table_args__ = (
        UniqueConstraint("source", "kind", "key", name="uq_errand_source_kind_key"),
        Index(
            "ix_errand_owed",
            "source",
            "state",
            "due_at",
            sqlite_where=text("state NOT IN ('done', 'discarded')"),
            postgresql_where=text("state NOT IN ('done', 'discarded')"),
        ),
    )


t_errand = table_of(ErrandRow)
