"""Signing in and out."""

import asyncio
import logging

from starlette.responses import Response

from jobs.hub import Hub
from store import operator, users
from store.db import StoreUnavailable
from store.users import ConsoleUser
from web.origin import safe_next
from web.plain import plain_text
from web.session import Sessions
from web.throttle import LoginThrottle
from web.visit import Visit

log = logging.getLogger(__name__)

CHECKS_AT_ONCE = 2
"""Argon2 takes 64 MB and most of a core each: a crowd at the door must not starve the leads."""


class SignIn:
    """Handlers for `web.entrance`."""

    def __init__(self, hub: Hub, sessions: Sessions) -> None:
        self._hub = hub
        self._sessions = sessions
        self._throttle = LoginThrottle()
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def page(self, visit: Visit) -> Response:
        if visit.inside:
            return visit.to(safe_next(visit.query("next")))
        any_user = await self._hub.db.read(users.any_user)
        return self._form(visit, 200, following=safe_next(visit.query("next")), nobody=not any_user)

    def _form(
        self, visit: Visit, status: int, *, following: str = "", problem: str = "", nobody: bool = False
    ) -> Response:
        following = following or safe_next(visit.given("next"))
        return visit.page(
            "login.html", status, following=following, problem=problem, login=visit.given("login"), nobody=nobody
        )

    async def enter(self, visit: Visit) -> Response:
        hub, ip = self._hub, visit.visitor.ip
        login = plain_text(visit.given("login"))[:64].lower()
        wait_s = self._throttle.wait_s(ip, login, hub.clock.monotonic())
        if wait_s > 0:
            wait = visit.words.duration(max(1.0, wait_s))
            response = self._form(visit, 429, problem=visit.words("login.wait", wait=wait))
            response.headers["Retry-After"] = str(int(wait_s) + 1)
            return response
        # Counted before it is checked: many tries at once must not all pass the gate above.
        self._throttle.failed(ip, login, hub.clock.monotonic())
        stored = await hub.db.read(users.password_of, login)
        async with self._checks:
            right = await asyncio.to_thread(users.password_matches, stored, visit.given("password"))
        user = await hub.db.read(users.find_user, login) if right else None
        if user is None:
            log.warning("sign-in refused", extra={"event": "console.sign_in_refused", "ip": ip})
            return self._form(visit, 401, problem=visit.words("login.wrong"))
        self._throttle.succeeded(ip, login)
        await self._note_sign_in(user)
        visit.session = self._sessions.start(hub.clock.now(), user.login, user.session_epoch)
        visit.fresh = True
        return visit.back()

    async def _note_sign_in(self, user: ConsoleUser) -> None:
        """Who came in stands beside what was done; a database that cannot be written locks nobody out."""
        clock = self._hub.clock
        try:
            await self._hub.db.write(
                operator.record_action, clock, actor=f"user:{user.login}", action="user.sign_in", subject=user.login
            )
        except StoreUnavailable:
            log.warning("sign-in not kept", extra={"event": "console.sign_in_not_kept"})

    async def leave(self, visit: Visit) -> Response:
        """Ends all sessions of the user: a cookie that somebody copied is worth nothing from now on."""
        if visit.user is not None:
            login = visit.user.login
            await self._hub.db.write(users.end_sessions, login)
        visit.session, visit.user, visit.fresh = self._sessions.start(self._hub.clock.now()), None, True
        return visit.to("/login")
