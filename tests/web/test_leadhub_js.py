import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page

from connectors.webform import SOURCE as DOOR
from connectors.webform import WebformSettings
from tests.support.requests import inbound
from tests.support.stub_hub import StubHub, StubSite, eventually, running_hub, running_site
from web.leadhub_js import MAX_BYTES, SERVED, SOURCE, shrink

Test = TypeVar("Test", bound=Callable[..., Coroutine[Any, Any, None]])


def in_browser(test: Test) -> Test:
    """On the loop that the browser belongs to."""
    return pytest.mark.browser(pytest.mark.asyncio(loop_scope="session")(test))


# --- the file ------------------------------------------------------------------------------------


def test_the_served_file_is_made_of_the_source() -> None:
    assert SERVED.read_text() == shrink(SOURCE.read_text()), "run: python -m web.leadhub_js"


def test_the_served_file_is_under_6_kb() -> None:
    assert SERVED.stat().st_size < MAX_BYTES < 6144


def test_shrinking_keeps_strings_regular_expressions_properties_and_keys() -> None:
    source = """
    (function (w) {
      // a comment
      var value = 'a // b', list = [1, 2], found = /[/'] value/.test(value) ? list.length / 2 : list[0];
      for (var i = 0; i < 3; i++) { w.value = { value: value, other: + +found }; }
    })(window);
    """
    assert shrink(source) == (
        "(function(e){var c='a // b',b=[1,2],d=/[/'] value/.test(c)?b.length/2:b[0];"
        "for(var a=0;a<3;a++){e.value={value:c,other:+ +d}}})(window);\n"
    )


@pytest.mark.skipif(
    shutil.which("node") is None, reason="no node to check the syntax with; the browser tests do it too"
)
def test_the_served_file_is_valid() -> None:
    subprocess.run(["node", "--check", str(SERVED)], check=True)


def test_the_source_is_written_for_old_browsers() -> None:
    code = "\n".join(line for line in SOURCE.read_text().splitlines() if not line.strip().startswith("//"))
    for modern in (
        "=>",
        "`",
        "const ",
        "let ",
        "async ",
        "await ",
        "...",
        "?.",
        "??",
        ".includes(",
        ".padStart",
        "URLSearchParams(",
    ):
        assert modern not in code, modern
    for outside in (
        "eval(",
        "innerHTML",
        "document.write",
        ".setAttribute('style'",
        "createElement('script')",
        "alert(",
    ):
        assert outside not in code, outside


# --- in a browser ---------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def hub() -> AsyncIterator[StubHub]:
    async with running_hub(SERVED.read_bytes()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def site(hub: StubHub) -> AsyncIterator[StubSite]:
    async with running_site() as running:
        running.pages["/leadhub.js"] = (200, {"content-type": "text/javascript"}, SERVED.read_bytes())
        running.pages["/"] = running.pages["/other"] = html(hub, FORM)
        yield running


FORM = """
<form data-leadhub="Расчёт окон"><input name="name"><input name="phone"><textarea name="comment"></textarea>
<button>Отправить</button></form>
"""


def html(hub: StubHub, body: str, attributes: str = "", before: str = "") -> str:
    """A page with the script from the site's own server, as one does who wants it there when the hub is down."""
    script = f'<script src="/leadhub.js" data-hub="{hub.url}" data-source="site" {attributes}></script>'
    head = f"<meta charset=utf-8><title>x</title>{before}{script}"
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"


async def fill_in(page: Page, phone: str = "+7 916 123-45-67") -> None:
    await page.fill("[name=name]", "Иван")
    await page.fill("[name=phone]", phone)
    await page.click("button")


async def stored(page: Page) -> dict[str, Any]:
    return dict(await page.evaluate("Object.assign({}, localStorage)"))


async def kept(page: Page) -> list[str]:
    return [name for name in await stored(page) if name.startswith("leadhub.q.")]


async def are_kept(page: Page, any_kept: bool) -> None:
    """Waits by the test's own clock: the page's may stand still."""
    async with asyncio.timeout(120):
        while bool(await kept(page)) != any_kept:
            await asyncio.sleep(0.02)


async def none_kept(page: Page) -> None:
    await are_kept(page, False)


@in_browser
async def test_a_marked_form_is_sent_and_understood_by_the_door(page: Page, hub: StubHub, site: StubSite) -> None:
    await page.goto(f"{site.url}/?utm_source=Yandex&utm_medium=cpc&utm_term=%D0%BE%D0%BA%D0%BD%D0%B0&yclid=Y1")
    await fill_in(page)
    await hub.has(1)
    path, sent = hub.posts[0]
    assert path == "/in/site"
    (lead,) = DOOR.parse(WebformSettings(), inbound(json.dumps(sent)), "RU").leads
    assert (lead.name, lead.phones, lead.form) == ("Иван", ("+79161234567",), "Расчёт окон")
    assert lead.utm == {"utm_source": "yandex", "utm_medium": "cpc", "utm_term": "окна"}
    assert lead.click_ids == {"yclid": "Y1"}
    assert lead.page_url.startswith(f"{site.url}/?utm_source=Yandex")
    assert lead.lead_uid == sent["lead_uid"] != ""
    assert lead.flags == ()
    assert lead.touch is not None
    assert lead.touch.channel == "ad"
    assert set(lead.extra) == {"submitted_at"}
    await none_kept(page)
    assert page.url.startswith(f"{site.url}/?utm")  # the visitor stays
    assert await page.input_value("[name=phone]") == ""


@in_browser
async def test_a_lead_outlives_a_hub_that_is_down_for_an_hour_and_arrives_once(
    context: BrowserContext, page: Page, hub: StubHub, site: StubSite
) -> None:
    await context.clock.install(time="2026-11-24T14:00:00Z")
    await page.goto(f"{site.url}/")
    await hub.down()
    await fill_in(page)
    await are_kept(page, True)
    (name,) = await kept(page)
    await page.close()

    await context.clock.fast_forward("01:00:00")
    await hub.up()
    again = await context.new_page()
    await again.goto(f"{site.url}/")
    await hub.has(1)
    await none_kept(again)
    (lead,) = hub.leads
    assert lead["lead_uid"] == name.split(".")[-1]
    assert lead["phone"] == "+7 916 123-45-67"
    assert lead["submitted_at"].startswith("2026-11-24T14:00")
    await again.reload()
    await again.wait_for_load_state("networkidle")
    assert len(hub.leads) == 1


@in_browser
async def test_a_failing_hub_is_tried_again_with_growing_delay_while_the_page_is_open(
    page: Page, hub: StubHub, site: StubSite
) -> None:
    await page.clock.install(time="2026-11-24T14:00:00Z")
    await page.goto(f"{site.url}/")
    hub.status = 503
    await fill_in(page)
    await hub.has(1)
    waits = []
    for tries in range(2, 8):
        hub.status = 202 if tries == 7 else 503
        waited_s = 0.0
        while len(hub.posts) < tries:
            await page.clock.run_for(500)
            waited_s += 0.5
            await asyncio.sleep(0.02)  # the request itself takes real time
        waits.append(waited_s)
    assert waits[0] <= 3
    assert waits[-1] >= 8
    await none_kept(page)
    assert len({lead["lead_uid"] for lead in hub.leads}) == 1


@in_browser
@pytest.mark.parametrize("event", ["online", "visibilitychange"])
async def test_coming_back_is_a_reason_to_try_at_once(page: Page, hub: StubHub, site: StubSite, event: str) -> None:
    await page.clock.install(time="2026-11-24T14:00:00Z")
    await page.goto(f"{site.url}/")
    await page.clock.pause_at("2026-11-24T14:10:00Z")  # no timer goes off from here on
    hub.status = 500
    await fill_in(page)
    await hub.has(1)
    hub.status = 202
    target = "window" if event == "online" else "document"
    async with asyncio.timeout(120):
        while len(hub.posts) < 2:  # until the page has seen the 500 it is still waiting for its answer
            await page.evaluate(f"{target}.dispatchEvent(new Event('{event}'))")
            await asyncio.sleep(0.05)
    await none_kept(page)


@in_browser
async def test_an_answer_lost_with_the_page_makes_the_same_lead_again_not_another(
    context: BrowserContext, page: Page, hub: StubHub, site: StubSite
) -> None:
    await page.goto(f"{site.url}/")
    hub.delay_s = 2
    await fill_in(page)
    await hub.has(1)
    await page.goto("about:blank")
    hub.delay_s = 0
    again = await context.new_page()
    await again.goto(f"{site.url}/")
    await hub.has(2)
    await none_kept(again)
    assert hub.leads[0] == hub.leads[1]


@in_browser
@pytest.mark.parametrize(
    ("status", "kept_for_next_visit"), [(400, False), (413, False), (401, True), (403, True), (404, True)]
)
async def test_a_refused_lead_is_not_tried_again_on_this_page(
    page: Page, hub: StubHub, site: StubSite, status: int, kept_for_next_visit: bool
) -> None:
    # The clock below runs ahead of the answer: without this it would be given up as too slow.
    await page.add_init_script("delete window.AbortController")
    await page.clock.install()
    await page.goto(f"{site.url}/")
    hub.status = status
    await fill_in(page)
    await hub.has(1)
    await are_kept(page, kept_for_next_visit)
    await page.clock.run_for(600_000)
    await page.evaluate("leadhub.flush()")
    await page.wait_for_load_state("networkidle")
    assert len(hub.posts) == 1
    hub.status = 202
    await page.reload()
    if kept_for_next_visit:
        await hub.has(2)
    await page.wait_for_load_state("networkidle")
    assert len(hub.posts) == (2 if kept_for_next_visit else 1)
    await none_kept(page)


@in_browser
@pytest.mark.parametrize("status", [408, 425, 429])
async def test_a_hub_that_asks_for_patience_is_tried_again(
    page: Page, hub: StubHub, site: StubSite, status: int
) -> None:
    await page.goto(f"{site.url}/")
    hub.status = status
    await fill_in(page)
    await hub.has(1)
    hub.status = 202
    await hub.has(2)
    await none_kept(page)


@in_browser
async def test_fifty_leads_are_kept_for_a_week(page: Page, hub: StubHub, site: StubSite) -> None:
    await page.clock.install(time="2026-11-01T00:00:00Z")
    await page.goto(f"{site.url}/")
    await hub.down()
    for index in range(55):
        await page.clock.fast_forward(10)
        await page.evaluate("index => leadhub.send({phone: '1', n: index})", index)
    values = [value for name, value in (await stored(page)).items() if name.startswith("leadhub.q.")]
    assert sorted(json.loads(value.split("\n")[1])["n"] for value in values) == list(range(5, 55))
    await page.clock.fast_forward(170 * 3_600_000)  # a week and two hours
    await page.evaluate("leadhub.flush()")
    await none_kept(page)
    assert hub.posts == []


@in_browser
async def test_the_first_touch_stays_and_a_direct_visit_hides_nothing(page: Page, hub: StubHub, site: StubSite) -> None:
    await page.goto(f"{site.url}/?utm_source=vk", referer="https://vk.com/")
    first = (await stored(page))["leadhub_first"]
    assert json.loads(first)["utm_source"] == "vk"
    assert json.loads(first)["referrer"] == "https://vk.com/"
    await page.goto(f"{site.url}/?utm_source=yandex&yclid=7", referer="https://yandex.ru/")
    await page.goto(f"{site.url}/other")
    await page.goto(f"{site.url}/", referer=f"{site.url}/other")
    await page.goto(f"{site.url}/", referer="https://yookassa.ru/pay")
    now = await stored(page)
    assert now["leadhub_first"] == first
    last = json.loads(now["leadhub_last"])
    assert (last["utm_source"], last["yclid"], last["referrer"]) == ("yandex", "7", "https://yandex.ru/")
    await fill_in(page)
    await hub.has(1)
    (lead,) = DOOR.parse(WebformSettings(), inbound(json.dumps(hub.leads[0])), "RU").leads
    assert lead.browser_first_touch is not None
    assert lead.browser_first_touch.utm == {"utm_source": "vk"}
    assert (lead.utm, lead.click_ids) == ({"utm_source": "yandex"}, {"yclid": "7"})


@in_browser
async def test_a_direct_first_visit_is_a_first_touch_too(page: Page, hub: StubHub, site: StubSite) -> None:
    await page.goto(f"{site.url}/#top")
    first = json.loads((await stored(page))["leadhub_first"])
    assert (first["landing_page"], "referrer" in first) == (f"{site.url}/", False)
    await page.goto(f"{site.url}/?utm_source=vk")
    now = await stored(page)
    assert json.loads(now["leadhub_first"]) == first
    assert json.loads(now["leadhub_last"])["utm_source"] == "vk"


@in_browser
async def test_any_other_form_is_given_the_touches_and_goes_its_own_way(
    page: Page, hub: StubHub, site: StubSite
) -> None:
    site.pages["/"] = html(
        hub,
        '<form action="/crm.php" method="post"><input name="tel" value="1"><input type=hidden name="utm_source">'
        '<input type=hidden name="page_url" value="mine"><button>x</button></form>',
    )
    site.pages["/crm.php"] = "thanks"
    await page.goto(f"{site.url}/?utm_source=vk&fbclid=F")
    await page.click("button")
    await page.wait_for_url("**/crm.php")
    form = dict(piece.split("=", 1) for piece in site.posts[0][1].split("&"))
    assert (form["tel"], form["utm_source"], form["fbclid"], form["page_url"]) == ("1", "vk", "F", "mine")
    assert "vk" in form["lh_first"]
    assert "leadhub_hp" not in form
    assert hub.posts == []


@in_browser
async def test_a_marked_form_with_a_server_of_its_own_is_sent_to_both(page: Page, hub: StubHub, site: StubSite) -> None:
    site.pages["/"] = html(
        hub, '<form data-leadhub action="/crm.php" method="post"><input name=phone value=1><button>x</button></form>'
    )
    site.pages["/crm.php"] = html(hub, "thanks")
    await page.goto(f"{site.url}/")
    await page.click("button")
    await page.wait_for_url("**/crm.php")
    await hub.has(1)
    await none_kept(page)
    assert len(site.posts) == 1
    assert len({lead["lead_uid"] for lead in hub.leads}) == 1


@in_browser
async def test_a_form_to_the_hub_goes_on_to_its_page_even_while_the_hub_is_down(
    page: Page, hub: StubHub, site: StubSite
) -> None:
    site.pages["/"] = html(
        hub,
        f'<form action="{hub.url}/in/site" method="post"><input name=phone value=1>'
        '<input type=hidden name="_redirect" value="/thanks"><button>x</button></form>',
    )
    site.pages["/thanks"] = html(hub, "Спасибо")
    await page.goto(f"{site.url}/")
    await page.click("button")
    await page.wait_for_url("**/thanks")
    assert len({lead["lead_uid"] for lead in hub.leads}) == 1
    await none_kept(page)
    await hub.down()
    await page.goto(f"{site.url}/")
    await page.click("button")
    await page.wait_for_url("**/thanks")
    assert len(await kept(page)) == 1
    assert "_redirect" not in hub.leads[0]


@in_browser
async def test_with_data_all_every_form_is_sent_but_not_search_login_or_those_told_off(
    page: Page, hub: StubHub, site: StubSite
) -> None:
    forms = {
        "ajax": "<form id=ajax>",
        "search": "<form id=search role=search>",
        "get": '<form id=get method="GET">',
        "off": '<form id=off data-leadhub="off">',
    }
    body = "".join(
        f'{tag}<input name=q value="{name}"><button id=b-{name}>x</button></form>' for name, tag in forms.items()
    )
    body += "<form id=login><input name=q value=login><input type=password name=p><button id=b-login>x</button></form>"
    stay = "<script>addEventListener('submit', e => e.preventDefault())</script>"
    site.pages["/"] = html(hub, body + stay, "data-all")
    await page.goto(f"{site.url}/")
    for name in (*forms, "login"):
        await page.click(f"#b-{name}")
    await hub.has(1)
    await page.wait_for_load_state("networkidle")
    assert [lead["q"] for lead in hub.leads] == ["ajax"]
    assert await page.locator("[name=leadhub_hp]").count() == 1
    assert await page.locator("[name=lh_first]").count() == 1


@in_browser
async def test_passwords_cards_and_unchecked_boxes_are_not_read(page: Page, hub: StubHub, site: StubSite) -> None:
    site.pages["/"] = html(
        hub,
        "<form data-leadhub><input name=phone value=1><input name=card autocomplete=cc-number value=4111>"
        "<input type=checkbox name=opt value=a checked><input type=checkbox name=opt value=b checked>"
        "<input type=checkbox name=opt value=c><input type=radio name=r value=1>"
        "<input type=radio name=r value=2 checked>"
        "<select name=s multiple><option selected>x<option>y<option selected>z</select>"
        "<input name=dis value=1 disabled>"
        "<input type=file name=plan><input name=name value=n><input name=id value=i>"
        "<button name=go value=1>x</button></form>",
    )
    await page.goto(f"{site.url}/")
    await page.set_input_files("[name=plan]", {"name": "план.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"})
    await page.click("button")
    await hub.has(1)
    lead = hub.leads[0]
    assert (lead["opt"], lead["r"], lead["s"], lead["plan"]) == (["a", "b"], "2", ["x", "z"], "план.pdf")
    assert not {"card", "dis", "go"} & set(lead)


@in_browser
async def test_a_double_click_is_one_lead_and_a_changed_form_another(page: Page, hub: StubHub, site: StubSite) -> None:
    site.pages["/"] = html(
        hub, '<form data-leadhub action="#" onsubmit="return false"><input name=phone value=1><button>x</button></form>'
    )
    await page.goto(f"{site.url}/")
    await page.dblclick("button")
    await hub.has(1)
    await page.fill("[name=phone]", "2")
    await page.click("button")
    await hub.has(2)
    await page.wait_for_load_state("networkidle")
    assert [lead["phone"] for lead in hub.leads] == ["1", "2"]


@in_browser
async def test_what_a_form_itself_refused_is_not_sent(page: Page, hub: StubHub, site: StubSite) -> None:
    site.pages["/"] = html(
        hub,
        '<form data-leadhub novalidate onsubmit="return false"><input name=phone required><button>x</button></form>',
    )
    await page.goto(f"{site.url}/")
    await page.click("button")
    await page.fill("[name=phone]", "1")
    await page.click("button")
    await hub.has(1)
    assert [lead["phone"] for lead in hub.leads] == ["1"]


@in_browser
async def test_the_honeypot_is_there_for_robots_and_unseen_by_people(page: Page, hub: StubHub, site: StubSite) -> None:
    await page.goto(f"{site.url}/")
    trap = page.locator("[name=leadhub_hp]")
    assert await trap.evaluate("el => el.getBoundingClientRect().right < 0 && el.tabIndex == -1")
    await trap.evaluate("el => { el.value = 'http://spam.test' }")
    await fill_in(page)
    await hub.has(1)
    (lead,) = DOOR.parse(WebformSettings(), inbound(json.dumps(hub.leads[0])), "RU").leads
    assert lead.flags == ("spam_honeypot",)


@in_browser
async def test_the_api_sends_calls_back_and_knows_the_key(page: Page, hub: StubHub, site: StubSite) -> None:
    before = (
        "<script>window.told = []; window.leadhub = {onqueued: uid => told.push(['queued', uid]),"
        " onsent: (uid, answer) => told.push(['sent', uid, answer])}</script>"
    )
    site.pages["/"] = html(hub, "", 'data-key="k&1" data-token="tok"', before)
    await page.goto(f"{site.url}/?gclid=G1")
    uid = await page.evaluate("leadhub.send({phone: '+7 916 123-45-67', quiz: {rooms: 3}})")
    await page.wait_for_function("told.length == 2")
    assert await page.evaluate("told") == [["queued", uid], ["sent", uid, {"lead_id": "id-1", "status": "accepted"}]]
    path, lead = hub.posts[0]
    assert path == "/in/site/tok?key=k%261"
    assert (lead["gclid"], lead["quiz"], lead["lead_uid"]) == ("G1", {"rooms": 3}, uid)
    assert await page.evaluate("leadhub.send({lead_uid: 'order.7'})") == "order.7"
    await hub.has(2)


@in_browser
async def test_a_callback_that_throws_harms_nothing(page: Page, hub: StubHub, site: StubSite) -> None:
    before = "<script>window.leadhub = {onqueued: () => { throw 1 }, onsent: () => { throw 2 }}</script>"
    site.pages["/"] = html(hub, FORM, "", before)
    await page.goto(f"{site.url}/")
    await fill_in(page)
    await hub.has(1)
    await none_kept(page)


@in_browser
async def test_visitor_ids_in_cookies_go_along(
    context: BrowserContext, page: Page, hub: StubHub, site: StubSite
) -> None:
    cookies = {"_ym_uid": "17676", "_ga": "GA1.1.111.222", "roistat_visit": "55", "sessionid": "private"}
    await context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in cookies.items()])
    await page.goto(f"{site.url}/")
    await fill_in(page)
    await hub.has(1)
    (lead,) = DOOR.parse(WebformSettings(), inbound(json.dumps(hub.leads[0])), "RU").leads
    assert lead.click_ids == {"_ym_uid": "17676", "client_id": "111.222", "roistat_visit": "55"}
    assert "private" not in json.dumps(hub.leads)


BLOCKED = (
    "<script>Object.defineProperty(window, 'localStorage',"
    " {get() { throw new DOMException('denied', 'SecurityError') }})</script>"
)


@in_browser
async def test_without_local_storage_the_touch_is_in_a_cookie_and_leads_in_memory(
    context: BrowserContext, page: Page, hub: StubHub, site: StubSite
) -> None:
    site.pages["/"] = html(hub, FORM, "", BLOCKED)
    await page.goto(f"{site.url}/?utm_source=vk")
    await page.goto(f"{site.url}/?utm_source=yandex")
    hub.status = 500
    await fill_in(page)
    await hub.has(1)
    hub.status = 202
    await hub.has(2)
    assert json.loads(hub.leads[1]["lh_first"])["utm_source"] == "vk"
    assert json.loads(hub.leads[1]["lh_last"])["utm_source"] == "yandex"
    assert hub.leads[0]["lead_uid"] == hub.leads[1]["lead_uid"]
    await eventually(lambda: len(hub.posts) == 2)
    cookies = {cookie["name"]: cookie["value"] for cookie in await context.cookies()}
    assert set(cookies) == {"leadhub_first", "leadhub_last"}
    assert "916" not in "".join(cookies.values())


@in_browser
async def test_a_full_storage_does_not_stop_a_lead(page: Page, hub: StubHub, site: StubSite) -> None:
    full = "<script>Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }</script>"
    site.pages["/"] = html(hub, FORM, "", full)
    await page.goto(f"{site.url}/")
    hub.status = 500
    await fill_in(page)
    await hub.has(1)
    hub.status = 202
    await hub.has(2)


@in_browser
async def test_a_strict_content_policy_is_kept(page: Page, hub: StubHub, site: StubSite) -> None:
    site.headers["content-security-policy"] = f"default-src 'none'; script-src 'self'; connect-src {hub.url}"
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await page.goto(f"{site.url}/")
    await fill_in(page)
    await hub.has(1)
    await none_kept(page)
    assert [fault for fault in faults if "favicon" not in fault] == []


@in_browser
async def test_the_script_from_the_hub_itself_knows_where_its_hub_is(page: Page, hub: StubHub, site: StubSite) -> None:
    site.pages["/"] = f'<!DOCTYPE html><script src="{hub.url}/leadhub.js?source=landing&key=k1" async></script>{FORM}'
    await page.goto(f"{site.url}/")
    await page.wait_for_function("!!(window.leadhub && leadhub.send)")
    await fill_in(page)
    await hub.has(1)
    assert hub.posts[0][0] == "/in/landing?key=k1"


@in_browser
async def test_a_changed_key_is_used_for_what_was_held_under_the_old_one(
    page: Page, hub: StubHub, site: StubSite
) -> None:
    site.pages["/"] = html(hub, FORM, 'data-key="old"')
    await page.goto(f"{site.url}/")
    hub.status = 401
    await fill_in(page)
    await hub.has(1)
    hub.status = 202
    site.pages["/"] = html(hub, FORM, 'data-key="new"')
    await page.goto(f"{site.url}/")
    await hub.has(2)
    assert [path for path, _ in hub.posts] == ["/in/site?key=old", "/in/site?key=new"]


@in_browser
async def test_without_fetch_the_old_way_is_used(page: Page, hub: StubHub, site: StubSite) -> None:
    site.pages["/"] = html(hub, FORM, "", "<script>delete window.fetch; delete window.AbortController</script>")
    await page.goto(f"{site.url}/")
    await hub.down()
    await fill_in(page)
    await are_kept(page, True)
    await hub.up()
    await hub.has(1)
    await none_kept(page)


@in_browser
async def test_nothing_goes_anywhere_but_to_the_hub_and_nothing_is_shown(
    page: Page, hub: StubHub, site: StubSite
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto(f"{site.url}/")
    text = await page.inner_text("body")
    await fill_in(page)
    await hub.has(1)
    await none_kept(page)
    assert {address.split("/")[2] for address in asked} == {f"127.0.0.1:{site.port}", f"127.0.0.1:{hub.port}"}
    assert [address for address in asked if str(hub.port) in address] == [f"{hub.url}/in/site"]
    assert await page.inner_text("body") == text
    assert faults == []
