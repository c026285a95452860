"""Who may see and do what in the console: sessions, form tokens, other sites, other hosts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest_asyncio
from sqlalchemy import select

from connectors.errors import PermanentError
from store import users
from store.db import StoreUnavailable
from store.tables import t_audit_entry, t_lead
from tests.support.databases import new_sqlite
from tests.support.passwords import quick_hash
from tests.support.quiet_hub import HERE, QuietHub, form_token, quiet_hub, sign_in
from web.session import COOKIE, Sessions

PAGES = ("/", "/leads")


@pytest_asyncio.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[QuietHub]:
    async with quiet_hub(tmp_path, new_sqlite(tmp_path)) as running:
        yield running


@pytest_asyncio.fixture
async def closed(quiet: QuietHub) -> QuietHub:
    """A hub with a user: everybody has to sign in."""
    await quiet.add_user()
    return quiet


async def status_of(quiet: QuietHub, lead_id: str) -> str:
    query = select(t_lead.c.status).where(t_lead.c.id == lead_id)
    return str(await quiet.read(lambda conn: conn.execute(query).scalar_one()))


# --- open while nobody has a login, and only from here ----------------------------------------------------


async def test_on_loopback_without_users_nobody_needs_to_sign_in(quiet: QuietHub) -> None:
    async with quiet.visitor() as browser:
        for path in PAGES:
            answer = await browser.get(path)
            assert answer.status_code == 200
            assert "leadhub user add" in answer.text


async def test_a_site_that_points_its_name_to_this_machine_sees_nothing(quiet: QuietHub) -> None:
    await quiet.send(name="Иван", phone="8 916 123-45-67")
    for host in ("http://evil.example:8080", "http://127.0.0.1.evil.example:8080", "http://localhost.evil.example"):
        async with quiet.visitor(base=host) as browser:
            answer = await browser.get("/")
            assert answer.status_code == 403
            assert "Иван" not in answer.text


async def test_through_a_proxy_or_from_elsewhere_the_open_console_is_closed(quiet: QuietHub) -> None:
    async with quiet.visitor() as browser:
        for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
            assert (await browser.get("/", headers={header: "203.0.113.5"})).status_code == 403
    async with quiet.visitor("203.0.113.5") as browser:
        assert (await browser.get("/")).status_code == 403


async def test_bound_to_the_network_without_users_it_says_how_to_make_one(tmp_path: Path) -> None:
    async with quiet_hub(tmp_path, new_sqlite(tmp_path), listen="0.0.0.0") as quiet, quiet.visitor() as browser:
        answer = await browser.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        page = await browser.get("/login")
        assert "leadhub user add" in page.text
        assert 'type="password"' not in page.text


# --- signing in -------------------------------------------------------------------------------------------


async def test_every_page_leads_to_the_sign_in_and_back(closed: QuietHub) -> None:
    async with closed.visitor() as browser:
        answer = await browser.get("/leads?q=Иван")
        assert answer.status_code == 303
        page = await browser.get(answer.headers["location"])
        fields = {
            "token": form_token(page),
            "login": " Anna ",
            "password": "correct horse",
            "next": "/leads?q=%D0%98%D0%B2%D0%B0%D0%BD",
        }
        assert fields["next"] in page.text
        answer = await browser.post("/login", data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, fields["next"])
        assert (await browser.get("/")).status_code == 200
    entries = await closed.read(lambda conn: conn.execute(select(t_audit_entry.c.actor, t_audit_entry.c.action)).all())
    assert entries == [("user:anna", "user.sign_in")]


async def test_a_wrong_password_and_an_unknown_login_look_the_same(closed: QuietHub) -> None:
    async with closed.visitor() as browser:
        wrong = await sign_in(browser, password="incorrect horse")
        unknown = await sign_in(browser, login="nobody")
        assert (wrong.status_code, unknown.status_code) == (401, 401)
        assert "Логин или пароль не подходит." in wrong.text
        assert "Логин или пароль не подходит." in unknown.text
        assert (await browser.get("/")).status_code == 303


async def test_after_five_wrong_passwords_even_the_right_one_must_wait(closed: QuietHub) -> None:
    async with closed.visitor("203.0.113.5") as browser:
        for _ in range(5):
            assert (await sign_in(browser, password="wrong password")).status_code == 401
        blocked = await sign_in(browser)
        assert blocked.status_code == 429
        assert int(blocked.headers["retry-after"]) in range(290, 302)
        async with closed.visitor("203.0.113.6") as elsewhere:  # nobody locks the owner out
            assert (await sign_in(elsewhere)).status_code == 303
        closed.clock.forward(301)
        assert (await sign_in(browser)).status_code == 303


async def test_one_address_may_not_try_many_logins(closed: QuietHub) -> None:
    for n in range(21):
        await closed.add_user(f"user{n}", "another horse")
    async with closed.visitor() as browser:
        statuses = [(await sign_in(browser, login=f"user{n}")).status_code for n in range(21)]
    assert statuses == [401] * 20 + [429]


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    settings = "  public_url: https://hub.example.com\n  trusted_proxies: [127.0.0.1]"
    async with quiet_hub(tmp_path, new_sqlite(tmp_path), hub=settings) as quiet:
        await quiet.add_user()
        async with quiet.visitor(base="https://hub.example.com", X_Forwarded_Proto="https") as browser:
            answer = await sign_in(browser)
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)]
    for part in ("HttpOnly", "SameSite=lax", "Secure", "Path=/"):
        assert part in cookie
    assert "max-age" not in cookie.lower()
    assert answer.headers["strict-transport-security"]


async def test_without_https_the_cookie_can_be_used_all_the_same(closed: QuietHub) -> None:
    async with closed.visitor() as browser:
        answer = await sign_in(browser)
        assert "Secure" not in answer.headers["set-cookie"]


async def test_a_session_ends_with_the_password_the_user_the_sign_out_and_in_time(closed: QuietHub) -> None:
    hashed = quick_hash("correct horse")

    async def ends(what: str) -> None:
        async with closed.visitor() as browser:
            assert (await sign_in(browser)).status_code == 303
            assert (await browser.get("/")).status_code == 200
            stolen = browser.cookies[COOKIE]
            match what:
                case "password":
                    await closed.write(lambda conn: users.set_password(conn, "anna", hashed))
                case "sign_out":
                    token = form_token(await browser.get("/"))
                    assert (await browser.post("/logout", data={"token": token})).headers["location"] == "/login"
                case "idle":
                    closed.clock.forward(timedelta(days=7, seconds=1).total_seconds())
                case "removed":
                    await closed.add_user("oleg")
                    await closed.write(lambda conn: users.remove_user(conn, "anna"))
        async with closed.visitor() as thief:
            thief.cookies.set(COOKIE, stolen)
            assert (await thief.get("/")).status_code == 303, what

    for what in ("password", "sign_out", "idle", "removed"):
        await ends(what)


async def test_a_session_in_use_lasts_a_month_and_no_longer(closed: QuietHub) -> None:
    async with closed.visitor() as browser:
        await sign_in(browser)
        for _ in range(10):
            closed.clock.forward(timedelta(days=3).total_seconds() - 1)
            assert (await browser.get("/")).status_code == 200
        closed.clock.forward(60)
        assert (await browser.get("/")).status_code == 303


async def test_a_cookie_that_was_changed_or_signed_by_another_hub_is_nothing(closed: QuietHub) -> None:
    foreign = Sessions(["another secret of another hub"])
    forged = foreign.seal(foreign.start(closed.clock.now(), "anna", 0))
    async with closed.visitor() as browser:
        await sign_in(browser)
        good = browser.cookies[COOKIE]
    changed = good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:]  # the last one may hold unused bits only
    for cookie in (forged, changed, "x", "", good.replace(".", "")):
        async with closed.visitor() as browser:
            browser.cookies.set(COOKIE, cookie)
            assert (await browser.get("/")).status_code == 303, cookie


async def test_the_token_of_the_session_before_sign_in_is_worth_nothing_after(closed: QuietHub) -> None:
    lead_id = await closed.send(name="Иван", phone="8 916 123-45-67")
    async with closed.visitor() as browser:
        before = form_token(await browser.get("/login"))
        await sign_in(browser)
        answer = await browser.post("/discard", data={"token": before, "id": lead_id, "why": "спам"})
    assert answer.status_code == 403
    assert await status_of(closed, lead_id) == "pending"


# --- other sites ------------------------------------------------------------------------------------------


async def test_a_post_without_the_form_token_changes_nothing(quiet: QuietHub) -> None:
    lead_id = await quiet.send(name="Иван", phone="8 916 123-45-67")
    async with quiet.visitor() as browser, quiet.visitor() as other:
        await browser.get("/")
        foreign = form_token(await other.get(f"/leads/{lead_id}"))
        for token in ("", "x", foreign):
            fields = {"token": token, "id": lead_id, "why": "спам"}
            assert (await browser.post("/discard", data=fields)).status_code == 403
        body = f'{{"token": "x", "id": "{lead_id}"}}'
        answer = await browser.post("/discard", content=body, headers={"content-type": "text/plain"})
        assert answer.status_code == 403
    assert await status_of(quiet, lead_id) == "pending"


async def test_a_post_from_another_site_is_refused_even_with_the_token(quiet: QuietHub) -> None:
    lead_id = await quiet.send(name="Иван", phone="8 916 123-45-67")
    async with quiet.visitor() as browser:
        fields = {"token": form_token(await browser.get(f"/leads/{lead_id}")), "id": lead_id, "why": "спам"}
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:9999"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site", "origin": HERE},
        ):
            assert (await browser.post("/discard", data=fields, headers=headers)).status_code == 403, headers
        assert await status_of(quiet, lead_id) == "pending"
        assert (await browser.post("/discard", data=fields, headers={"origin": HERE})).status_code == 303
    assert await status_of(quiet, lead_id) == "discarded"


async def test_sign_in_and_actions_lead_to_no_other_site(quiet: QuietHub) -> None:
    lead_id = await quiet.send(name="Иван", phone="8 916 123-45-67")
    targets = ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"]
    async with quiet.visitor() as browser:
        token = form_token(await browser.get(f"/leads/{lead_id}"))
        for target in targets:
            answer = await browser.post("/retry", data={"token": token, "id": "x", "next": target})
            assert answer.headers["location"] == "/", target
            answer = await browser.get("/login", params={"next": target})
            assert answer.headers["location"] == "/", target
        answer = await browser.post("/retry", data={"token": token, "id": "x", "next": "/leads?status=failed"})
        assert answer.headers["location"] == "/leads?status=failed"


async def test_pages_cannot_be_framed_and_run_no_foreign_script(quiet: QuietHub) -> None:
    async with quiet.visitor() as browser:
        for path in (*PAGES, "/leads/nobody", "/login", "/nothing", "/static/console.css"):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"


async def test_pages_are_kept_by_no_cache_and_the_files_for_ever(quiet: QuietHub) -> None:
    async with quiet.visitor() as browser:
        page = await browser.get("/")
        style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert page.headers["cache-control"] == "no-store"
        assert "max-age=31536000" in (await browser.get(style)).headers["cache-control"]
        assert (await browser.get("/static/../app.py")).status_code == 404


async def test_the_script_for_sites_may_be_loaded_by_them(quiet: QuietHub) -> None:
    async with quiet.visitor() as browser:
        headers = (await browser.get("/leadhub.js")).headers
    assert headers["access-control-allow-origin"] == "*"
    assert "cross-origin-resource-policy" not in headers


# --- what is done -----------------------------------------------------------------------------------------


async def test_what_is_done_in_the_console_says_who_did_it(closed: QuietHub) -> None:
    failed = await closed.send(name="Иван", phone="8 916 123-45-67")
    spam = await closed.send(name="Spam", phone="8 916 123-45-68", leadhub_hp="x")
    await closed.fail(failed)
    async with closed.visitor() as browser:
        await sign_in(browser)
        token = form_token(await browser.get("/"))
        assert (await browser.post("/retry", data={"token": token, "id": failed})).status_code == 303
        assert "1 лид отправляется." in (await browser.get("/")).text
        assert "1 лид отправляется." not in (await browser.get("/")).text
        await browser.post("/discard", data={"token": token, "id": spam, "why": ""})
        assert await status_of(closed, spam) == "pending"
        await browser.post(f"/leads/{spam}/discard", data={"token": token, "why": "спам"})
        story = (await browser.get(f"/leads/{spam}")).text
    assert await status_of(closed, failed) == "pending"
    assert await status_of(closed, spam) == "discarded"
    assert "спам" in story
    query = select(t_audit_entry.c.actor, t_audit_entry.c.action, t_audit_entry.c.why).order_by(t_audit_entry.c.at)
    assert [tuple(row) for row in await closed.read(lambda conn: conn.execute(query).all())] == [
        ("user:anna", "user.sign_in", ""),
        ("user:anna", "lead.retry", ""),
        ("user:anna", "lead.discard", "спам"),
    ]


async def test_all_that_failed_is_retried_at_once(quiet: QuietHub) -> None:
    ids = [await quiet.send(name=f"Лид {n}", phone=f"8 916 123-45-{n:02}") for n in range(3)]
    for lead_id in ids[:2]:
        await quiet.fail(lead_id)
    async with quiet.visitor() as browser:
        page = await browser.get("/")
        assert "/retry-failed" in page.text
        await browser.post("/retry-failed", data={"token": form_token(page)})
        assert "2 лида отправляются." in (await browser.get("/")).text
        await browser.post("/retry-failed", data={"token": form_token(page)})
        assert "Непринятых лидов нет." in (await browser.get("/")).text


async def test_a_lead_without_a_route_is_routed_anew_once_there_is_one(tmp_path: Path) -> None:
    database = new_sqlite(tmp_path)
    async with quiet_hub(tmp_path, database) as quiet:
        lead_id = await quiet.send("nowhere", name="Виктор", email="victor@example.ru")
        async with quiet.visitor() as browser:
            page = await browser.get("/")
            assert "Нет подходящего маршрута" in page.text
            await browser.post("/retry", data={"token": form_token(page), "id": lead_id})
            assert "ни один маршрут не подходит" in (await browser.get("/")).text
    async with quiet_hub(tmp_path, database, routes="  - {from: [nowhere], to: [service]}\n") as quiet:
        async with quiet.visitor() as browser:
            page = await browser.get("/")
            await browser.post("/retry", data={"token": form_token(page), "id": lead_id})
            assert "1 лид отправляется." in (await browser.get("/")).text
        assert await status_of(quiet, lead_id) == "pending"


async def test_a_note_that_somebody_made_up_is_not_shown(quiet: QuietHub) -> None:
    async with quiet.visitor() as browser:
        browser.cookies.set("leadhub_note", "WyJkb25lLnJldHJpZWQiLHsibiI6OX1d.forged")
        assert "лидов отправляются" not in (await browser.get("/")).text


# --- languages and trouble --------------------------------------------------------------------------------


async def test_the_language_is_asked_kept_and_the_users_own(closed: QuietHub) -> None:
    await closed.add_user("john", locale="en")
    async with closed.visitor() as browser:
        assert "Вход" in (await browser.get("/login")).text
        await sign_in(browser, "john")
        assert "Nothing" not in (await browser.get("/")).text
        assert "No leads yet" in (await browser.get("/")).text
        assert "Лидов пока не было" in (await browser.get("/?lang=ru")).text
        assert "Лидов пока не было" in (await browser.get("/")).text
        assert "Лидов пока не было" in (await browser.get("/?lang=xx")).text


async def test_strange_questions_are_answered(quiet: QuietHub) -> None:
    await quiet.send(name="Иван", phone="8 916 123-45-67")
    async with quiet.visitor() as browser:
        for path in (
            "/?day=0001-01-01",
            "/?day=9999-12-31",
            "/?day=yesterday",
            "/?day=2026-11-23",
            "/?lang=xx",
            "/leads?q=%00&status=lost&day=x&before=%ff",
            "/leads?q=" + "x" * 5000,
            "/leads?status=owed&source=site&connection=sales&day=2026-11-24",
            "/favicon.ico",
        ):
            answer = await browser.get(path, follow_redirects=True)
            assert answer.status_code == 200, path
        for path in ("/leads/%00", "/leads/x%2Fy", "/leads/" + "x" * 5000, "/nothing"):
            answer = await browser.get(path)
            assert answer.status_code == 404, path
            assert "text/html" in answer.headers["content-type"]
        assert (await browser.delete("/leads")).status_code == 405
        assert (await browser.post("/login", content=b"x" * 300_000)).status_code == 413


class AwayDatabase:
    """A database that does not answer."""

    is_sqlite = True

    async def _away(self, *_: object) -> None:
        raise StoreUnavailable("connection refused")

    read = write = write_in_batch = _away

    async def close(self) -> None:
        """Nothing is open."""


async def test_without_a_database_a_page_says_so_and_programs_get_json(quiet: QuietHub) -> None:
    kept, quiet.hub.db = quiet.hub.db, AwayDatabase()  # type: ignore[assignment]  # what it must do, it does
    try:
        async with quiet.visitor() as browser:
            for path in PAGES:
                answer = await browser.get(path)
                assert answer.status_code == 503
                assert answer.headers["retry-after"]
                assert "База данных не отвечает" in answer.text
            answer = await browser.get("/api/v1/status", headers={"Authorization": "Bearer x"})
            assert (answer.status_code, answer.json()["error"]) == (503, "the database is not available")
    finally:
        quiet.hub.db = kept


async def test_an_error_of_ours_is_a_page_without_a_trace(quiet: QuietHub) -> None:
    quiet.hub.settings = None  # type: ignore[assignment]  # something that can only be our own mistake
    async with quiet.visitor() as browser:
        answer: httpx.Response = await browser.get("/leads")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text


class OneFile:
    """A messenger that has one picture and one page."""

    async def close(self) -> None:
        return

    async def file(self, file_id: str) -> tuple[str, AsyncIterator[bytes]]:
        if file_id not in ("picture", "page"):
            raise PermanentError("gone", "file", gone=True)

        async def content() -> AsyncIterator[bytes]:
            yield b"<b>"

        return ("image/png" if file_id == "picture" else "text/html"), content()


async def test_files_of_messengers_are_for_who_is_signed_in_and_never_pages_of_ours(closed: QuietHub) -> None:
    closed.hub.links["tg"] = OneFile()
    async with closed.visitor() as browser:
        refused = await browser.get("/media/tg/picture")
        assert (refused.status_code, refused.headers["location"].partition("?")[0]) == (303, "/login")
        await sign_in(browser)
        shown, page = await browser.get("/media/tg/picture"), await browser.get("/media/tg/page")
        assert (shown.status_code, shown.headers["content-type"], shown.content) == (200, "image/png", b"<b>")
        assert page.headers["content-type"] == "application/octet-stream"
        assert page.headers["content-disposition"] == "attachment"
        for path in ("/media/tg/other", "/media/nowhere/picture"):
            assert (await browser.get(path)).status_code == 404
