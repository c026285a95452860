"""A visitor's session: who signed in, in a signed cookie; nothing of it is kept on the server."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from store.sealing import derive

COOKIE = "leadhub_session"
IDLE = timedelta(days=7)
"""A session that was not used for so long is over."""
RENEWED_AFTER = timedelta(hours=1)
LONGEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """`login` "" before sign-in. `nonce` is the root of the CSRF token and changes at sign-in."""

    nonce: str
    started_at: datetime
    used_at: datetime
    login: str = ""
    epoch: int = 0


class Sessions:
    """Signs with the newest secret key, reads with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: newest first."""
        derived = [derive(key, "console session") for key in keys]
        self._serializer = URLSafeSerializer(
            [key.hex() for key in reversed(derived)],
            salt="session",
            signer_kwargs={"digest_method": hashlib.sha256},
        )
        self._csrf_keys = [derive(key, "console forms") for key in keys]

    def start(self, now: datetime, login: str = "", epoch: int = 0) -> Session:
        return Session(secrets.token_urlsafe(16), now, now, login, epoch)

    def seal(self, session: Session) -> str:
        return str(
            self._serializer.dumps(
                [
                    session.nonce,
                    int(session.started_at.timestamp()),
                    int(session.used_at.timestamp()),
                    session.login,
                    session.epoch,
                ]
            )
        )

    def open(self, cookie: str, now: datetime) -> Session | None:
        """None for a cookie that is not ours, was changed, or is too old."""
        try:
            session = _session(self._serializer.loads(cookie))
        except (BadData, ValueError, TypeError, OverflowError, OSError):
            return None
        # A clock that was set back makes a session no older than it is.
        if now - session.used_at > IDLE or now - session.started_at > LONGEST:
            return None
        return session

    def renewed(self, session: Session, now: datetime) -> Session | None:
        """The session with its use noted, or None while that is not worth a new cookie."""
        return replace(session, used_at=now) if now - session.used_at > RENEWED_AFTER else None

    def form_token(self, session: Session) -> str:
        """What every form carries: only pages of ours can know it."""
        return _form_token(self._csrf_keys[0], session)

    def is_form_token(self, session: Session, given: str) -> bool:
        return any(
            hmac.compare_digest(_form_token(key, session).encode(), given.encode("utf-8", "replace"))
            for key in self._csrf_keys
        )

    def seal_note(self, note: Any) -> str:
        """A short message of ours to the next page."""
        return str(self._serializer.dumps(note, salt="note"))

    def open_note(self, cookie: str) -> Any:
        """None for what we did not write."""
        try:
            return self._serializer.loads(cookie, salt="note")
        except BadData:
            return None


def _form_token(key: bytes, session: Session) -> str:
    return hmac.new(key, f"{session.nonce}:{session.login}".encode(), hashlib.sha256).hexdigest()


def _session(data: Any) -> Session:
    nonce, started, used, login, epoch = data
    return Session(
        str(nonce), datetime.fromtimestamp(started, UTC), datetime.fromtimestamp(used, UTC), str(login), int(epoch)
    )
