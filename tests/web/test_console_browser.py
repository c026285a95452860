"""The console in a real browser: a person signs in, sees what is stuck, mends it."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from store import reading
from tests.support.browser import visitor
from tests.support.running_hub import RunningHub, running_hub

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"{{7*7}}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        running.add_user("anna", "correct horse")
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def anna(hub: RunningHub, context: BrowserContext) -> AsyncIterator[Page]:
    """Somebody who signed in."""
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    await sign_in(page, hub)
    yield page
    hub.mend()
    assert errors == []


async def sign_in(page: Page, hub: RunningHub, password: str = "correct horse") -> None:
    await page.goto(f"{hub.url}/login")
    await page.get_by_label("Логин").fill("anna")
    await page.get_by_label("Пароль").fill(password)
    await page.get_by_role("button", name="Войти").click()


def arrived(hub: RunningHub, lead_id: str) -> None:
    hub.wait_for(lambda conn: state_of(conn, lead_id) == {"delivered"})


def state_of(conn: object, lead_id: str) -> set[str]:
    return {one.state for one in reading.deliveries_of(conn, [lead_id]).get(lead_id, [])}  # type: ignore[arg-type]


def stuck(hub: RunningHub, lead_id: str) -> None:
    """Until the CRM failed at it at least once."""
    hub.wait_for(lambda conn: all(one.last_error for one in reading.deliveries_of(conn, [lead_id])[lead_id]))


async def test_a_wrong_password_is_told_and_the_right_one_opens(hub: RunningHub, page: Page) -> None:
    await page.goto(f"{hub.url}/leads")
    await expect(page).to_have_url(re.compile(r"/login\?next="))
    await page.get_by_label("Логин").fill("anna")
    await page.get_by_label("Пароль").fill("wrong horse")
    await page.get_by_role("button", name="Войти").click()
    await expect(page.get_by_role("alert")).to_have_text("Логин или пароль не подходит.")
    await page.get_by_label("Пароль").fill("correct horse")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Лиды")).to_be_visible()
    await page.get_by_role("button", name="Выйти").click()
    await expect(page).to_have_url(f"{hub.url}/login")
    await page.goto(f"{hub.url}/")
    await expect(page).to_have_url(f"{hub.url}/login")


async def test_a_stuck_lead_is_seen_with_its_reason_and_retried(hub: RunningHub, anna: Page) -> None:
    hub.fault("502", "bitrix24")
    lead_id = hub.send("landing", name="Наталья Белова", phone="8 926 765-40-21", form="Калькулятор")
    stuck(hub, lead_id)
    await anna.goto(hub.url)
    await expect(anna.locator("#not-arrived")).to_have_text("1")
    group = anna.get_by_role("region", name="Ждут Bitrix24 «service»")
    await expect(group).to_contain_text("Наталья Белова")
    await expect(group).to_contain_text("+7 926 765-40-21")
    await expect(group).to_contain_text("их сторона")
    await expect(group).to_contain_text("Делать ничего не нужно")
    await group.get_by_role("button", name="Повторить", exact=True).first.click()
    # The hub's own retry may be a moment quicker than the hand.
    sent = re.compile(r"^(1 лид отправляется|Ничего не изменилось: он отправляется прямо сейчас)\.$")
    await expect(anna.get_by_role("status")).to_have_text(sent)
    hub.mend()  # only now: before it, no retry can have arrived
    arrived(hub, lead_id)
    await expect(anna.locator("#not-arrived")).to_have_text("0", timeout=120_000)  # the page refreshes itself
    await expect(anna.get_by_text("Всё дошло")).to_be_visible()


async def test_a_refused_lead_waits_for_a_person_and_comes_through(hub: RunningHub, anna: Page) -> None:
    hub.fault("401", "amocrm")
    lead_id = hub.send(name="Олег Кузнецов", phone="8 926 765-40-22")
    stuck(hub, lead_id)
    await anna.goto(hub.url)
    group = anna.get_by_role("region", name="Ждут amoCRM «sales»")
    await expect(group).to_contain_text("Токен не принят")
    await expect(group).to_contain_text("Выпустите в CRM новый токен")
    await expect(anna.get_by_text("нет доступа")).to_be_visible()
    await expect(anna.get_by_text("Токен amoCRM «sales» отозван")).to_be_visible()
    await anna.get_by_role("button", name="Беру на себя").first.click()
    await expect(anna.get_by_text("занимается anna")).to_be_visible()
    hub.mend()
    arrived(hub, lead_id)


async def test_a_person_is_found_by_phone_and_the_whole_story_is_told(hub: RunningHub, anna: Page) -> None:
    first = hub.send(
        "landing", name="Иван Петров", phone="8 916 123-45-67", utm_source="yandex", utm_medium="cpc", comment="Окна"
    )
    arrived(hub, first)
    second = hub.send("landing", name="Иван Петров", phone="+7 (916) 123-45-67", comment="Ещё и дверь")
    arrived(hub, second)
    await anna.goto(f"{hub.url}/leads")
    await anna.get_by_role("searchbox").fill("8(916)123 45 67")
    await anna.get_by_role("button", name="Найти").click()
    await expect(anna.locator("table.leads tbody tr")).to_have_count(2)
    await anna.get_by_role("link", name="Иван Петров").first.click()
    await expect(anna.get_by_role("heading", name="Иван Петров")).to_contain_text("В CRM")
    story = anna.get_by_role("main")
    await expect(story).to_contain_text("Ещё и дверь")
    await expect(story).to_contain_text("Ещё 1 обращение")
    await expect(story).to_contain_text("Яндекс.Директ")
    deal = anna.get_by_role("link", name=re.compile("^сделка"))
    await expect(deal).to_have_attribute("href", re.compile(rf"^{re.escape(hub.sandbox_url)}/"))
    await anna.get_by_text(re.compile(r"\d+ запрос.* к CRM")).first.click()
    await expect(anna.locator(".call").first).to_contain_text("HTTP 200")
    await expect(anna.locator(".call").first).not_to_contain_text("sandbox/crm")
    await anna.get_by_role("heading", name="Запрос, как он пришёл").click()
    await expect(anna.locator("pre", has_text="name=")).to_be_visible()
    await anna.wait_for_timeout(6000)  # one refresh later what was opened is still open
    await expect(anna.locator("pre", has_text="name=")).to_be_visible()


async def test_suspected_spam_is_discarded_with_a_reason(hub: RunningHub, anna: Page) -> None:
    spam = hub.send("landing", name="BUY CHEAP", email="x@spam.example", leadhub_hp="x")
    real = hub.send("landing", name="Осторожный Человек", email="careful@example.ru", leadhub_hp="x")
    await anna.goto(hub.url)
    group = anna.get_by_role("region", name="Похоже на спам: отправить или отклонить?")
    row = group.get_by_role("listitem").filter(has_text="BUY CHEAP")
    await row.locator("summary").click()
    await row.get_by_label("Почему?").fill("реклама")
    await row.get_by_role("button", name="Отклонить").click()
    await expect(anna.get_by_role("status")).to_have_text("1 лид отклонён.")
    await group.get_by_role("listitem").filter(has_text="Осторожный").get_by_role("button", name="Отправить").click()
    await expect(anna.get_by_role("status")).to_have_text("1 лид отправляется.")
    arrived(hub, real)
    await anna.goto(f"{hub.url}/leads/{spam}")
    await expect(anna.get_by_text("Отклонён: реклама")).to_be_visible()
    await expect(anna.get_by_role("region", name="Действия людей")).to_contain_text("anna: отклонён — реклама")


async def test_what_strangers_send_is_shown_as_text(hub: RunningHub, anna: Page) -> None:
    hub.fault("503", "bitrix24")
    fields = (
        "name",
        "comment",
        "form",
        "company",
        "page_url",
        "referrer",
        "utm_source",
        "utm_term",
        "weird",
        "lead_uid",
    )
    evil = hub.send("landing", phone="8 926 111-22-33", email="javascript@example.ru", **dict.fromkeys(fields, EVIL))
    stuck(hub, evil)
    for path in ("/", "/leads", f"/leads/{evil}", f"/leads?q={EVIL}", f"/leads?lang={EVIL}", f"/login?next={EVIL}"):
        await anna.goto(f"{hub.url}{path}")
        await anna.wait_for_load_state("networkidle")
        assert await anna.title() != "owned"
        assert await anna.locator("main script, main img").count() == 0
    await anna.goto(f"{hub.url}/leads/{evil}")
    await expect(anna.get_by_role("heading", level=1)).to_contain_text("<script>")
    hub.mend()


async def wider(page: Page) -> int:
    """By how many pixels one could scroll sideways."""
    found: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", PHONE), ("light", DESKTOP)])
async def test_nothing_is_wider_than_the_screen(
    hub: RunningHub, browser: Browser, language: str, scheme: str, size: dict[str, int]
) -> None:
    long = "Оченьдлинноеслово" * 12
    hub.fault("503", "bitrix24")
    lead_id = hub.send("landing", name=long, email=f"{'a' * 60}@example.ru", comment=long, form=long, utm_term=long)
    hub.send("nowhere", name=long, phone="8 926 111-22-34")
    hub.send("landing", name=long, phone="8 926 111-22-35", leadhub_hp="x")
    stuck(hub, lead_id)
    async with visitor(browser, viewport=size, color_scheme=scheme) as context:
        page = await context.new_page()
        await sign_in(page, hub)
        for path in ("/", "/leads", f"/leads/{lead_id}", "/leads/nobody"):
            await page.goto(f"{hub.url}{path}?lang={language}")
            assert await page.get_attribute("html", "lang") == language
            assert await wider(page) == 0, path
            await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert await wider(page) == 0, f"{path} with everything opened"
    hub.mend()


async def test_everything_can_be_done_from_the_keyboard_and_without_scripts(
    hub: RunningHub, browser: Browser, tmp_path: Path
) -> None:
    spam = hub.send("landing", name="Без скриптов", email="nojs@example.ru", leadhub_hp="x")
    async with visitor(browser, java_script_enabled=False) as context:
        page = await context.new_page()
        await sign_in(page, hub)
        await page.goto(f"{hub.url}/leads/{spam}")
        await page.locator("summary.button").focus()
        await page.keyboard.press("Enter")
        await page.get_by_label("Почему?").fill("проверка")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_have_text("1 лид отклонён.")
