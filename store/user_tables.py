"""Tables of who may use the console and the JSON API."""

from datetime import datetime

from sqlmodel import Field

from store.columns import Row, instant, table_of


class User(Row, table=True):
    """Who may sign in to the console. `password` is an Argon2id hash."""

    __tablename__ = "console_user"
    login: str = Field(primary_key=True)
    password: str
    created_at: datetime = instant()
    session_epoch: int = 0
    """Raised to end all sessions of the user."""
    locale: str = ""


class ApiToken(Row, table=True):
    """A token of the JSON API; only its SHA-256 is kept."""

    __tablename__ = "api_token"
    digest: str = Field(primary_key=True)
    name: str
    created_at: datetime = instant()
    last_used_at: datetime | None = instant(nullable=True)


t_user = table_of(User)
t_api_token = table_of(ApiToken)
