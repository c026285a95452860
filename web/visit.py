"""One request to the console: who asks, in which language, and the page that answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from store.users import ConsoleUser
from web.origin import is_local, safe_next
from web.page_templates import render
from web.session import COOKIE, Session, Sessions
from web.visitor import Visitor
from web.words import LOCALES, Words

LANGUAGE_COOKIE = "leadhub_lang"
NOTE_COOKIE = "leadhub_note"
YEAR_S = 31_536_000
NOTE_S = 60


@dataclass(slots=True)
class Visit:
    """`user` None: nobody signed in, which is fine while `open_to_all`. `form` is what was posted."""

    request: Request
    visitor: Visitor
    sessions: Sessions
    words: Words
    session: Session
    user: ConsoleUser | None
    open_to_all: bool
    secure: bool
    fresh: bool = False
    """The session's cookie must be sent."""
    has_syncs: bool = False
    """Whether the menu leads to record sync."""
    form: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def inside(self) -> bool:
        """Whether the pages with leads may be seen."""
        return self.user is not None or (self.open_to_all and is_local(self.visitor))

    @property
    def actor(self) -> str:
        return f"user:{self.user.login}" if self.user else "local"

    @property
    def form_token(self) -> str:
        return self.sessions.form_token(self.session)

    def given(self, name: str) -> str:
        """A field of the form, "" when it is not there."""
        return next(iter(self.form.get(name, ())), "")

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        note = self.sessions.open_note(self.request.cookies.get(NOTE_COOKIE, ""))
        html = render(template, visit=self, words=self.words, note=_note(note, self.words), **values)
        response = HTMLResponse(html, status)
        if note is not None:
            response.delete_cookie(NOTE_COOKIE, path="/")
        return self._with_cookies(response)

    def back(self, note: str = "", **values: Any) -> Response:
        """To the page that the form names, with a word about what was done."""
        return self.to(safe_next(self.given("next")), note, **values)

    def to(self, path: str, note: str = "", **values: Any) -> Response:
        response = RedirectResponse(path, 303)
        if note:
            self._set(response, NOTE_COOKIE, self.sessions.seal_note([note, values]), NOTE_S)
        return self._with_cookies(response)

    def _with_cookies(self, response: Response) -> Response:
        if self.fresh:
            self._set(response, COOKIE, self.sessions.seal(self.session), None)
        if self.query("lang") in LOCALES:
            self._set(response, LANGUAGE_COOKIE, self.query("lang"), YEAR_S)
        return response

    def _set(self, response: Response, name: str, value: str, max_age_s: int | None) -> None:
        response.set_cookie(name, value, max_age=max_age_s, path="/", httponly=True, samesite="lax", secure=self.secure)


def _note(note: Any, words: Words) -> str:
    """A word about what was just done; "" for what we cannot read."""
    try:
        key, values = note
        return words(key, **values)
    except (TypeError, ValueError, KeyError):
        return ""


def pick_locale(asked: str, cookie: str, user: ConsoleUser | None, default: str) -> str:
    """?lang=, then the cookie of an earlier one, then the user's own, then the hub's."""
    for wanted in (asked, cookie, user.locale if user else ""):
        if wanted in LOCALES:
            return wanted
    return default
