"""Who may sign in to the console, and the tokens of the JSON API."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from store.user_tables import t_api_token, t_user

LOGIN = re.compile(r"[\w.@+-]{1,64}")
NAME = re.compile(r"[\w.@+-]{1,64}")
MIN_PASSWORD_CHARS = 8
MAX_PASSWORD_CHARS = 1000
USED_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` of a token is: not every request needs a write."""
TOKEN_PREFIX = "lh_"  # noqa: S105  # lets people and scanners see what it is

_HASHER = PasswordHasher()


@cache
def _nobody() -> str:
    """Checked for a login that does not exist, so that the time taken does not tell which exist."""
    return _HASHER.hash(secrets.token_hex(16))


class UserError(Exception):
    """What was asked cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    login: str
    created_at: datetime
    session_epoch: int
    locale: str


@dataclass(frozen=True, slots=True)
class TokenInfo:
    name: str
    created_at: datetime
    last_used_at: datetime | None


# --- passwords: slow on purpose, so never on the event loop and never on a thread of the database --------


def hash_password(password: str) -> str:
    """Argon2id. Raises UserError for one that is too short or too long."""
    if len(password) < MIN_PASSWORD_CHARS:
        raise UserError(f"the password is too short: at least {MIN_PASSWORD_CHARS} characters")
    if len(password) > MAX_PASSWORD_CHARS:
        raise UserError(f"the password is too long: at most {MAX_PASSWORD_CHARS} characters")
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def password_matches(stored: str | None, password: str) -> bool:
    """`stored` None (no such user) takes as long and is never right."""
    if len(password) > MAX_PASSWORD_CHARS:
        return False
    nobody = _nobody()  # made at whatever sign-in is the first, so that this tells nothing either
    try:
        _HASHER.verify(stored or nobody, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


# --- users ------------------------------------------------------------------------------------------------


def any_user(conn: Connection) -> bool:
    return conn.execute(select(t_user.c.login).limit(1)).first() is not None


def list_users(conn: Connection) -> list[ConsoleUser]:
    columns = (t_user.c.login, t_user.c.created_at, t_user.c.session_epoch, t_user.c.locale)
    return [ConsoleUser(*row) for row in conn.execute(select(*columns).order_by(t_user.c.login))]


def find_user(conn: Connection, login: str) -> ConsoleUser | None:
    columns = (t_user.c.login, t_user.c.created_at, t_user.c.session_epoch, t_user.c.locale)
    row = conn.execute(select(*columns).where(t_user.c.login == login)).first()
    return ConsoleUser(*row) if row else None


def password_of(conn: Connection, login: str) -> str | None:
    found: str | None = conn.execute(select(t_user.c.password).where(t_user.c.login == login)).scalar()
    return found


def clean_login(login: str) -> str:
    """As it is kept: one spelling for one person. Raises UserError."""
    cleaned = login.strip().lower()
    if not LOGIN.fullmatch(cleaned):
        raise UserError("a login is 1 to 64 letters, digits and . _ - @ +")
    return cleaned


def add_user(conn: Connection, login: str, password_hash: str, now: datetime, locale: str = "") -> None:
    """Raises UserError when there is one already."""
    if find_user(conn, login) is not None:
        raise UserError(f"there is a user {login} already")
    conn.execute(insert(t_user).values(login=login, password=password_hash, created_at=now, locale=locale))


def set_password(conn: Connection, login: str, password_hash: str) -> None:
    """Ends all sessions of the user. Raises UserError when there is none."""
    changed = conn.execute(
        update(t_user)
        .where(t_user.c.login == login)
        .values(password=password_hash, session_epoch=t_user.c.session_epoch + 1)
    )
    if not changed.rowcount:
        raise UserError(f"there is no user {login}")


def end_sessions(conn: Connection, login: str) -> None:
    conn.execute(update(t_user).where(t_user.c.login == login).values(session_epoch=t_user.c.session_epoch + 1))


def remove_user(conn: Connection, login: str) -> None:
    """Raises UserError when there is none."""
    if not conn.execute(delete(t_user).where(t_user.c.login == login)).rowcount:
        raise UserError(f"there is no user {login}")


# --- tokens of the JSON API -----------------------------------------------------------------------------------


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def create_token(conn: Connection, name: str, now: datetime) -> str:
    """The token itself: it is shown once, only its digest is kept. Raises UserError."""
    if not NAME.fullmatch(name):
        raise UserError("the name of a token is 1 to 64 letters, digits and . _ - @ +")
    if conn.execute(select(t_api_token.c.name).where(t_api_token.c.name == name)).first() is not None:
        raise UserError(f"there is a token {name} already")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    conn.execute(insert(t_api_token).values(digest=digest(token), name=name, created_at=now))
    return token


def list_tokens(conn: Connection) -> list[TokenInfo]:
    columns = (t_api_token.c.name, t_api_token.c.created_at, t_api_token.c.last_used_at)
    return [TokenInfo(*row) for row in conn.execute(select(*columns).order_by(t_api_token.c.name))]


def revoke_token(conn: Connection, name: str) -> None:
    """Raises UserError when there is none."""
    if not conn.execute(delete(t_api_token).where(t_api_token.c.name == name)).rowcount:
        raise UserError(f"there is no token {name}")


def find_token(conn: Connection, token_digest: str) -> TokenInfo | None:
    """By digest: what is compared is no secret, so the time of the comparison tells nothing of the token."""
    columns = (t_api_token.c.name, t_api_token.c.created_at, t_api_token.c.last_used_at)
    row = conn.execute(select(*columns).where(t_api_token.c.digest == token_digest)).first()
    return TokenInfo(*row) if row else None


def is_stale(token: TokenInfo, now: datetime) -> bool:
    """Whether its last use should be noted anew."""
    return token.last_used_at is None or now - token.last_used_at >= USED_EVERY or now < token.last_used_at


def mark_used(conn: Connection, token_digest: str, now: datetime) -> None:
    conn.execute(update(t_api_token).where(t_api_token.c.digest == token_digest).values(last_used_at=now))
