"""Types and usual columns of the tables."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic import ConfigDict
from sqlalchemy import JSON, BigInteger, Table, Text, false, text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime as integer microseconds: the same order, precision and bytes in both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_us(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_us(value)


def to_us(value: datetime) -> int:
    """Microseconds since 1970; raises ValueError for a naive datetime."""
    if value.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    delta = value - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_us(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Words(TypeDecorator[tuple[str, ...]]):
    """A few short texts without blanks (phones, e-mails, flags) as one text: cheap to write, easy to search."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str:
        return " ".join(value or ())

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        return tuple((value or "").split())


class Row(SQLModel):
    """A row of any table. Rows are read and written, not validated: the validators, slow to make, are not made."""

    model_config = ConfigDict(defer_build=True)  # type: ignore[assignment]  # SQLModel adds keys of its own


def instant(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(
        default=None if nullable else ...,
        sa_type=Instant,
        nullable=nullable,
        index=index,
    )


def json_column(empty: str = "{}") -> Any:
    factory = dict if empty == "{}" else list
    return Field(
        default_factory=factory, sa_type=JSON, nullable=False, sa_column_kwargs={"server_default": text(f"'{empty}'")}
    )


def text_column(default: str = "") -> Any:
    return Field(
        default=default, sa_type=Text, nullable=False, sa_column_kwargs={"server_default": text(f"'{default}'")}
    )


def words_column() -> Any:
    return Field(default=(), sa_type=Words, nullable=False, sa_column_kwargs={"server_default": text("''")})


def number_column(default: int = 0) -> Any:
    return Field(default=default, nullable=False, sa_column_kwargs={"server_default": text(str(default))})


def no_by_default() -> Any:
    return Field(default=False, nullable=False, sa_column_kwargs={"server_default": false()})


def table_of(model: type[SQLModel]) -> Table:
    """The model's table, for Core statements: those are what the hot path is made of."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]  # SQLModel sets it on table models
